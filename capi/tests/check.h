/* What the tests share. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>

/* Not assert, which NDEBUG takes away. */
#define CHECK(condition)                                                                  \
    do {                                                                                  \
        if (!(condition)) {                                                               \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);       \
            exit(1);                                                                      \
        }                                                                                 \
    } while (0)

/* That two integers are equal, and which they are otherwise. */
#define CHECK_EQ(left, right)                                                             \
    do {                                                                                  \
        long long left_ = (long long)(left), right_ = (long long)(right);                 \
        if (left_ != right_) {                                                            \
            fprintf(stderr, "%s:%d: %s is %lld, not %lld\n", __FILE__, __LINE__, #left,   \
                    left_, right_);                                                       \
            exit(1);                                                                      \
        }                                                                                 \
    } while (0)

#endif
