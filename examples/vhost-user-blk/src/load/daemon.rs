//! Daemons as processes, and what they use.

use std::{
    fs,
    path::Path,
    process::{Child, Command},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::process::Pid;

/// A daemon that listens at a socket. It ends with this.
pub struct Daemon(Child);

impl Daemon {
    /// Starts it, and waits for the socket.
    pub fn start(mut command: Command, socket: &Path) -> Result<Self> {
        if socket.exists() {
            fs::remove_file(socket)?;
        }
        let name = command.get_program().to_string_lossy().into_owned();
        let mut daemon = Self(command.spawn().with_context(|| format!("cannot start {name}"))?);
        let end = Instant::now() + Duration::from_secs(10);
        while !socket.exists() {
            if let Some(status) = daemon.0.try_wait()? {
                bail!("{name} ended: {status}");
            }
            if Instant::now() > end {
                bail!("{name} does not listen at {}", socket.display());
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(daemon)
    }

    pub fn process(&self) -> Pid {
        Pid::from_child(&self.0)
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> Result<bool> {
        Ok(self.0.try_wait()?.is_none())
    }

    /// Time that it used of processors, of all its threads, its own and the kernel's for it.
    pub fn cpu_time(&self) -> Result<Duration> {
        let process = self.0.id().cast_signed();
        let mut clock = 0;
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `clock` is a variable of this function, which is written.
        let error = unsafe { libc::clock_getcpuclockid(process, &mut clock) };
        if error != 0 {
            bail!("clock of process {process}: error {error}");
        }
        // SAFETY: `time` is a variable of this function, which is written.
        if unsafe { libc::clock_gettime(clock, &mut time) } != 0 {
            return Err(std::io::Error::last_os_error()).context("clock_gettime");
        }
        Ok(Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
    }

    /// The most memory that it had, in bytes.
    pub fn peak_memory(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).context("no VmHWM")?;
        Ok(1024 * kib.parse::<u64>()?)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
