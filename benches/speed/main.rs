//! How fast the crate is: beside the limit of the machine, and beside what others would use.
//!
//! ```text
//! cargo bench --manifest-path benches/Cargo.toml                     the whole table
//! cargo bench --manifest-path benches/Cargo.toml -- FILTER...        some cases
//! cargo bench --manifest-path benches/Cargo.toml -- --test           all variants do the same?
//! benches/placements --markdown --svg ../docs/speed.svg              what the README shows
//! ```
//!
//! Every case has three sides. The *limit* is a bare loop of memcpy (or of whatever the case is about)
//! over a list of pointers and lengths. *Ours* works on the same list, the *alternatives*, other crates
//! and the standard library, on what they make of it. All have their lists, iterators and slices before;
//! what making an iterator takes, with the check that the segments hold the count, is a case of its own.
//!
//! Where the linker puts a loop makes it up to half as slow again. `benches/placements` measures
//! several builds that differ in nothing else, and shows the best figure of each side.

mod cases;
mod harness;
mod hosts;
mod memory;
mod plot;
mod record;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use harness::{Mode, Suite};

const USAGE: &str = include_str!("usage.txt");

struct Options {
    mode: Mode,
    filters: Vec<String>,
    markdown: bool,
    json: Option<PathBuf>,
    best_of: Vec<PathBuf>,
    svg: Option<PathBuf>,
}

fn options() -> Result<Option<Options>, lexopt::Error> {
    use lexopt::prelude::*;
    let (mut test, mut count, mut each, mut full, mut repeat) = (false, false, 600, false, None);
    let (mut filters, mut markdown, mut json, mut svg) = (Vec::new(), false, None, None);
    let mut best_of = Vec::new();
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("test") => test = true,
            Long("count") => count = true,
            Long("each") => each = parser.value()?.parse()?,
            Long("full") => full = true,
            Long("repeat") => {
                let times = parser.value()?.parse()?;
                repeat = Some(Mode::Repeat { times, variant: parser.value()?.string()? });
            }
            Long("markdown") => markdown = true,
            Long("json") => json = Some(parser.value()?.into()),
            Long("best-of") => best_of.push(parser.value()?.into()),
            Long("svg") => svg = Some(parser.value()?.into()),
            // What cargo adds.
            Long("bench") => {}
            Long("help") | Short('h') => return Ok(None),
            Value(filter) => filters.push(filter.string()?),
            _ => return Err(argument.unexpected()),
        }
    }
    let measure = Mode::Measure { each: Duration::from_millis(each), full };
    let mode = match (test, count) {
        (true, _) => Mode::Test,
        (_, true) => Mode::Count,
        _ => repeat.unwrap_or(measure),
    };
    Ok(Some(Options { mode, filters, markdown, json, best_of, svg }))
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("{error}\n\n{USAGE}");
            return ExitCode::FAILURE;
        }
    };
    match run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> Result<(), String> {
    let mut suite = Suite::new(options.mode, options.filters);
    cases::all(&mut suite);
    if !matches!(suite.mode, Mode::Measure { .. }) {
        return match suite.failures.as_slice() {
            [] => Ok(()),
            failures => Err(failures.join("\n")),
        };
    }
    if suite.records.is_empty() {
        return Err("no case has such a name".into());
    }
    let failed = |file: &PathBuf, error: String| format!("{}: {error}", file.display());
    for file in &options.best_of {
        report::take_better(&mut suite.records, file)
            .map_err(|error| failed(file, error.to_string()))?;
    }
    match options.markdown {
        true => println!("{}", report::markdown(&suite.records)),
        false => println!("{}", report::table(&suite.records)),
    }
    if let Some(file) = &options.json {
        report::json(&suite.records, file).map_err(|error| failed(file, error.to_string()))?;
    }
    if let Some(file) = &options.svg {
        plot::draw(&suite.records, file).map_err(|error| failed(file, error.to_string()))?;
    }
    Ok(())
}
