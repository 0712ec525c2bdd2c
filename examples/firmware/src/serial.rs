//! The serial port that everything is printed to.

use core::fmt;

use uart_16550::backend::PioBackend;
use uart_16550::{Config, Uart16550};

/// The first serial port of a PC.
const PORT: u16 = 0x3f8;

/// A serial port to write text to.
pub struct Serial(Option<Uart16550<PioBackend>>);

impl Serial {
    /// Sets the port up. Where there is none, text goes nowhere.
    pub fn open() -> Self {
        // SAFETY: these eight ports belong to the serial port of a PC and to nothing else, and
        // accesses do not touch memory. One thread runs, and only a panic opens the port again,
        // after which nobody uses this one.
        let port = unsafe { Uart16550::new_port(PORT) };
        Self(port.ok().and_then(|mut port| port.init(Config::default()).ok().map(|()| port)))
    }

    /// Writes a line.
    pub fn line(&mut self, text: fmt::Arguments<'_>) {
        // Writing never fails.
        let _ = fmt::write(self, text);
        let _ = fmt::Write::write_str(self, "\n");
    }
}

impl fmt::Write for Serial {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if let Some(port) = &mut self.0 {
            port.send_bytes_exact(text.as_bytes());
        }
        Ok(())
    }
}
