//! Reads and writes the memory of another process through an array of segments that lies there.
//!
//! A kernel does this in `readv` and `writev`: a process names ranges of its own memory, and the
//! kernel moves bytes in and out of them until it meets one that is not mapped. Here two ordinary
//! processes play the parts.
//!
//! Run it with `cargo run --features std --example readv`.

#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    match std::env::args().nth(1).as_deref() {
        Some(owner::ARGUMENT) => owner::run(),
        _ => kernel::run(),
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("This example reads the memory of another process, which it can do on Linux only.");
}

/// The byte that the owner of the memory puts at an offset, and the one the other side writes back.
#[cfg(target_os = "linux")]
mod pattern {
    pub fn original(offset: usize) -> u8 {
        (offset % 251) as u8
    }

    pub fn answer(progress: usize) -> u8 {
        !(progress % 241) as u8
    }
}

/// The process that plays the kernel.
#[cfg(target_os = "linux")]
mod kernel {
    use std::error::Error;
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Command, Stdio};

    use iov_iter::os::{Process, ProcessMemory};
    use iov_iter::{Abi, Dest, InlineVec, IovIter, Source};

    use crate::{owner, pattern};

    pub fn run() -> Result<(), Box<dyn Error>> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(owner::ARGUMENT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut from_child = BufReader::new(child.stdout.take().ok_or("no pipe")?).lines();
        let mut to_child = child.stdin.take().ok_or("no pipe")?;
        let mut ask =
            || from_child.next().unwrap_or_else(|| Err(std::io::ErrorKind::UnexpectedEof.into()));

        println!("Process {} is started as the owner of some memory.", child.id());
        let layout = owner::Layout::parse(&ask()?)?;
        println!("It has mapped five pages and unmapped the middle one again:\n");
        layout.draw();
        println!(
            "\nIts own memory also holds, at {:#x}, the {} segments (struct iovec) that it would\n\
             pass to readv or writev.\n",
            layout.array, layout.segments
        );

        let memory = ProcessMemory::of(child.id())?;
        let mut storage: InlineVec<_, 8> = InlineVec::new();
        let mut iter: IovIter<Source, Process> = IovIter::import_iovec(
            memory,
            layout.array,
            layout.segments,
            Abi::Native,
            &mut storage,
        )?;
        println!("1. Import the array, by its address: {} bytes in all.", iter.remaining());

        let mut bytes = vec![0; iter.remaining()];
        let read = iter.copy_from_iter(&mut bytes);
        let fault = iter.user_segment().ok_or("nothing faulted")?;
        println!(
            "2. Read through IovIter<Source>: {read} bytes came, then a fault at {:#x},\n   \
             {} bytes before the end.",
            fault.base,
            iter.remaining(),
        );
        let expected = (0..layout.readable()).map(|at| pattern::original(layout.offset_of(at)));
        check("   Their number is that of the bytes before the hole", read == layout.readable())?;
        check("   The fault is at the first byte of the hole", fault.base == layout.hole)?;
        check(
            "   Every byte is what the owner put there",
            bytes.iter().copied().take(read).eq(expected),
        )?;
        let again = iter.copy_from_iter(&mut [0; 1]);
        check("   Trying again moves nothing", again == 0)?;
        check(
            "   Faulting in says that nothing is within reach",
            iter.fault_in_readable(iter.remaining()) == iter.remaining(),
        )?;

        let mut iter: IovIter<Dest, Process> = IovIter::import_iovec(
            memory,
            layout.array,
            layout.segments,
            Abi::Native,
            &mut storage,
        )?;
        let answer: Vec<u8> = (0..iter.remaining()).map(pattern::answer).collect();
        let written = iter.copy_to_iter(&answer);
        println!("3. Write back through IovIter<Dest>: {written} bytes went, then the same fault.");
        check("   As many as were read", written == read)?;

        println!("4. Ask process {} what arrived.", child.id());
        writeln!(to_child, "{written}")?;
        println!("   It says: {}", ask()?);
        let status = child.wait()?;
        check("   It found every byte in its place, and no other changed", status.success())
    }

    fn check(what: &str, holds: bool) -> Result<(), Box<dyn Error>> {
        println!("{what}: {}.", if holds { "yes" } else { "NO" });
        if holds { Ok(()) } else { Err("the example did not do what it should".into()) }
    }
}

/// The process that owns the memory.
#[cfg(target_os = "linux")]
mod owner {
    use std::error::Error;
    use std::hint::black_box;
    use std::io::stdin;
    use std::ptr;

