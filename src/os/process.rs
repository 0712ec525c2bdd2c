//! The memory of another process as user memory.

use core::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read as _};

use crate::direction::{Dest, Source};
use crate::host::{CopyFlags, Host, NoPage, UserMemory, page_and_offset};
use crate::memory::Piece;

/// The host whose user memory is that of another process on the same Linux machine.
///
/// ```
/// use iov_iter::{IovIter, Source};
/// use iov_iter::os::{Process, ProcessMemory};
///
/// // SAFETY: nothing is written.
/// let memory = unsafe { ProcessMemory::own() }.unwrap();
/// let secret = *b"in my own memory";
/// let address = secret.as_ptr().expose_provenance();
///
/// let mut iter = IovIter::<Source, Process>::ubuf(memory, address, secret.len());
/// let mut copy = [0; 16];
/// assert_eq!(iter.copy_from_iter(&mut copy), 16);
/// assert_eq!(copy, secret);
/// ```
///
/// Queries about pages count in units of 4096 bytes, whatever the page size of the machine; copies
/// are exact for any.
#[derive(Clone, Copy, Debug)]
pub enum Process {}

impl Host for Process {
    type Page = NoPage;
    type User = ProcessMemory;
}

/// The memory of a process, reached by `process_vm_readv` and `process_vm_writev`.
///
/// Copies are exact to the first byte that is unmapped or protected. The calling process needs the
/// right to trace the other one, which it has over its own children. A process that has ended, or
/// has become out of reach, looks as if nothing were mapped.
///
/// Safe code does not write the calling process's own memory through this: [`of`](Self::of) refuses all
/// numbers that name it, and each write checks again. Two ways remain, and neither is this type's to close:
///
/// - The number is given to this program between the check and the write. That needs a process that was
///   reaped in between, and all numbers used up once since then.
/// - The other process shares a mapping with this one (`MAP_SHARED`). Whoever made such a
///   mapping must expect any process that has it to write it; here this one makes the other write.
///
/// The system calls may always sleep, so [`CopyFlags::NOFAULT`] makes no difference here.
#[derive(Clone, Copy, Debug)]
pub struct ProcessMemory {
    /// `None` for the calling process.
    pid: Option<libc::pid_t>,
    page_size: usize,
    limit: usize,
}

/// Where the user's part of the address space ends, on this architecture.
const USER_LIMIT: usize = if cfg!(target_arch = "x86_64") {
    // 47 bits, less a guard page.
    0x7fff_ffff_f000_u64 as usize
} else if cfg!(target_pointer_width = "64") {
    isize::MAX as usize
} else {
    0xffff_e000
};

/// Remote pages of one system call.
const BATCH: usize = 64;

impl ProcessMemory {
    /// The memory of the process `pid`, which is not the calling one.
    ///
    /// Process numbers are reused: keep the process from being reaped while its memory is in use.
    ///
    /// # Errors
    ///
    /// If there is no such process, or its memory may not be accessed;
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if it is that of the calling process. That includes the
    /// numbers of its threads and, where the system has `kcmp` to tell, of processes that share its memory.
    pub fn of(pid: u32) -> io::Result<Self> {
        let pid = libc::pid_t::try_from(pid).map_err(|_| io::ErrorKind::InvalidInput)?;
        if is_own(pid) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        // Opening asks for the same right as the system calls do.
        open_proc(pid, "mem")?;
        Self::new(Some(pid))
    }

    /// The memory of the calling process.
    ///
    /// # Safety
    ///
    /// What is written through the handle, or a copy of it, must be memory that may be written through a raw
    /// pointer then: no reference in use covers it, no other thread accesses it, and no code of this program
    /// relies on what it holds. Reading is always sound.
    ///
    /// # Errors
    ///
    /// If the system's page size is not a power of two.
    pub unsafe fn own() -> io::Result<Self> {
        Self::new(None)
    }

