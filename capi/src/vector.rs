//! Arrays of `struct iovec`.
