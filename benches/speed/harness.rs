//! Measures the variants of a case against each other, in turns.
//!
//! ```text
//!   round 1   [ ours ][ limit ][ alternative ]     each box: a batch of some 40 us
//!   round 2   [ ours ][ limit ][ alternative ]
//!     ...                                          the fastest batch of each counts
//! ```
//!
//! What disturbs the machine disturbs all variants alike, and the fastest batch was disturbed least:
//! so ratios hold where times do not.

use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::memory::Memory;
use crate::record::{Record, Targets, Unit};

/// The time that a batch of runs takes.
const BATCH: Duration = Duration::from_micros(40);
/// However slow a case is, so many rounds are measured.
const ROUNDS: usize = 30;

/// What to do with each case.
pub struct Suite {
    pub mode: Mode,
    /// Cases whose group or name contains one of these are run; all, if there are none.
    pub filters: Vec<String>,
    pub records: Vec<Record>,
    group: &'static str,
    /// Cases whose variants disagreed.
    pub failures: Vec<String>,
}

#[derive(Clone, PartialEq, Eq)]
pub enum Mode {
    /// Each variant runs once, and all must have moved the same bytes.
    Test,
    /// Each case is measured for so long.
    Measure { each: Duration, full: bool },
    /// One variant runs so many times, for a profiler to look at.
    Repeat { variant: String, times: u64 },
    /// Ours and the limit run [`COUNTED`] times each in a function of that name.
    Count,
}

/// How often a run is counted: the first ones fill buffers and look up what the processor can do.
const COUNTED: u64 = 16;

/// Runs one variant, for a tool that counts the instructions of this function.
#[unsafe(no_mangle)]
#[inline(never)]
fn counted_runs(batch: &mut dyn FnMut(u64) -> u64) -> u64 {
    batch(COUNTED)
}

/// One case: what is done, by whom, and what it must not exceed.
pub struct Case<'c> {
    group: &'static str,
    name: String,
    unit: Unit,
    targets: Targets,
    in_readme: bool,
    output: Option<&'c Memory>,
    variants: Vec<Variant<'c>>,
}

struct Variant<'c> {
    name: &'static str,
    /// Runs so many times, and returns the answer of the last run.
    batch: Box<dyn FnMut(u64) -> u64 + 'c>,
}

impl Suite {
    pub fn new(mode: Mode, filters: Vec<String>) -> Self {
        Self { mode, filters, records: Vec::new(), group: "", failures: Vec::new() }
    }

    /// What follows belongs to this group.
    pub const fn group(&mut self, group: &'static str) {
        self.group = group;
    }

    /// Bytes for a case that is to leave every cache.
    pub const fn far(&self) -> usize {
        match self.mode {
            Mode::Test | Mode::Repeat { .. } => 2 << 20,
            Mode::Count => 0,
            Mode::Measure { .. } => 96 << 20,
        }
    }

    /// Begins a case, unless it is not wanted.
    pub fn case<'c>(&self, name: impl Into<String>) -> Option<Case<'c>> {
        let name = name.into();
        let full = format!("{}: {name}", self.group);
        // A profiler looks at one case, and a part of its name may be that of another.
        let one = matches!(self.mode, Mode::Repeat { .. });
        let wanted = self.filters.is_empty()
            || self
                .filters
                .iter()
                .any(|f| if one { full == *f } else { full.contains(f.as_str()) });
        // What leaves the caches is slow for another reason than its instructions.
        let far = ["out of cache", "MiB"].iter().any(|words| full.contains(words));
        let wanted = wanted && !(far && self.mode == Mode::Count);
        wanted.then(|| Case {
            group: self.group,
            name,
            unit: Unit::Nanoseconds { per: 1.0, of: "" },
            targets: Targets::default(),
            in_readme: false,
            output: None,
            variants: Vec::new(),
        })
    }

    fn compare(&mut self, case: &mut Case) {
        let mut first = None;
        for variant in &mut case.variants {
            if let Some(output) = case.output {
                output.fill(0xee);
            }
            let outcome = ((variant.batch)(1), case.output.map(Memory::digest));
            let expected = *first.get_or_insert(outcome);
            if outcome != expected {
                let (group, name, who) = (case.group, &case.name, variant.name);
                self.failures
                    .push(format!("{group}: {name}: {who} gives {outcome:x?}, not {expected:x?}"));
            }
        }
        println!("{}: {}: {} variants", case.group, case.name, case.variants.len());
    }
}

impl<'c> Case<'c> {
    /// Times are shown as bytes per second; a run moves so many bytes.
    pub fn bytes(mut self, bytes: usize) -> Self {
        self.unit = Unit::Bytes(bytes as f64);
        self
    }

