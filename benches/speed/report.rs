//! The tables, and the numbers for other programs.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use comfy_table::{CellAlignment, Table, presets};
use serde_json::{Value, json};

use crate::record::Record;

/// Everything, for a person: one table for each group, and what is missed.
pub fn table(records: &[Record]) -> String {
    let mut text = format!("\n{}\n", machine());
    for group in records.chunk_by(|a, b| a.group == b.group) {
        let mut table = Table::new();
        table.load_style(presets::UTF8_BORDERS_ONLY);
        table.set_header(["case", "ours", "limit", "×", "target", "fastest other", "", "×", ""]);
        for record in group {
            let unit = record.unit;
            let (other, time, ratio) = match (record.alternative(), record.to_alternative()) {
                (Some((name, time)), Some(ratio)) => (name, unit.show(time), format!("{ratio:.2}")),
                _ => ("", String::new(), String::new()),
            };
            table.add_row([
                record.name.clone(),
                unit.show(record.ours),
                unit.show(record.limit.1),
                format!("{:.2}", record.to_limit()),
                record.target(),
                other.into(),
                time,
                ratio,
                record.verdict(),
            ]);
        }
        for column in [1, 2, 3, 6, 7] {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let limits = limits(group);
        text += &format!("\n{} (limit: {limits})\n{table}\n", group[0].group);
    }
    text + &summary(records)
}

/// What the limits of a group are called.
fn limits(group: &[Record]) -> String {
    let mut names: Vec<_> = group.iter().map(|record| record.limit.0).collect();
    names.dedup();
    names.join("; ")
}

fn summary(records: &[Record]) -> String {
    let missed: Vec<_> = records.iter().filter(|record| !record.misses().is_empty()).collect();
    let mut text = format!("\n{} cases, {} of them miss a target\n", records.len(), missed.len());
    for record in missed {
        text += &format!("  {}\n", record.line());
    }
    text
}

/// The short table of the README.
pub fn markdown(records: &[Record]) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(["", "iov_iter", "limit", "ratio", "fastest other", "ratio"]);
    for record in records.iter().filter(|record| record.in_readme) {
        let other =
            record.alternative().map(|(name, time)| format!("{} ({name})", record.unit.show(time)));
        table.add_row([
            format!("{}: {}", record.group, record.name),
            record.unit.show(record.ours),
            record.unit.show(record.limit.1),
            format!("{:.2}", record.to_limit()),
            other.unwrap_or_default(),
            record.to_alternative().map(|ratio| format!("{ratio:.2}")).unwrap_or_default(),
        ]);
    }
    format!("{table}\n\n{}", machine())
}

/// Writes all numbers.
pub fn json(records: &[Record], file: &Path) -> io::Result<()> {
    let cases: Vec<_> = records.iter().map(Record::json).collect();
    let numbers = json!({ "machine": machine(), "cases": cases });
    fs::write(file, serde_json::to_vec_pretty(&numbers)?)
}

/// Takes over what is better in the numbers of another run.
pub fn take_better(records: &mut [Record], file: &Path) -> io::Result<()> {
    let numbers: Value = serde_json::from_slice(&fs::read(file)?)?;
    let cases = numbers["cases"].as_array().map_or(&[][..], Vec::as_slice);
    for record in records {
        let same = |case: &&Value| case["group"] == record.group && case["case"] == record.name;
        if let Some(case) = cases.iter().find(same) {
            record.take_better(case);
        }
    }
    Ok(())
}

/// The processor and the compiler.
fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find(|line| line.starts_with("model name"));
    let processor = model.and_then(|line| line.split(": ").nth(1)).unwrap_or("unknown processor");
    let version = Command::new("rustc").arg("--version").output();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let version = version.unwrap_or_default();
    let rust = version.split_whitespace().nth(1).unwrap_or("unknown");
    format!("{}, {}, Rust {rust}", processor, std::env::consts::ARCH)
}
