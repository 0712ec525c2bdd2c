//! The fields of a device, as the description of its stream lists them.

use serde_json::Value;

use crate::report::Escaped;

/// A field that has no fields of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name after those of the fields and subsections that it is in.
    pub path: String,
    /// Where it begins in the payload of the device.
    pub offset: u64,
    /// The length of an element.
    pub size: u64,
    /// How many elements it has, if it is an array.
    pub count: Option<u64>,
}

/// The fields of a device, which cover its payload; none if what the description says is not plain.
pub fn fields(device: &Value) -> Vec<Field> {
    let mut fields = Vec::new();
    match payload(device, "", 0, &mut fields) {
        Some(_) => fields,
        None => Vec::new(),
    }
}

/// Adds what a device, a structure or a subsection has from `at` on; returns where that ends.
fn payload(node: &Value, prefix: &str, at: u64, fields: &mut Vec<Field>) -> Option<u64> {
    let list = |key| node.get(key).and_then(Value::as_array).into_iter().flatten();
    let mut at = at;
    for node in list("fields") {
        at = field(node, prefix, at, fields)?;
    }
    for node in list("subsections") {
        let name = node.get("vmsd_name")?.as_str()?;
        let path = format!("{prefix}{}", Escaped(name.as_bytes()));
        // Mark, counted name, version.
        let size = (name.len() as u64).checked_add(1 + 1 + 4)?;
        let below = format!("{path}.");
        fields.push(Field { path, offset: at, size, count: None });
        at = payload(node, &below, at.checked_add(size)?, fields)?;
    }
    Some(at)
}

fn field(node: &Value, prefix: &str, at: u64, fields: &mut Vec<Field>) -> Option<u64> {
    let number = |key| node.get(key).and_then(Value::as_u64);
    let name = node.get("name").and_then(Value::as_str)?;
    let index = number("index").map(|index| format!("[{index}]")).unwrap_or_default();
    let path = format!("{prefix}{}{index}", Escaped(name.as_bytes()));
    let (size, count) = (number("size")?, number("array_len"));
    let end = at.checked_add(size.checked_mul(count.unwrap_or(1))?)?;
    let below = node.get("struct").or_else(|| node.get("fields").map(|_| node));
    if let (Some(below), None) = (below, count) {
        let before = fields.len();
        if payload(below, &format!("{path}."), at, fields) == Some(end) {
            return Some(end);
        }
        // It is not described to its end.
        fields.truncate(before);
    }
    fields.push(Field { path, offset: at, size, count });
    Some(end)
}
