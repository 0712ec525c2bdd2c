//! The example `vmstate` as a program.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// The path of the program, built if it is not.
pub fn program() -> &'static PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut features = vec!["std"];
        features.extend(cfg!(feature = "zlib").then_some("zlib"));
        features.extend(cfg!(feature = "embedded-io-v0.7").then_some("embedded-io-v0.7"));
        let mut build = Command::new(cargo);
        build.args(["build", "--offline", "--example", "vmstate", "--features"]);
        build.arg(features.join(","));
        build.args(["--message-format", "json", "--manifest-path"]);
        build.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
        let output = build.output().unwrap();
        let messages = String::from_utf8_lossy(&output.stdout);
        let found = messages.lines().find_map(|line| {
            let message: serde_json::Value = serde_json::from_str(line).ok()?;
            Some(PathBuf::from(message.get("executable")?.as_str()?))
        });
        found.unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&output.stderr)))
    })
}
