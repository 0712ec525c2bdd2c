//! The way out: QEMU's device `isa-debug-exit`, which ends QEMU with a status.

use core::arch::asm;

/// The port of the device, as `./run` sets it up.
const PORT: u16 = 0xf4;

/// How the firmware ended. QEMU's exit status is twice the number and one.
#[derive(Clone, Copy)]
#[repr(u32)]
pub enum Exit {
    /// The boot file is loaded: status 33.
    Loaded = 16,
    /// The machine or its disk was refused: status 35.
    Refused = 17,
    /// A defect of this program: status 37.
    Panicked = 18,
}

impl Exit {
    /// Ends the machine; where it does not end, stops it.
    pub fn leave(self) -> ! {
        // SAFETY: the port belongs to that device or to nobody, and touches no memory.
        unsafe {
            asm!("out dx, eax", in("dx") PORT, in("eax") self as u32, options(nomem, nostack))
        };
        loop {
            // SAFETY: without interrupts the processor stops here for good.
            unsafe { asm!("hlt", options(nomem, nostack)) };
        }
    }
}
