//! Writing CPU cache lines back to memory, where the target has an instruction for it.

/// Whether [`lines`] does anything. Miri has no such instruction.
pub const SUPPORTED: bool =
    cfg!(all(any(target_arch = "x86_64", target_arch = "aarch64"), not(miri)));

/// Not larger than a cache line of any CPU of this architecture.
const LINE: usize = if cfg!(target_arch = "x86_64") { 64 } else { 16 };

/// Writes back every line that holds one of the `len` bytes at `base`; at least one byte.
///
/// # Safety
///
/// The bytes must be mapped.
#[inline]
pub unsafe fn lines(base: *const u8, len: usize) {
    if !SUPPORTED {
        return;
    }
    let persistent = knows_persistence();
    let in_first = base.addr() & (LINE - 1);
    let first = base.wrapping_sub(in_first);
    let mut skip = 0;
    while skip < len.saturating_add(in_first) {
        // SAFETY: the line holds one of the bytes.
        unsafe { write_back(first.wrapping_add(skip), persistent) };
        skip = skip.saturating_add(LINE);
    }
    fence();
}

/// Whether the CPU is known to tell the point of persistence from that of coherency: AArch64 with
/// `FEAT_DPB`.
#[inline]
fn knows_persistence() -> bool {
    #[cfg(all(feature = "std", target_arch = "aarch64"))]
    let detected = std::arch::is_aarch64_feature_detected!("dpb");
    #[cfg(not(all(feature = "std", target_arch = "aarch64")))]
    let detected = cfg!(target_feature = "dpb");
    detected
}

/// Writes back the line at `line`, which must be mapped; all the way to persistent memory. There is but one
/// way to do it.
#[cfg(all(target_arch = "x86_64", not(miri)))]
#[inline]
unsafe fn write_back(line: *const u8, _persistent: bool) {
    // SAFETY: clflush, baseline on x86-64, changes no contents, and the line is mapped.
    unsafe { core::arch::asm!("clflush [{}]", in(reg) line, options(nostack, preserves_flags)) };
}

/// Writes back the line at `line`, which must be mapped: to where devices read it, or if `persistent`, which
/// the CPU must know, to where it outlives a loss of power.
#[cfg(all(target_arch = "aarch64", not(miri)))]
#[inline]
unsafe fn write_back(line: *const u8, persistent: bool) {
    if persistent {
        // This is `dc cvap`, which an assembler only takes where every CPU of the target has it.
        // SAFETY: a clean to the point of persistence changes no contents, and the line is mapped.
        unsafe {
            core::arch::asm!("sys #3, c7, c12, #1, {}", in(reg) line, options(nostack, preserves_flags));
        };
    } else {
        // SAFETY: a clean to the point of coherency changes no contents, and the line is mapped.
        unsafe { core::arch::asm!("dc cvac, {}", in(reg) line, options(nostack, preserves_flags)) };
    }
}

/// Orders the write-backs before what follows.
#[cfg(all(target_arch = "x86_64", not(miri)))]
#[inline]
fn fence() {
    // SAFETY: a fence accesses nothing.
    unsafe { core::arch::asm!("mfence", options(nostack, preserves_flags)) };
}

/// Orders the write-backs before what follows.
#[cfg(all(target_arch = "aarch64", not(miri)))]
#[inline]
fn fence() {
    // SAFETY: a barrier accesses nothing.
    unsafe { core::arch::asm!("dsb sy", options(nostack, preserves_flags)) };
}

#[cfg(any(miri, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
#[inline]
unsafe fn write_back(_line: *const u8, _persistent: bool) {}

#[cfg(any(miri, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
#[inline]
fn fence() {}
