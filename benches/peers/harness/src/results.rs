//! What was measured, as it is stored.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::measure::Sample;

#[derive(Debug, Deserialize, Serialize)]
pub struct Results {
    pub machine: Machine,
    pub rounds: usize,
    pub milliseconds: u128,
    pub rows: Vec<RowResults>,
}

#[derive(Debug, Deserialize, Serialize)]
pub struct Machine {
    pub date: String,
    pub processor: String,
    pub cores: usize,
    pub kernel: String,
    pub rustc: String,
    /// Name and version of what was compared.
    pub crates: Vec<(String, String)>,
}

#[derive(Debug, Deserialize, Serialize)]
pub struct RowResults {
    pub row: String,
    pub peers: Vec<PeerResults>,
}

#[derive(Debug, Deserialize, Serialize)]
pub struct PeerResults {
    pub name: String,
    pub samples: Vec<Sample>,
}

impl PeerResults {
    pub fn median(&self, value: impl Fn(&Sample) -> f64) -> f64 {
        median(self.samples.iter().map(value))
    }
}

pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[count / 2],
        count => f64::midpoint(values[count / 2 - 1], values[count / 2]),
    }
}

impl Results {
    /// Beside the pictures in this folder.
    pub fn save(&self, folder: &Path) -> Result<()> {
        let path = path(folder);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        Ok(fs::write(path, serde_json::to_string(self)? + "\n")?)
    }

    pub fn load(folder: &Path) -> Result<Self> {
        let path = path(folder);
        let text = fs::read_to_string(&path);
        let text = text.map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(serde_json::from_str(&text)?)
    }
}

fn path(folder: &Path) -> PathBuf {
    folder.join("results/samples.json")
}

/// The crates of this workspace's lock file that are worth naming.
const CRATES: [&str; 16] = [
    "fullduplex",
    "bytes",
    "fastwebsockets",
    "flate2",
    "hyper",
    "libz-sys",
    "mio",
    "sockudo-ws",
    "soketto",
    "tokio",
    "tokio-tungstenite",
    "tokio-websockets",
    "tungstenite",
    "web-socket",
    "yawc",
    "zlib-rs",
];

impl Machine {
    pub fn this() -> Result<Self> {
        let processors = fs::read_to_string("/proc/cpuinfo")?;
        let named = |line: &str| {
            Some(
                line.strip_prefix("model name")?
                    .split_once(':')?
                    .1
                    .trim()
                    .to_owned(),
            )
        };
        let processor = processors.lines().find_map(named).unwrap_or_default();
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
        Ok(Self {
            date: output("date", &["-u", "+%Y-%m-%d"])?,
            processor,
            cores: processors
                .lines()
                .filter(|line| line.starts_with("processor"))
                .count(),
            kernel: kernel.trim().to_owned(),
            rustc: output("rustc", &["--version"])?,
            crates: crates(include_str!("../../Cargo.lock")),
        })
    }
}

fn crates(lock: &str) -> Vec<(String, String)> {
    let field = |line: &str, name: &str| {
        let value = line.strip_prefix(name)?.strip_prefix(" = \"")?;
        Some(value.trim_end_matches('"').to_owned())
    };
    let mut crates = Vec::new();
    let mut name = None;
    for line in lock.lines() {
        if let Some(found) = field(line, "name") {
            name = Some(found);
        } else if let Some(version) = field(line, "version")
            && let Some(name) = name.take()
            && CRATES.contains(&&*name)
        {
            crates.push((name, version));
        }
    }
    crates.sort_by_key(|(name, _)| CRATES.iter().position(|known| known == name));
    crates
}

fn output(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
