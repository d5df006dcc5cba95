//! A server as a process of its own, alone on its core, to be measured from outside.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

use crate::Result;

/// The servers' core, and that of the load generator.
const CORE: usize = 0;
const OUR_CORE: usize = 1;

/// Puts this process on its core, and lets it and the servers open many connections.
pub fn settle_in() -> Result<()> {
    pin_to(OUR_CORE)?;
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most)?;
    Ok(())
}

fn pin_to(core: usize) -> Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core)?;
    sched_setaffinity(Pid::from_raw(0), &cores)
        .map_err(|error| format!("core {core} is needed: {error}").into())
}

/// A server's process; ended with this value.
pub struct Server {
    child: Child,
    clock: ClockId,
    /// HOST:PORT.
    pub address: String,
}

impl Server {
    /// Starts the program of this name, which is beside this one, on a port that the system
    /// chooses. It has to print "listening on ws://HOST:PORT".
    pub fn start<'a>(program: &str, arguments: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let program = env::current_exe()?.with_file_name(program);
        // The child inherits the affinity, so that its first instruction is on its core.
        pin_to(CORE)?;
        let started = Command::new(&program)
            .args(["127.0.0.1:0", "--quiet"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        pin_to(OUR_CORE)?;
        let mut child = started.map_err(|error| format!("{}: {error}", program.display()))?;
        let output = child.stdout.take().ok_or("no output")?;
        let clock = clock_getcpuclockid(Pid::from_raw(child.id().try_into()?))?;
        let mut server = Self {
            child,
            clock,
            address: String::new(),
        };
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let address = line.trim().strip_prefix("listening on ws://");
        address
            .ok_or("the server does not listen")?
            .clone_into(&mut server.address);
        Ok(server)
    }

    /// Seconds of processor time of all its threads so far, those that have ended included. Waits
    /// until the server sleeps, because the kernel adds up what it has run when it stops.
    pub fn processor_time(&self) -> Result<f64> {
        let mut before = self.clock()?;
        for _ in 0..200 {
            thread::sleep(Duration::from_micros(300));
            let now = self.clock()?;
            if now == before {
                break;
            }
            before = now;
        }
        Ok(before.as_secs_f64())
    }

    fn clock(&self) -> Result<Duration> {
        Ok(Duration::from(clock_gettime(self.clock)?))
    }

    /// Waits until it has so many files open: until then it has not accepted as many connections.
    pub fn wait_for_files(&self, count: usize) -> Result<()> {
        let folder = format!("/proc/{}/fd", self.child.id());
        for _ in 0..50_000 {
            if fs::read_dir(&folder)?.count() >= count {
                return Ok(());
            }
            thread::sleep(Duration::from_micros(200));
        }
        Err("the server does not accept connections".into())
    }

    /// Bytes of resident memory.
    pub fn resident(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let digits = line.unwrap_or_default().trim().trim_end_matches(" kB");
        Ok(digits.parse::<u64>()? * 1024)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Seconds of processor time of this process.
pub fn own_processor_time() -> Result<f64> {
    let time = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)?;
    Ok(Duration::from(time).as_secs_f64())
}

/// Seconds that all cores have been busy, in steps of a hundredth.
pub fn busy_time() -> Result<f64> {
    let stat = fs::read_to_string("/proc/stat")?;
    let line = stat.lines().next().unwrap_or_default();
    let ticks: Vec<u64> = line
        .split_whitespace()
        .skip(1)
        .map_while(|ticks| ticks.parse().ok())
        .collect();
    // After user, nice and system; and from the ninth on what is in user already.
    let idle = ticks.iter().skip(3).take(2);
    let guests = ticks.iter().skip(8);
    let all: u64 = ticks.iter().sum();
    let idle: u64 = idle.chain(guests).sum();
    Ok((all - idle) as f64 / 100.0)
}
