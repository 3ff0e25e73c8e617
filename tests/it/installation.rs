//! An installation in a temporary folder, driven as an operator drives it: by its command line and its
//! configuration file.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread::JoinHandle;

use serde_json::Value;
use tempfile::TempDir;

const EXAMPLE: &str = include_str!("../../amtsbote.example.toml");

/// A folder with the example configuration on free ports.
pub(crate) struct Installation {
    folder: TempDir,
}

/// A gateway that was started and is ready.
pub(crate) struct Running {
    child: Child,
    /// Reads the log while the gateway runs: one that cannot write it waits.
    log: Option<JoinHandle<String>>,
    pub(crate) internal: String,
    pub(crate) operations: String,
}

/// The example configuration, but for its ports.
pub(crate) fn on_free_ports(example: &str) -> String {
    example.replace(":8080\"", ":0\"").replace(":8081\"", ":0\"")
}

/// The gateway's program without a configuration.
pub(crate) fn amtsbote(arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    command(folder.path(), arguments).output().unwrap()
}

/// What a command printed, as JSON.
pub(crate) fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no JSON: {output:?}"))
}

pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_amtsbote"));
    command
        .args(arguments)
        .current_dir(folder)
        .env_remove("LC_ALL")
        .env("LANG", "C.UTF-8")
        .stdin(Stdio::null());
    command
}

impl Installation {
    pub(crate) fn new() -> Self {
        let installation = Installation { folder: tempfile::tempdir().unwrap() };
        installation.configure(on_free_ports);
        installation
    }

    /// Writes the configuration, changed from the shipped example.
    pub(crate) fn configure(&self, change: impl FnOnce(&str) -> String) {
        std::fs::write(self.folder().join("amtsbote.toml"), change(EXAMPLE)).unwrap();
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        command(self.folder(), arguments).output().unwrap()
    }

    /// Runs a command that must succeed, and reads the JSON that it prints.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        json(&output)
    }

    /// Starts the gateway and waits for its ready line.
    pub(crate) fn spawn(&self) -> (Child, String) {
        let mut child = command(self.folder(), &["serve"]);
        let mut child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        (child, line)
    }

    pub(crate) fn start(&self) -> Running {
        let (mut child, line) = self.spawn();
        let mut stderr = child.stderr.take().unwrap();
        let log = std::thread::spawn(move || {
            let mut log = String::new();
            stderr.read_to_string(&mut log).unwrap();
            log
        });
        let address = |name: &str| {
            let found = line.split_whitespace().find_map(|word| word.strip_prefix(name));
            format!("http://{}", found.unwrap_or_else(|| panic!("not ready: {line}")))
        };
        let (internal, operations) = (address("internal="), address("operations="));
        Running { internal, operations, child, log: Some(log) }
    }
}

impl Running {
    /// Sends a signal and waits for the end; returns the exit code and the log.
    pub(crate) fn stop(mut self, signal: &str) -> (Option<i32>, String) {
        let kill = format!("kill {signal} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        let log = self.log.take().unwrap().join().unwrap();
        (self.child.wait().unwrap().code(), log)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Already ended, if the test was kind to it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
