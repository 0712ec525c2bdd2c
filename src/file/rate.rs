//! How fast a stream should be: an advisory limit on the bytes of a time window.

/// Bytes put in the current window, and how many they should be at most.
///
/// Nothing waits for it: the user of the file asks, pauses, and opens the next window.
///
/// ```
/// use iov_iter::file::RateLimit;
///
/// let mut rate = RateLimit::default();
/// rate.set_limit(10);
/// rate.account(10);
/// assert!(!rate.is_exceeded());
/// rate.account(1);
/// assert!(rate.is_exceeded());
/// rate.reset();
/// assert!(!rate.is_exceeded());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateLimit {
    limit: u64,
    used: u64,
}

impl RateLimit {
    /// The bytes allowed in one window; 0 means any number.
    #[doc(alias = "qemu_file_get_rate_limit")]
    #[must_use]
    pub const fn limit(&self) -> u64 {
        self.limit
    }

    /// Allows `limit` bytes in one window; 0 means any number.
    #[doc(alias = "qemu_file_set_rate_limit")]
    pub const fn set_limit(&mut self, limit: u64) {
        self.limit = limit;
    }

    /// The bytes put since the window was opened.
    #[must_use]
    pub const fn used(&self) -> u64 {
        self.used
    }

    /// Counts `len` bytes that went another way, such as over RDMA.
    #[doc(alias = "qemu_file_acct_rate_limit")]
    #[inline]
    pub const fn account(&mut self, len: u64) {
        self.used = self.used.saturating_add(len);
    }

    /// Opens the next window.
    #[doc(alias = "qemu_file_reset_rate_limit")]
    pub const fn reset(&mut self) {
        self.used = 0;
    }

    /// Whether more bytes were put than the window allows.
    #[must_use]
    pub const fn is_exceeded(&self) -> bool {
        self.limit > 0 && self.used > self.limit
    }
}