    fn new(pid: Option<libc::pid_t>) -> io::Result<Self> {
        // SAFETY: sysconf reads a constant of the system.
        let page_size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        let page_size = usize::try_from(page_size).map_err(|_| io::Error::last_os_error())?;
        if !page_size.is_power_of_two() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        Ok(Self { pid, page_size, limit: USER_LIMIT })
    }

    /// The same memory with another end of the user's part of the address space, for processes
    /// with a smaller or larger one than is common on this architecture.
    #[must_use]
    pub const fn with_limit(self, limit: usize) -> Self {
        Self { limit, ..self }
    }

    /// The number of the process.
    fn pid(&self) -> libc::pid_t {
        // SAFETY: getpid only returns a number.
        self.pid.unwrap_or_else(|| unsafe { libc::getpid() })
    }

    /// Bytes from `addr` to the end of its page.
    fn rest_of_page(&self, addr: usize) -> usize {
        self.page_size.saturating_sub(page_and_offset(self.page_size, addr).1)
    }

    /// Moves bytes in batches of pages, in order, until one is out of reach; the bytes moved.
    ///
    /// The system call promises whole elements only, and a page is the unit of what can be out of
    /// reach.
    ///
    /// # Safety
    ///
    /// `call` must be `process_vm_readv` and `local` valid for writes of `len` bytes, or
    /// `process_vm_writev` and `local` valid for reads of `len` initialised bytes.
    unsafe fn transfer(
        &self,
        addr: usize,
        len: usize,
        local: *mut u8,
        call: unsafe extern "C" fn(
            libc::pid_t,
            *const libc::iovec,
            libc::c_ulong,
            *const libc::iovec,
            libc::c_ulong,
            libc::c_ulong,
        ) -> libc::ssize_t,
    ) -> usize {
        let mut done = 0usize;
        while done < len {
            let mut pages = heapless::Vec::<libc::iovec, BATCH>::new();
            let mut batch = 0usize;
            while let left @ 1.. = len.saturating_sub(done).saturating_sub(batch) {
                let Some(start) = addr.checked_add(done.saturating_add(batch)) else { break };
                let iov_len = self.rest_of_page(start).min(left);
                let iov_base = core::ptr::without_provenance_mut(start);
                if pages.push(libc::iovec { iov_base, iov_len }).is_err() {
                    break;
                }
                batch = batch.saturating_add(iov_len);
            }
            let here = libc::iovec { iov_base: local.wrapping_add(done).cast(), iov_len: batch };
            // SAFETY: `here` describes `batch` of the caller's `len` bytes, from `done` on, which are
            // valid for this call; the remote addresses are checked by the system; both arrays live
            // through the call and have the lengths given.
            let moved = unsafe {
                call(self.pid(), &here, 1, pages.as_ptr(), pages.len() as libc::c_ulong, 0)
            };
            let moved = usize::try_from(moved).unwrap_or(0).min(batch);
            done = done.saturating_add(moved);
            if moved == 0 || moved < batch {
                break;
            }
        }
        done
    }

    /// The bytes from `addr` on that lie in writable mappings without a gap, at most `len`.
    fn writable(&self, addr: usize, len: usize) -> io::Result<usize> {
        let mut reached = addr;
        let end = addr.saturating_add(len);
        for_each_mapping(open_proc(self.pid(), "maps")?, |mapping| {
            if mapping.end <= reached {
                return true;
            }
            if mapping.start > reached || !mapping.writable {
                return false;
            }
            reached = mapping.end;
            reached < end
        })?;
        Ok(reached.min(end).saturating_sub(addr))
    }
}

// SAFETY: `read` returns the bytes that process_vm_readv reported as written to the start of `dst`, which is
// never more than it was asked for. The system writes no others, and accesses the memory of the process on
// its own, whatever the address and whatever else runs. That writing the memory of this process is sound is
// the promise of whoever called `own`.
unsafe impl UserMemory for ProcessMemory {
    type Page = NoPage;

    fn access_ok(&self, addr: usize, len: usize) -> bool {
        addr.checked_add(len).is_some_and(|end| end <= self.limit)
    }

