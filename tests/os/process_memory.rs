//! User memory of a real process: this one, with pages that are mapped, unmapped and protected.

#![cfg(all(feature = "std", target_os = "linux", not(miri)))]

use iov_iter::os::{Process, ProcessMemory};
use iov_iter::{Abi, Dest, Error, InlineVec, IoVec, IovIter, Source, UserMemory};

/// Pages of this process that can be unmapped and protected one by one.
struct Pages {
    base: *mut u8,
    count: usize,
}

fn page_size() -> usize {
    // SAFETY: sysconf reads a constant of the system.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap()
}

fn pattern(at: usize) -> u8 {
    (at % 251) as u8
}

impl Pages {
    /// `count` readable and writable pages, filled with the pattern.
    fn new(count: usize) -> Self {
        // SAFETY: a new mapping at an address that the system chooses touches nothing.
        let base = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                count * page_size(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        assert_ne!(base, libc::MAP_FAILED);
        let pages = Self { base: base.cast(), count };
        for at in 0..count * page_size() {
            // SAFETY: inside the mapping.
            unsafe { pages.base.add(at).write_volatile(pattern(at)) };
        }
        pages
    }

    fn address(&self, at: usize) -> usize {
        self.base.addr() + at
    }

    fn byte(&self, at: usize) -> u8 {
        // SAFETY: callers name bytes of readable pages.
        unsafe { self.base.add(at).read_volatile() }
    }

    /// Makes a page a hole. It stays reserved: another test could map something there.
    fn unmap(&self, page: usize) {
        self.protect(page, libc::PROT_NONE);
    }

    fn protect(&self, page: usize, protection: i32) {
        // SAFETY: a page of the mapping, which nothing refers to.
        let done = unsafe {
            libc::mprotect(self.base.add(page * page_size()).cast(), page_size(), protection)
        };
        assert_eq!(done, 0);
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's own, and nothing refers to it.
        unsafe { libc::munmap(self.base.cast(), self.count * page_size()) };
    }
}

fn own_memory() -> ProcessMemory {
    // SAFETY: the tests only write `Pages`, which nothing refers to.
    unsafe { ProcessMemory::own() }.unwrap()
}

fn reader<'a>(address: usize, len: usize) -> IovIter<'a, Source, Process> {
    IovIter::ubuf(own_memory(), address, len)
}

fn writer<'a>(address: usize, len: usize) -> IovIter<'a, Dest, Process> {
    IovIter::ubuf(own_memory(), address, len)
}

#[test]
fn reads_stop_at_the_first_unmapped_byte_wherever_they_start() {
    let page = page_size();
    let pages = Pages::new(3);
    pages.unmap(2);
    for start in (0..2 * page).step_by(997).chain(2 * page - 3..2 * page) {
        let mut iter = reader(pages.address(start), 3 * page - start);
        let mut bytes = vec![0xee; 3 * page];
        let read = iter.copy_from_iter(&mut bytes);
        assert_eq!(read, 2 * page - start);
        assert!(bytes[..read].iter().enumerate().all(|(at, byte)| *byte == pattern(start + at)));
        assert!(bytes[read..].iter().all(|byte| *byte == 0xee));
        assert_eq!(iter.user_segment().unwrap().base, pages.address(2 * page));
        assert_eq!(iter.copy_from_iter(&mut bytes), 0);
    }
}

#[test]
fn reads_of_more_pages_than_one_system_call_takes_are_exact() {
    let page = page_size();
    for hole in [1, 63, 64, 65, 127, 128, 150] {
        let pages = Pages::new(160);
        pages.unmap(hole);
        let start = 123;
        let mut bytes = vec![0; 160 * page];
        let read = reader(pages.address(start), 160 * page - start).copy_from_iter(&mut bytes);
        assert_eq!(read, hole * page - start);
        assert!(bytes[..read].iter().enumerate().all(|(at, byte)| *byte == pattern(start + at)));
    }
}

#[test]
fn a_protected_page_ends_reads_and_a_read_only_page_ends_writes() {
    let page = page_size();
    let pages = Pages::new(3);
    pages.protect(1, libc::PROT_NONE);
    let mut bytes = vec![0; 3 * page];
    assert_eq!(reader(pages.address(10), 2 * page).copy_from_iter(&mut bytes), page - 10);
    pages.protect(1, libc::PROT_READ);
    assert_eq!(reader(pages.address(10), 2 * page).copy_from_iter(&mut bytes), 2 * page);

    let ones = vec![1; 2 * page];
    let mut iter = writer(pages.address(10), 2 * page);
    assert_eq!(iter.copy_to_iter(&ones), page - 10);
    assert_eq!(iter.remaining(), page + 10);
    assert!((10..page).all(|at| pages.byte(at) == 1));
    assert!((page..2 * page).all(|at| pages.byte(at) == pattern(at)));
    assert_eq!(writer(pages.address(0), 2 * page).zero(2 * page), page);
    assert!((0..page).all(|at| pages.byte(at) == 0));
}

#[test]
fn all_or_nothing_copies_do_not_move_on_a_fault() {
    let page = page_size();
    let pages = Pages::new(2);
    pages.unmap(1);
    let mut iter = reader(pages.address(page - 8), 16);
    assert_eq!(iter.read_be::<u128>(), Err(Error::Fault));
    assert_eq!(iter.remaining(), 16);
    let expected = u64::from_be_bytes(std::array::from_fn(|at| pattern(page - 8 + at)));
    assert_eq!(iter.read_be::<u64>(), Ok(expected));
}

#[test]
fn faulting_in_counts_what_is_out_of_reach_and_changes_nothing() {
    let page = page_size();
    let pages = Pages::new(4);
    pages.protect(2, libc::PROT_READ);
    pages.unmap(3);
    let len = 4 * page - 7;
    assert_eq!(reader(pages.address(7), len).fault_in_readable(len), page);
    assert_eq!(writer(pages.address(7), len).fault_in_writeable(len), 2 * page);
    assert_eq!(writer(pages.address(7), 2 * page - 7).fault_in_writeable(2 * page - 7), 0);
    assert_eq!(writer(pages.address(3 * page), 5).fault_in_writeable(5), 5);
    assert!((0..3 * page).all(|at| pages.byte(at) == pattern(at)));
}

#[test]
fn the_range_check_covers_the_user_part_of_the_address_space() {
    let memory = own_memory();
    assert!(memory.access_ok(0, 0));
    assert!(!memory.access_ok(usize::MAX, 2));
    assert!(!memory.access_ok(usize::MAX - 4096, 4096));
    let small = memory.with_limit(0x1000);
    assert!(small.access_ok(0xff0, 0x10));
    assert!(!small.access_ok(0xff0, 0x11));
    assert_eq!(
        IovIter::<Source, Process>::import_ubuf(small, 0xff0, 0x11).unwrap_err(),
        Error::Fault
    );
}

#[test]
fn an_array_in_real_memory_is_imported_and_bad_ones_are_refused() {
    let pages = Pages::new(2);
    pages.unmap(1);
    let array = [IoVec::new(pages.address(0), 3), IoVec::new(pages.address(9), 4)];
    let array = std::hint::black_box(&array);
    let mut storage = InlineVec::<IoVec, 8>::new();
    let mut import = |address, count| {
        IovIter::<Source, Process>::import_iovec(
            own_memory(),
            address,
            count,
            Abi::Native,
            &mut storage,
        )
        .map(|mut iter| {
            let mut bytes = vec![0; iter.remaining()];
            iter.copy_from_iter_full(&mut bytes).unwrap();
            bytes
        })
    };
    let address = array.as_ptr().expose_provenance();
    assert_eq!(import(address, 2), Ok(vec![0, 1, 2, 9, 10, 11, 12]));
    assert_eq!(import(address, 1), Ok(vec![0, 1, 2]));
    assert_eq!(import(address, 0), Ok(vec![]));
    assert_eq!(import(address, 1025), Err(Error::TooManySegments));
    assert_eq!(import(pages.address(page_size()), 2), Err(Error::Fault));
    assert_eq!(import(usize::MAX - 100, 2), Err(Error::Fault));
}

#[test]
fn numbers_that_name_the_memory_of_this_program_are_refused() {
    // SAFETY: gettid only returns a number.
    let gettid = || u32::try_from(unsafe { libc::gettid() }).unwrap();
    let (send, receive) = std::sync::mpsc::channel();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        send.send(gettid()).unwrap();
        let _ = stopped.recv();
    });
    let sharing = sharing_process();
    for number in [std::process::id(), gettid(), receive.recv().unwrap(), sharing.pid] {
        let error = ProcessMemory::of(number).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput, "{number}");
    }
    drop((stop, sharing));
    thread.join().unwrap();
}

