//! A real QEMU, driven over its machine protocol (QMP) on standard input and output.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const PROGRAM: &str = "qemu-system-x86_64";
/// No process may live longer.
const LIMIT: Duration = Duration::from_secs(40);
const TRACE: &str = "qemu_loadvm_state_section_startfull";

/// Whether QEMU is installed; says so if it is not.
pub fn is_installed() -> bool {
    let installed = Command::new(PROGRAM).arg("--version").output().is_ok();
    if !installed {
        eprintln!("skipped: {PROGRAM} is not installed");
    }
    installed
}

/// A running QEMU. Dropping it ends it.
pub struct Qemu {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
    stderr: Option<JoinHandle<String>>,
    started: Instant,
}

/// The process has ended by itself.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    /// What it said, without traces.
    pub messages: Vec<String>,
    /// The sections that it has loaded: `id(name) instance version`.
    pub sections: Vec<String>,
}

impl Qemu {
    /// Starts a machine in `dir` that does not run.
    pub fn stopped(dir: &Path, options: &[&str]) -> Self {
        Self::start(dir, &[options, &["-S"]].concat())
    }

    /// Starts a machine in `dir`.
    pub fn start(dir: &Path, options: &[&str]) -> Self {
        let mut child = Command::new(PROGRAM)
            .current_dir(dir)
            .args(["-nodefaults", "-display", "none", "-accel", "tcg", "-qmp", "stdio"])
            .args(["-rtc", "base=2000-01-01T00:00:00,clock=vm", "-trace", TRACE])
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take().unwrap();
        let (mut stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(&mut stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let stderr = Some(thread::spawn(move || {
            let mut text = Vec::new();
            stderr.read_to_end(&mut text).unwrap();
            String::from_utf8_lossy(&text).into_owned()
        }));
        Self { child, stdin, lines, stderr, started: Instant::now() }
    }

    /// Starts a machine that loads a stream from `uri`.
    ///
    /// It returns when the stream was loaded, with the state of the machine, or when the process
    /// has ended.
    pub fn load(
        dir: &Path,
        options: &[&str],
        capabilities: &[&str],
        uri: &str,
    ) -> Result<(Self, String), Ended> {
        let mut qemu = Self::start(dir, &[options, &["-incoming", "defer"]].concat());
        qemu.negotiate(capabilities);
        // On a damaged stream the connection closes, before or after the answer.
        if qemu.try_execute("migrate-incoming", json!({ "uri": uri })).is_none() {
            return Err(qemu.wait());
        }
        loop {
            let Some(answer) = qemu.try_execute("query-status", json!({})) else {
                return Err(qemu.wait());
            };
            let state = answer["status"].as_str().unwrap();
            if state != "inmigrate" {
                return Ok((qemu, state.to_string()));
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Opens the conversation and switches capabilities of migration on.
    pub fn negotiate(&mut self, capabilities: &[&str]) {
        self.execute("qmp_capabilities", json!({}));
        let list: Vec<Value> =
            capabilities.iter().map(|name| json!({ "capability": name, "state": true })).collect();
        if !list.is_empty() {
            self.execute("migrate-set-capabilities", json!({ "capabilities": list }));
        }
    }

    /// Migrates to `uri` and returns what `query-migrate` says in the end.
    pub fn migrate(&mut self, uri: &str) -> Result<Value, Value> {
        self.execute("migrate", json!({ "uri": uri }));
        loop {
            let info = self.execute("query-migrate", json!({}));
            match info["status"].as_str() {
                Some("completed") => return Ok(info),
                Some("failed") => return Err(info),
                _ => thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    /// The names and the used lengths of the blocks of memory.
    pub fn ram_blocks(&mut self) -> Vec<(String, u64)> {
        let text =
            self.execute("human-monitor-command", json!({ "command-line": "info ramblock" }));
        let number = |word: &str| u64::from_str_radix(word.strip_prefix("0x").unwrap(), 16);
        // Block Name, PSize (two words), Offset, Used, Total
        let lines = text.as_str().unwrap().lines().skip(1);
        let words = lines.map(|line| line.split_whitespace().collect::<Vec<_>>());
        words.map(|words| (words[0].to_string(), number(words[4]).unwrap())).collect()
    }

    /// Executes a command.
    pub fn execute(&mut self, command: &str, arguments: Value) -> Value {
        match self.try_execute(command, arguments) {
            Some(answer) => answer,
            None => panic!("{command}: {:?}", self.wait()),
        }
    }

    /// Executes a command; `None` if the process ends instead of answering.
    fn try_execute(&mut self, command: &str, arguments: Value) -> Option<Value> {
        let request = json!({ "execute": command, "arguments": arguments });
        if writeln!(self.stdin, "{request}").is_err() {
            return None;
        }
        loop {
            let left = LIMIT.saturating_sub(self.started.elapsed());
            let line = match self.lines.recv_timeout(left) {
                Ok(line) => line,
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => panic!("{command}: no answer"),
            };
            let answer: Value = serde_json::from_str(&line).unwrap();
            if let Some(error) = answer.get("error") {
                panic!("{command}: {error}");
            }
            // Anything else is the greeting or an event.
            if let Some(value) = answer.get("return") {
                return Some(value.clone());
            }
        }
    }

    /// Ends the process in the regular way.
    pub fn quit(mut self) -> Ended {
        let _ = self.try_execute("quit", json!({}));
        let ended = self.wait();
        assert!(ended.status.success(), "{ended:?}");
        assert!(ended.messages.is_empty(), "{ended:?}");
        ended
    }

    /// Waits for the process to end by itself.
    fn wait(&mut self) -> Ended {
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(self.started.elapsed() < LIMIT, "QEMU does not end");
            thread::sleep(Duration::from_millis(2));
        };
        let text = self.stderr.take().unwrap().join().unwrap();
        let mut ended = Ended { status, messages: Vec::new(), sections: Vec::new() };
        for line in text.lines() {
            match line.strip_prefix(TRACE) {
                Some(section) => ended.sections.push(section.trim().to_string()),
                None => ended.messages.push(line.to_string()),
            }
        }
        ended
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        // Both fail if it has ended, as it should have.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
