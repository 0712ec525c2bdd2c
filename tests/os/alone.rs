//! Tests in processes of their own.

use std::process::Command;

/// Runs the test of this name in a process of its own, which may change what belongs to the process.
/// Returns whether this is that process.
pub fn is_alone(name: &str) -> bool {
    const MARK: &str = "IOV_ITER_TEST_ALONE";
    if std::env::var_os(MARK).is_some() {
        return true;
    }
    let mut alone = Command::new(std::env::current_exe().unwrap());
    let output = alone.args([name, "--exact"]).env(MARK, "1").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    false
}