/// A process that shares the memory of this one, and ends before this value.
struct Child {
    pid: u32,
    /// What it runs on.
    _stack: Box<[u8]>,
}

impl Drop for Child {
    fn drop(&mut self) {
        // SAFETY: the child is not reaped yet, and nobody else waits for it.
        unsafe {
            libc::kill(self.pid as libc::pid_t, libc::SIGKILL);
            libc::waitpid(self.pid as libc::pid_t, std::ptr::null_mut(), 0);
        }
    }
}

/// A process that shares the memory of this one, as between `vfork` and `exec`.
fn sharing_process() -> Child {
    extern "C" fn sleep(_: *mut libc::c_void) -> libc::c_int {
        loop {
            // SAFETY: waiting for signals touches no memory.
            unsafe { libc::pause() };
        }
    }
    let mut stack = vec![0_u8; 64 * 1024].into_boxed_slice();
    let top = stack.as_mut_ptr_range().end;
    let flags = libc::CLONE_VM | libc::SIGCHLD;
    // SAFETY: the stack is freed when the process has ended, which only waits on it.
    let pid = unsafe { libc::clone(sleep, top.cast(), flags, std::ptr::null_mut()) };
    Child { pid: u32::try_from(pid).unwrap(), _stack: stack }
}

#[test]
fn number_that_has_become_the_calling_process_is_refused_by_each_write() {
    /// What parent and child share.
    struct Shared {
        memory: std::cell::UnsafeCell<Option<ProcessMemory>>,
        ready: std::sync::atomic::AtomicBool,
    }

    // SAFETY: a new mapping at an address that the system chooses touches nothing.
    let shared = unsafe {
        let prot = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
        libc::mmap(std::ptr::null_mut(), size_of::<Shared>(), prot, flags, -1, 0)
    };
    assert_ne!(shared, libc::MAP_FAILED);
    let shared: *mut Shared = shared.cast();
    // SAFETY: the mapping is large enough, and aligned to a page.
    let shared = unsafe {
        shared.write(Shared { memory: None.into(), ready: false.into() });
        &*shared
    };
    let pages = Pages::new(1);
    // SAFETY: the child calls the system and nothing else: it allocates and locks nothing.
    match unsafe { libc::fork() } {
        0 => {
            // SAFETY: the child ends if the thread of the test does.
            unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
            while !shared.ready.load(std::sync::atomic::Ordering::Acquire) {
                // SAFETY: waiting touches no memory.
                unsafe { libc::usleep(1000) };
            }
            // SAFETY: the parent wrote it before, and does not any more.
            let memory = unsafe { *shared.memory.get() };
            // The number in it is the child's own.
            let code = memory.map_or(2, |memory| {
                let mut to = IovIter::<Dest, Process>::ubuf(memory, pages.address(0), 3);
                let mut from = IovIter::<Source, Process>::ubuf(memory, pages.address(0), 3);
                let (zeroed, written) = (to.zero(3), to.copy_to_iter(b"own"));
                let read = from.copy_from_iter(&mut [0; 3]);
                i32::from((zeroed, written, read, pages.byte(1)) != (0, 0, 3, pattern(1)))
            });
            // SAFETY: ends the child without running what the parent registered.
            unsafe { libc::_exit(code) }
        }
        child => {
            // The process is the child of this one, with memory of its own.
            let memory = ProcessMemory::of(u32::try_from(child).unwrap()).unwrap();
            let mut to = IovIter::<Dest, Process>::ubuf(memory, pages.address(0), 1);
            assert_eq!((to.copy_to_iter(b"!"), pages.byte(0)), (1, pattern(0)));
            // SAFETY: the child does not read it before `ready`.
            unsafe { *shared.memory.get() = Some(memory) };
            shared.ready.store(true, std::sync::atomic::Ordering::Release);
            let mut status = 0;
            // SAFETY: the child was not waited for yet.
            assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
            assert_eq!(status, 0);
        }
    }
}

#[test]
fn a_process_that_is_gone_or_never_was_has_no_memory() {
    assert!(ProcessMemory::of(u32::MAX).is_err());
    let mut child = std::process::Command::new("true").spawn().unwrap();
    let pid = child.id();
    child.wait().unwrap();
    assert!(ProcessMemory::of(pid).is_err());
}

#[test]
fn errors_are_those_of_the_system() {
    let system = |error: Error| std::io::Error::from(error).raw_os_error();
    assert_eq!(system(Error::Fault), Some(libc::EFAULT));
    assert_eq!(system(Error::NoMemory), Some(libc::ENOMEM));
    assert_eq!(system(Error::NoScatterList), Some(libc::EIO));
    assert_eq!(system(Error::TooManySegments), Some(libc::EINVAL));
    let refused = iov_iter::iov::Error::NoMemory;
    assert_eq!(std::io::Error::from(refused).raw_os_error(), Some(libc::ENOMEM));
}
