//! RISC-V, 64-bit: one load or store for each integer, at aligned addresses.

/// Whether accesses are assembly.
pub const ASSEMBLY: bool = true;

/// 16 bytes.
pub type Wide = u128;

words! {
    u8, reg, "lbu {0}, 0({src})", "sb {0}, 0({dst})";
    u16, reg, "lhu {0}, 0({src})", "sh {0}, 0({dst})";
    u32, reg, "lwu {0}, 0({src})", "sw {0}, 0({dst})";
    u64, reg, "ld {0}, 0({src})", "sd {0}, 0({dst})";
    usize, reg, "ld {0}, 0({src})", "sd {0}, 0({dst})";
}
