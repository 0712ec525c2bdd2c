/* That the header describes what the library was built with. */
#include "check.h"
#include "iov_iter.h"

#ifdef __cplusplus
#define _Alignof alignof
#endif

int main(void)
{
    CHECK_EQ(ioviter_abi(0), sizeof(struct ioviter_channel_ops));
    CHECK_EQ(ioviter_abi(1), offsetof(struct ioviter_channel_ops, free));
    CHECK_EQ(ioviter_abi(2), sizeof(struct ioviter_undo));
    CHECK_EQ(ioviter_abi(3), offsetof(struct ioviter_undo, before));
    CHECK(ioviter_abi(4) > 0 && ioviter_abi(4) <= sizeof(struct ioviter));
    CHECK(ioviter_abi(5) <= _Alignof(struct ioviter));
    CHECK(ioviter_abi(6) > 0 && ioviter_abi(6) <= sizeof(struct ioviter_checksum));
    CHECK(ioviter_abi(7) <= _Alignof(struct ioviter_checksum));
    CHECK_EQ(ioviter_abi(8), sizeof(struct ioviter_user_ops));
    CHECK_EQ(ioviter_abi(9), offsetof(struct ioviter_user_ops, fault_in_writeable));
    CHECK_EQ(ioviter_abi(10), 0);
    return 0;
}
