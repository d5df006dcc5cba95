//! The examples as programs.
#![cfg(all(feature = "std", unix))]
#![allow(
    dead_code,
    unreachable_pub,
    clippy::expect_used,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "each test crate uses its own part, and a helper that panics fails the test"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use super::net::{LONG, in_time, patient, read_to_end};

/// Builds the examples, which not every way to run this test has done, the way this test was built.
pub fn example(name: &str) -> Command {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    let directory = DIRECTORY.get_or_init(|| {
        let test = std::env::current_exe().unwrap();
        let profile = test.parent().unwrap().parent().unwrap();
        let profile_name = match profile.file_name().unwrap().to_str().unwrap() {
            "debug" => "dev",
            other => other,
        };
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--examples", "--profile", profile_name]);
        build.arg("--target-dir").arg(profile.parent().unwrap());
        if cfg!(feature = "deflate") {
            build.arg("--all-features");
        } else {
            let features = [
                cfg!(feature = "tokio").then_some("tokio"),
                cfg!(feature = "futures").then_some("futures"),
                cfg!(feature = "http").then_some("http"),
            ];
            let features: Vec<_> = features.into_iter().flatten().collect();
            build.arg("--features").arg(features.join(","));
        }
        build.current_dir(env!("CARGO_MANIFEST_DIR"));
        assert!(build.status().unwrap().success());
        profile.join("examples")
    });
    let mut command = Command::new(directory.join(name));
    command.env_remove("AUTOBAHN_URL").stdin(Stdio::null());
    command
}

/// An example that echoes, while it runs.
pub struct Echo {
    pub child: Child,
    log: Option<BufReader<ChildStderr>>,
    pub address: String,
}

impl Echo {
    pub fn start(name: &str, arguments: &[&str]) -> Self {
        let mut child = example(name)
            .arg("127.0.0.1:0")
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let address = line.strip_prefix("listening on ws://").expect(&line);
        let address = address.trim_end().to_owned();
        assert!(!address.ends_with(":0"), "the port that was chosen");
        let log = child.stderr.take().map(BufReader::new);
        Self {
            child,
            log,
            address,
        }
    }

    pub fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    pub fn interrupt(&self) {
        let id = self.child.id().to_string();
        let kill = Command::new("kill").args(["-INT", &id]).status();
        assert!(kill.unwrap().success());
    }

    /// The next lines that it logs.
    pub fn log_lines(&mut self, count: usize) -> Vec<String> {
        let mut log = self.log.take().unwrap();
        let (log, lines) = in_time(move || {
            let lines = log.by_ref().lines().take(count);
            let lines = lines.map(Result::unwrap).collect();
            (log, lines)
        });
        self.log = Some(log);
        lines
    }

    /// Ends it as Ctrl-C does, and returns the rest of what it logged.
    pub fn end(mut self) -> String {
        self.interrupt();
        assert!(wait(&mut self.child));
        let mut log = String::new();
        let mut rest = self.log.take().unwrap();
        rest.read_to_string(&mut log).unwrap();
        log
    }

    pub fn http(&self, request: &str) -> String {
        let mut stream = patient(TcpStream::connect(&self.address).unwrap());
        stream.write_all(request.as_bytes()).unwrap();
        String::from_utf8(read_to_end(&mut stream)).unwrap()
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether it ends well. That it ends at all is asserted.
pub fn wait(child: &mut Child) -> bool {
    let until = Instant::now() + LONG;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.success();
        }
        assert!(Instant::now() < until, "it does not end");
        thread::sleep(Duration::from_millis(10));
    }
}

pub fn run(mut command: Command, input: Vec<u8>) -> Output {
    command.stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    thread::spawn(move || stdin.write_all(&input));
    in_time(move || child.wait_with_output().unwrap())
}

pub fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

pub fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}