    unsafe fn read(&self, addr: usize, dst: Piece<'_, Dest>, _flags: CopyFlags) -> usize {
        // SAFETY: a destination is valid for writes of its length.
        unsafe { self.transfer(addr, dst.len(), dst.as_mut_ptr(), libc::process_vm_readv) }
    }

    unsafe fn write(&self, addr: usize, src: Piece<'_, Source>, _flags: CopyFlags) -> usize {
        // The process may have ended, and its number may be this program's by now.
        if self.pid.is_some_and(is_own) {
            return 0;
        }
        let local = src.as_ptr().cast_mut();
        // SAFETY: a source is valid for reads of its length, initialised, and only read.
        unsafe { self.transfer(addr, src.len(), local, libc::process_vm_writev) }
    }

    fn fault_in_readable(&self, addr: usize, len: usize) -> usize {
        let mut done = 0usize;
        while done < len {
            let Some(at) = addr.checked_add(done) else { break };
            let mut probe = [0; 1];
            let probe = Piece::from(&mut probe[..]);
            // SAFETY: the system checks the address.
            if unsafe { self.read(at, probe, CopyFlags::empty()) } == 0 {
                break;
            }
            done = done.saturating_add(self.rest_of_page(at)).min(len);
        }
        done
    }

    fn fault_in_writeable(&self, addr: usize, len: usize) -> usize {
        // A write would do it, but could undo one that the process makes at the same time.
        self.writable(addr, len).unwrap_or(0)
    }
}

/// Whether `pid` names the memory of this process: by its own number, that of one of its threads, or that of
/// a process that shares it, as between `vfork` and `exec`.
fn is_own(pid: libc::pid_t) -> bool {
    /// Of `enum kcmp_type` in `linux/kcmp.h`.
    const KCMP_VM: libc::c_int = 1;
    // SAFETY: getpid only returns a number.
    let own = unsafe { libc::getpid() };
    // SAFETY: kcmp compares two processes and takes numbers only.
    match unsafe { libc::syscall(libc::SYS_kcmp, own, pid, KCMP_VM, 0, 0) } {
        // SAFETY: signal 0 is not sent: the system only looks whether the process has such a thread.
        ..0 => unsafe { libc::syscall(libc::SYS_tgkill, own, pid, 0) == 0 },
        order => order == 0,
    }
}

fn open_proc(pid: libc::pid_t, file: &str) -> io::Result<File> {
    let mut path = heapless::String::<32>::new();
    write!(path, "/proc/{pid}/{file}").map_err(|_| io::ErrorKind::InvalidInput)?;
    File::open(path.as_str())
}

/// One line of `/proc/PID/maps`.
struct Mapping {
    start: usize,
    end: usize,
    writable: bool,
}

impl Mapping {
    /// Parses `start-end perms`, the front of a line.
    fn parse(line: &[u8]) -> Option<Self> {
        let mut words = core::str::from_utf8(line).ok()?.split(' ');
        let (start, end) = words.next()?.split_once('-')?;
        Some(Self {
            start: usize::from_str_radix(start, 16).ok()?,
            end: usize::from_str_radix(end, 16).ok()?,
            writable: words.next()?.as_bytes().get(1) == Some(&b'w'),
        })
    }
}

/// Calls `f` with each mapping in order of address until it returns false.
fn for_each_mapping(mut maps: File, mut f: impl FnMut(Mapping) -> bool) -> io::Result<()> {
    // The front of a line has all that counts; no allocation for the rest.
    let mut line = heapless::Vec::<u8, 48>::new();
    let mut buffer = [0; 4096];
    loop {
        let read = maps.read(&mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        for byte in buffer.iter().take(read) {
            if *byte != b'\n' {
                // What does not fit is not looked at.
                let _ = line.push(*byte);
            } else {
                if Mapping::parse(&line).is_some_and(|mapping| !f(mapping)) {
                    return Ok(());
                }
                line.clear();
            }
        }
    }
}
