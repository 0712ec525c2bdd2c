//! A real QEMU, driven over its machine protocol (QMP) on standard input and output.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

pub const X86: &str = "qemu-system-x86_64";
pub const ARM: &str = "qemu-system-arm";
/// Names a folder with folders of programs, as `.ci/unpack-qemu` makes it.
const FOLDER: &str = "VMSTATE_QEMUS";
/// No process may live longer.
const LIMIT: Duration = Duration::from_secs(40);
const TRACE: &str = "qemu_loadvm_state_section_startfull";

/// A QEMU that can be started.
#[derive(Clone, Debug)]
pub struct Program {
    path: PathBuf,
    /// As in 7.2.22.
    pub version: (u32, u32),
}

/// The QEMUs of this name: those in the folder that the environment names, or else the installed
/// one. Says so if there is none.
pub fn programs(name: &str) -> Vec<Program> {
    let paths = match std::env::var_os(FOLDER) {
        Some(folder) => {
            let folder = std::fs::canonicalize(folder).unwrap();
            let folders = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
            folders.map(|folder| folder.join(name)).filter(|path| path.exists()).collect()
        }
        None => vec![PathBuf::from(name)],
    };
    let programs: Vec<_> = paths.into_iter().filter_map(Program::new).collect();
    if programs.is_empty() {
        eprintln!("skipped: {name} is not installed");
    }
    programs
}

impl Program {
    fn new(path: PathBuf) -> Option<Self> {
        let output = Command::new(&path).arg("--version").output().ok()?;
        let text = String::from_utf8(output.stdout).unwrap();
        let version = text.split_whitespace().find_map(|word| {
            let (major, rest) = word.split_once('.')?;
            Some((major.parse().ok()?, rest.split('.').next()?.parse().ok()?))
        });
        Some(Self { path, version: version.unwrap_or_else(|| panic!("{text}")) })
    }

    /// Whether it has a machine of this name.
    pub fn has_machine(&self, name: &str) -> bool {
        let output = Command::new(&self.path).args(["-M", "help"]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().any(|line| line.split_whitespace().next() == Some(name))
    }
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
    pub fn stopped(program: &Program, dir: &Path, options: &[&str]) -> Self {
        Self::start(program, dir, &[options, &["-S"]].concat())
    }

    /// Starts a machine in `dir`.
    pub fn start(program: &Program, dir: &Path, options: &[&str]) -> Self {
        let mut child = Command::new(&program.path)
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
        program: &Program,
        dir: &Path,
        options: &[&str],
        capabilities: &[&str],
        uri: &str,
    ) -> Result<(Self, String), Ended> {
        let mut qemu = Self::start(program, dir, &[options, &["-incoming", "defer"]].concat());
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
        self.wait_for_migration()
    }

    /// Waits for the end of a migration and returns what `query-migrate` says then.
    pub fn wait_for_migration(&mut self) -> Result<Value, Value> {
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
        let answer = self.answer(command, arguments)?;
        Some(answer.unwrap_or_else(|error| panic!("{command}: {error}")))
    }

    /// Executes a command that may be refused.
    pub fn ask(&mut self, command: &str, arguments: Value) -> Result<Value, Value> {
        match self.answer(command, arguments) {
            Some(answer) => answer,
            None => panic!("{command}: {:?}", self.wait()),
        }
    }

    fn answer(&mut self, command: &str, arguments: Value) -> Option<Result<Value, Value>> {
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
            // Some commands of the monitor print to the same place.
            let Ok(answer) = serde_json::from_str::<Value>(&line) else { continue };
            if let Some(error) = answer.get("error") {
                return Some(Err(error.clone()));
            }
            // Anything else is the greeting or an event.
            if let Some(value) = answer.get("return") {
                return Some(Ok(value.clone()));
            }
        }
    }

    /// Ends the process in the regular way. It must have had nothing to say.
    pub fn quit(self) -> Ended {
        let ended = self.end();
        assert!(ended.messages.is_empty(), "{ended:?}");
        ended
    }

    /// Ends the process in the regular way.
    pub fn end(mut self) -> Ended {
        let _ = self.try_execute("quit", json!({}));
        let ended = self.wait();
        assert!(ended.status.success(), "{ended:?}");
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
