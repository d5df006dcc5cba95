//! Runs the echo servers against each other; see the README.

#[expect(
    clippy::cast_possible_truncation,
    reason = "it is the other benches' file"
)]
#[path = "../../../src/json.rs"]
mod json;
mod load;
mod measure;
mod pair;
mod peers;
mod report;
mod results;
mod rows;
mod server;
mod svg;
mod tables;
mod traffic;

use std::env;
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use measure::{Sample, Times};
use peers::{PEERS, Peer};
use results::{Machine, PeerResults, Results, RowResults};
use rows::{ROWS, Row, What};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const USAGE: &str = "usage: compare [--quick] [--rounds N] [--milliseconds N] \
                     [--only ROW[/PEER]]... [--report FOLDER]\n       \
                     compare --render FOLDER\n       compare --list";

struct Plan {
    times: Times,
    rounds: usize,
    /// Parts of the names of rows and peers. None at all: everything.
    only: Vec<(String, String)>,
    /// Where RESULTS.md goes, with the pictures and the samples in a folder beside it.
    report: Option<PathBuf>,
}

fn main() -> ExitCode {
    match act(env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn act(mut arguments: impl Iterator<Item = String>) -> Result<()> {
    let mut plan = Plan {
        times: Times {
            warm_up: Duration::from_millis(100),
            measured: Duration::from_millis(300),
        },
        rounds: 5,
        only: Vec::new(),
        report: None,
    };
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(USAGE);
        match &*argument {
            "--quick" => {
                plan.times.measured = Duration::from_millis(200);
                plan.times.warm_up = Duration::from_millis(60);
                plan.rounds = 3;
            }
            "--rounds" => plan.rounds = value()?.parse()?,
            "--milliseconds" => {
                plan.times.measured = Duration::from_millis(value()?.parse()?);
            }
            "--only" => {
                let only = value()?;
                let (row, peer) = only.split_once('/').unwrap_or((&only, ""));
                plan.only.push((row.to_owned(), peer.to_owned()));
            }
            "--report" => plan.report = Some(value()?.into()),
            "--render" => {
                let folder: PathBuf = value()?.into();
                return report::write(&Results::load(&folder)?, &folder);
            }
            "--list" => {
                list();
                return Ok(());
            }
            _ => return Err(USAGE.into()),
        }
    }
    run(&plan)
}

fn list() {
    for row in ROWS {
        let names = PEERS.iter().filter(|peer| row.admits(peer));
        let names: Vec<_> = names.map(|peer| peer.name).collect();
        println!("{}: {}", row.name, names.join(" | "));
    }
}

impl Plan {
    fn wants(&self, row: &Row, peer: &Peer) -> bool {
        let is_wanted =
            |(rows, peers): &(String, String)| row.name.contains(rows) && peer.name.contains(peers);
        row.admits(peer) && (self.only.is_empty() || self.only.iter().any(is_wanted))
    }

    /// The wanted ones, and the reference where nothing else is compared with it.
    fn peers(&self, row: &Row) -> Vec<&'static Peer> {
        if !PEERS.iter().any(|peer| self.wants(row, peer)) {
            return Vec::new();
        }
        let is_beside =
            |peer: &Peer| !row.is_paired() && row.admits(peer) && peer.name == row.reference();
        let peers = PEERS.iter();
        let peers = peers.filter(|peer| self.wants(row, peer) || is_beside(peer));
        peers.collect()
    }
}

fn run(plan: &Plan) -> Result<()> {
    server::settle_in()?;
    let mut results = Results {
        machine: Machine::this()?,
        rounds: plan.rounds,
        milliseconds: plan.times.measured.as_millis(),
        rows: Vec::new(),
    };
    for row in ROWS {
        let peers = plan.peers(row);
        if peers.is_empty() {
            continue;
        }
        let measured = rounds(plan, row, &peers)?;
        print(row, &measured);
        results.rows.push(measured);
        // What was measured is not lost if something goes wrong later.
        if let Some(folder) = &plan.report {
            results.save(folder)?;
        }
    }
    match &plan.report {
        Some(folder) => report::write(&results, folder),
        None => Ok(()),
    }
}

/// All peers take turns, each round beginning with another one.
fn rounds(plan: &Plan, row: &Row, peers: &[&Peer]) -> Result<RowResults> {
    let named = |peer: &&Peer| PeerResults {
        name: peer.name.to_owned(),
        samples: Vec::new(),
    };
    let mut measured = RowResults {
        row: row.name.to_owned(),
        peers: peers.iter().map(named).collect(),
    };
    let rounds = plan.rounds.min(row.most_rounds());
    for round in 0..rounds {
        let first = round * peers.len() / rounds;
        for turn in 0..peers.len() {
            let index = (first + turn) % peers.len();
            let peer = peers[index];
            let sample = measure::sample(peer, row, plan.times);
            let sample = sample.map_err(|error| format!("{}/{}: {error}", row.name, peer.name))?;
            measured.peers[index].samples.push(sample);
        }
    }
    Ok(measured)
}

fn print(row: &Row, measured: &RowResults) {
    let speeds = !matches!(row.what, What::Idle { .. } | What::Burst(_));
    println!("\n{}", row.name);
    if speeds {
        println!(
            "{:24} {:>9} {:>6} {:>13} {:>10} {:>8} {:>8} {:>7} {:>7} {:>7}",
            "",
            "µs CPU",
            "ratio",
            "(min-max)",
            "1/s",
            "p50 µs",
            "p99 µs",
            "server",
            "load",
            "others"
        );
    }
    for peer in &measured.peers {
        print!("{:24}", peer.name);
        if speeds {
            print_speed(peer);
        }
        let memory = peer.median(|sample| sample.memory);
        if memory.is_normal() {
            print!(" {memory:9.0} bytes per connection");
        }
        if let What::Deflate { .. } = row.what {
            print!(" {:6.0} bytes per echo", peer.median(|sample| sample.bytes));
        }
        println!();
    }
}

fn print_speed(peer: &PeerResults) {
    let ratios = peer.samples.iter().map(|sample| sample.ratio);
    let least = ratios.clone().fold(f64::INFINITY, f64::min);
    let most = ratios.fold(0.0, f64::max);
    let of = |value: fn(&Sample) -> f64| peer.median(value);
    print!(
        " {:9.3} {:6.3} {:>13} {:10.0} {:8.1} {:8.1} {:6.0}% {:6.0}% {:6.0}%",
        of(|sample| sample.cpu),
        of(|sample| sample.ratio),
        format!("({least:.2}-{most:.2})"),
        of(|sample| sample.rate),
        of(|sample| sample.p50),
        of(|sample| sample.p99),
        100.0 * of(|sample| sample.server),
        100.0 * of(|sample| sample.generator),
        100.0 * of(|sample| sample.others),
    );
}
