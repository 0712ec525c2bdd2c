//! What was measured, and whether it is good enough.

use serde_json::{Value, json};

/// Slower than an alternative by less than this is noise.
const NOISE: f64 = 1.05;

pub struct Record {
    pub group: &'static str,
    pub name: String,
    pub unit: Unit,
    pub targets: Targets,
    pub in_readme: bool,
    /// Nanoseconds that a run took; also below.
    pub ours: f64,
    pub limit: (&'static str, f64),
    pub alternatives: Vec<(&'static str, f64)>,
}

/// How the time of a run is shown.
#[derive(Clone, Copy)]
pub enum Unit {
    /// As gigabytes per second: a run moves so many bytes.
    Bytes(f64),
    /// As nanoseconds for each of the things that a run does.
    Nanoseconds { per: f64, of: &'static str },
}

/// What ours must not exceed.
pub struct Targets {
    pub of_limit: Option<f64>,
    pub nanoseconds: Option<f64>,
    pub of_alternative: f64,
}

impl Default for Targets {
    fn default() -> Self {
        Self { of_limit: None, nanoseconds: None, of_alternative: NOISE }
    }
}

impl Unit {
    /// A time in nanoseconds, as a person would like to read it.
    pub fn show(self, time: f64) -> String {
        match self {
            Self::Bytes(bytes) => format!("{} GB/s", short(bytes / time)),
            Self::Nanoseconds { per, of: "" } => format!("{} ns", short(time / per)),
            Self::Nanoseconds { per, of } => format!("{} ns/{of}", short(time / per)),
        }
    }
}

/// Three digits or so.
fn short(number: f64) -> String {
    match number {
        100.0.. => format!("{number:.0}"),
        10.0.. => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    }
}

impl Record {
    pub fn to_limit(&self) -> f64 {
        self.ours / self.limit.1
    }

    /// The fastest alternative.
    pub fn alternative(&self) -> Option<(&'static str, f64)> {
        self.alternatives.iter().copied().min_by(|a, b| a.1.total_cmp(&b.1))
    }

    pub fn to_alternative(&self) -> Option<f64> {
        self.alternative().map(|(_, time)| self.ours / time)
    }

    /// The targets, in words; not that of being no slower than the alternatives, which all have.
    pub fn target(&self) -> String {
        let mut words = Vec::new();
        if let Some(ratio) = self.targets.of_limit {
            words.push(format!("≤ {ratio} × limit"));
        }
        if let Some(nanoseconds) = self.targets.nanoseconds {
            words.push(format!("≤ {nanoseconds} ns"));
        }
        if self.targets.of_alternative != NOISE {
            words.push(format!("≤ {} × other", self.targets.of_alternative));
        }
        words.join(", ")
    }

    /// Which targets are missed; nothing, if none is.
    pub fn misses(&self) -> Vec<&'static str> {
        let time = match self.unit {
            Unit::Nanoseconds { per, .. } => self.ours / per,
            Unit::Bytes(_) => self.ours,
        };
        let mut misses = Vec::new();
        if self.targets.of_limit.is_some_and(|ratio| self.to_limit() > ratio) {
            misses.push("limit");
        }
        if self.targets.nanoseconds.is_some_and(|nanoseconds| time > nanoseconds) {
            misses.push("time");
        }
        if self.to_alternative().is_some_and(|ratio| ratio > self.targets.of_alternative) {
            misses.push("other");
        }
        misses
    }

    /// "ok", or what is missed.
    pub fn verdict(&self) -> String {
        match self.misses().as_slice() {
            [] => "ok".into(),
            misses => format!("miss: {}", misses.join(", ")),
        }
    }

    /// One line, while the others are still being measured.
    pub fn line(&self) -> String {
        let (group, name, ours) = (self.group, &self.name, self.unit.show(self.ours));
        format!("{group}: {name}: {ours}, {:.2} of the limit, {}", self.to_limit(), self.verdict())
    }

    /// Takes over what is better in another measurement of the same case, as [`json`](Self::json)
    /// describes it.
    pub fn take_better(&mut self, other: &Value) {
        let better = |time: &mut f64, other: &Value| {
            *time = other["nanoseconds"].as_f64().map_or(*time, |other| time.min(other));
        };
        better(&mut self.ours, other);
        better(&mut self.limit.1, &other["limit"]);
        let others = other["alternatives"].as_array().map_or(&[][..], Vec::as_slice);
        for (name, time) in &mut self.alternatives {
            if let Some(other) = others.iter().find(|other| other["name"] == *name) {
                better(time, other);
            }
        }
    }

    pub fn json(&self) -> Value {
        let (unit, amount) = match self.unit {
            Unit::Bytes(bytes) => ("byte", bytes),
            Unit::Nanoseconds { per, of } => (of, per),
        };
        let alternatives: Vec<_> = self
            .alternatives
            .iter()
            .map(|(name, time)| json!({ "name": name, "nanoseconds": time }))
            .collect();
        json!({
            "group": self.group,
            "case": self.name,
            "unit": unit,
            "units_per_run": amount,
            "nanoseconds": self.ours,
            "limit": { "name": self.limit.0, "nanoseconds": self.limit.1 },
            "alternatives": alternatives,
            "target": self.target(),
            "misses": self.misses(),
        })
    }
}
