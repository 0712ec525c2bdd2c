//! In place of copies, fills and looking at bytes by AVX, for a processor that is not known to have it.

/// Moves nothing, and returns false.
///
/// # Safety
///
/// None here.
#[inline(always)]
pub const unsafe fn copy(_src: *const u8, _dst: *mut u8, _len: usize) -> bool {
    false
}

/// Changes nothing, and returns false.
///
/// # Safety
///
/// None here.
#[inline(always)]
pub const unsafe fn fill(_dst: *mut u8, _value: u8, _len: usize) -> bool {
    false
}

/// Compares nothing, and returns 0.
///
/// # Safety
///
/// None here.
#[inline(always)]
pub const unsafe fn equal_front(_left: *const u8, _right: *const u8, _len: usize) -> usize {
    0
}

/// Looks at nothing, and returns 0.
///
/// # Safety
///
/// None here.
#[inline(always)]
pub const unsafe fn zero_front(_base: *const u8, _len: usize) -> usize {
    0
}
