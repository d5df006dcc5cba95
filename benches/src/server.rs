//! A server as a process of its own, to be measured from outside.

use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// A server's process; ended with this value.
pub struct Server {
    child: Child,
    /// Where it listens.
    pub url: String,
}

impl Server {
    /// Starts `program` on a port that the system chooses. It has to print
    /// "listening on ws://HOST:PORT".
    pub fn start(program: &str, arguments: &[String]) -> Result<Self, Box<dyn Error>> {
        let mut child = Command::new(program)
            .args(["127.0.0.1:0", "--quiet"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take();
        let mut server = Self {
            child,
            url: String::new(),
        };
        let mut line = String::new();
        BufReader::new(output.ok_or("no output")?).read_line(&mut line)?;
        let url = line.trim().strip_prefix("listening on ");
        server.url = url.ok_or("the server does not listen")?.to_owned();
        Ok(server)
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// KiB of resident memory.
    pub fn resident(&self) -> Result<u64, Box<dyn Error>> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let digits = line.unwrap_or_default().trim().trim_end_matches(" kB");
        Ok(digits.parse()?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