    use crate::pattern;

    pub const ARGUMENT: &str = "--own-memory";
    const PAGES: usize = 5;
    const HOLE: usize = 2;

    /// Offset in the mapping and length of each segment, in pages and bytes.
    fn segments(page: usize) -> [(usize, usize); 4] {
        [
            // The last 100 bytes of page 0.
            (page - 100, 100),
            // Empty: it names an address that is not mapped, and must not matter.
            (HOLE * page, 0),
            // From the middle of page 1 into the hole: it faults half-way.
            (page + page / 2, page),
            // Behind the hole; out of reach, because bytes move in order.
            (3 * page, page),
        ]
    }

    /// Where everything lies, as one process tells the other.
    pub struct Layout {
        base: usize,
        page: usize,
        pub array: usize,
        pub segments: usize,
        pub hole: usize,
    }

    impl Layout {
        pub fn parse(line: &str) -> Result<Self, Box<dyn Error>> {
            let mut numbers = line.split(' ').map(|word| usize::from_str_radix(word, 16));
            let mut next =
                || numbers.next().ok_or("too few numbers")?.map_err(Box::<dyn Error>::from);
            let (base, page, array) = (next()?, next()?, next()?);
            Ok(Self { base, page, array, segments: segments(page).len(), hole: base + HOLE * page })
        }

        /// Bytes of the segments before the hole.
        pub fn readable(&self) -> usize {
            100 + self.page / 2
        }

        /// The offset in the mapping of the byte at `progress` of the segments.
        pub fn offset_of(&self, progress: usize) -> usize {
            let [(first, len), _, (second, _), _] = segments(self.page);
            if progress < len { first + progress } else { second + progress - len }
        }

        pub fn draw(&self) {
            println!("   page     0        1        2        3        4");
            println!("        ┌────────┬────────┐        ┌────────┬────────┐");
            println!("        │       ▒│    ▓▓▓▓│▓▓▓▓    │░░░░░░░░│        │");
            println!("        └────────┴────────┘        └────────┴────────┘");
            println!("        {:<18}{:#x}", format!("{:#x}", self.base), self.hole);
            println!("        ▒ segment 0   ▓ segment 2, half of it in the hole   ░ segment 3");
        }
    }

    pub fn run() -> Result<(), Box<dyn Error>> {
        // SAFETY: sysconf reads a constant of the system.
        let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) })?;
        let base = map(page)?;
        let each_byte = || (0..PAGES * page).filter(|at| at / page != HOLE);
        for at in each_byte() {
            // SAFETY: `at` lies in a page that is mapped, readable and writable.
            unsafe { base.add(at).write_volatile(pattern::original(at)) };
        }
        let array = segments(page)
            .map(|(at, len)| libc::iovec { iov_base: base.wrapping_add(at).cast(), iov_len: len });
        // Only the other process reads it.
        let array = black_box(&array);
        println!("{:x} {page:x} {:x}", base.addr(), array.as_ptr().addr());

        let mut line = String::new();
        stdin().read_line(&mut line)?;
        let written: usize = line.trim().parse()?;
        let layout = Layout::parse(&format!("{:x} {page:x} 0", base.addr()))?;
        let mut expected: Vec<u8> = (0..PAGES * page).map(pattern::original).collect();
        for progress in 0..written {
            expected[layout.offset_of(progress)] = pattern::answer(progress);
        }
        let wrong = each_byte().find(|at| {
            // SAFETY: as above; the other process writes only while this one waits for its line.
            unsafe { base.add(*at).read_volatile() != expected[*at] }
        });
        match wrong {
            None => println!("{written} bytes arrived, and every other byte is as I left it"),
            Some(at) => println!("the byte at offset {at:#x} is wrong"),
        }
        black_box(array);
        std::process::exit(i32::from(wrong.is_some()));
    }

    /// Maps the pages and unmaps the hole.
    fn map(page: usize) -> Result<*mut u8, Box<dyn Error>> {
        let (read_write, private) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping at an address that the system chooses touches nothing.
        let base = unsafe { libc::mmap(ptr::null_mut(), PAGES * page, read_write, private, -1, 0) };
        if base == libc::MAP_FAILED {
            return Err(std::io::Error::last_os_error().into());
        }
        let base = base.cast::<u8>();
        // SAFETY: the page is part of that mapping, and nothing uses it.
        if unsafe { libc::munmap(base.add(HOLE * page).cast(), page) } != 0 {
            return Err(std::io::Error::last_os_error().into());
        }
        Ok(base)
    }
}