    /// Times are shown as nanoseconds for each of the `per` things that a run does.
    pub fn per(mut self, per: usize, of: &'static str) -> Self {
        self.unit = Unit::Nanoseconds { per: per as f64, of };
        self
    }

    /// The memory that the variants write: all of them must leave the same bytes there.
    pub fn output(mut self, memory: &'c Memory) -> Self {
        self.output = Some(memory);
        self
    }

    /// The same case for variants that borrow something else.
    pub fn reborn<'d>(self) -> Case<'d> {
        let Self { group, name, unit, targets, in_readme, .. } = self;
        Case { group, name, unit, targets, in_readme, output: None, variants: Vec::new() }
    }

    /// Ours must take at most so many times what the limit takes.
    pub fn of_limit(mut self, ratio: f64) -> Self {
        self.targets.of_limit = Some(ratio);
        self
    }

    /// Ours must take at most so many nanoseconds for each thing.
    pub fn within(mut self, nanoseconds: f64) -> Self {
        self.targets.nanoseconds = Some(nanoseconds);
        self
    }

    /// Ours must take at most so many times what the fastest alternative takes, instead of being
    /// no slower than it.
    pub fn of_alternative(mut self, ratio: f64) -> Self {
        self.targets.of_alternative = ratio;
        self
    }

    /// The case is one of the few that the README shows.
    pub fn in_readme(mut self, shown: bool) -> Self {
        self.in_readme = shown;
        self
    }

    /// What this crate does. Its result, and that of the others, is the answer: it is the same
    /// for all.
    pub fn ours(self, run: impl FnMut() -> u64 + 'c) -> Self {
        self.variant("iov_iter", run)
    }

    /// What cannot be beaten, or only with tricks. Comes second.
    pub fn limit(self, name: &'static str, run: impl FnMut() -> u64 + 'c) -> Self {
        assert_eq!(self.variants.len(), 1, "the limit follows ours");
        self.variant(name, run)
    }

    /// What others would use. Any number may follow the limit.
    pub fn alternative(self, name: &'static str, run: impl FnMut() -> u64 + 'c) -> Self {
        assert!(self.variants.len() > 1, "an alternative follows the limit");
        self.variant(name, run)
    }

    fn variant(mut self, name: &'static str, mut run: impl FnMut() -> u64 + 'c) -> Self {
        let batch = Box::new(move |times| {
            let mut answer = 0;
            for _ in 0..times {
                answer = black_box(run());
            }
            answer
        });
        self.variants.push(Variant { name, batch });
        self
    }

    /// Measures, or compares what the variants do.
    pub fn finish(mut self, suite: &mut Suite) {
        let each = match &suite.mode {
            Mode::Test => return suite.compare(&mut self),
            Mode::Measure { each, .. } => *each,
            Mode::Repeat { variant, times } => {
                let chosen = self.variants.iter_mut().filter(|v| v.name.starts_with(variant));
                chosen.for_each(|variant| {
                    black_box((variant.batch)(*times));
                });
                return;
            }
            Mode::Count => {
                for variant in self.variants.iter_mut().take(2) {
                    black_box((variant.batch)(COUNTED));
                    black_box(counted_runs(&mut variant.batch));
                    println!("{}: {}\t{}", self.group, self.name, variant.name);
                }
                return;
            }
        };
        let times: Vec<u64> = self.variants.iter_mut().map(calibrate).collect();
        let mut best = vec![f64::INFINITY; self.variants.len()];
        let start = Instant::now();
        let mut rounds = 0;
        while rounds < ROUNDS || start.elapsed() < each {
            for ((variant, times), best) in self.variants.iter_mut().zip(&times).zip(&mut best) {
                *best = best.min(measure(variant, *times).as_nanos() as f64 / *times as f64);
            }
            rounds += 1;
        }
        let timed: Vec<_> = self.variants.iter().map(|v| v.name).zip(best).collect();
        let record = Record {
            group: self.group,
            name: self.name,
            unit: self.unit,
            targets: self.targets,
            in_readme: self.in_readme,
            ours: timed[0].1,
            limit: timed[1],
            alternatives: timed[2..].to_vec(),
        };
        eprintln!("{}", record.line());
        suite.records.push(record);
    }
}

/// The number of runs that fill a batch; warms up on the way.
fn calibrate(variant: &mut Variant) -> u64 {
    let mut times = 1;
    loop {
        let took = measure(variant, times);
        if took >= BATCH {
            return times;
        }
        let missing = BATCH.as_nanos() as f64 / took.as_nanos().max(1) as f64;
        times = (times as f64 * missing.clamp(1.2, 10.0)).ceil() as u64;
    }
}

fn measure(variant: &mut Variant, times: u64) -> Duration {
    let start = Instant::now();
    black_box((variant.batch)(times));
    start.elapsed()
}
