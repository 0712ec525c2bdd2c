//! The functions of QEMU's `util/iov.c`, under their own names.
