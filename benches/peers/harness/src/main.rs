//! Runs the echo servers against each other; see the README.

mod load;
mod measure;
mod peers;
mod rows;
mod server;
mod traffic;

use std::env;
use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use measure::{Sample, Times, median};
use peers::{PEERS, Peer};
use rows::{ROWS, Row, What};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const USAGE: &str = "usage: compare [--quick] [--rounds N] [--milliseconds N] \
                     [--only ROW[/PEER]]... [--list]";

struct Plan {
    times: Times,
    rounds: usize,
    /// Parts of the names of rows and peers. None at all: everything.
    only: Vec<(String, String)>,
}

fn main() -> ExitCode {
    let plan = match parse(env::args().skip(1)) {
        Ok(Some(plan)) => plan,
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}\n{USAGE}");
            return ExitCode::FAILURE;
        }
    };
    match run(&plan) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Option<Plan>> {
    let mut plan = Plan {
        times: Times {
            warm_up: Duration::from_millis(150),
            measured: Duration::from_millis(500),
        },
        rounds: 5,
        only: Vec::new(),
    };
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or("something is missing behind it");
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
            "--list" => {
                for row in ROWS {
                    let names = PEERS.iter().filter(|peer| row.admits(peer));
                    let names: Vec<_> = names.map(|peer| peer.name).collect();
                    println!("{}: {}", row.name, names.join(", "));
                }
                return Ok(None);
            }
            other => return Err(format!("unknown argument {other}").into()),
        }
    }
    Ok(Some(plan))
}

impl Plan {
    fn wants(&self, row: &Row, peer: &Peer) -> bool {
        let found = |part: &str, name: &str| name.contains(part);
        let mut only = self.only.iter();
        self.only.is_empty()
            || only.any(|(rows, peers)| {
                found(rows, row.name) && (found(peers, peer.name) || peer.name == row.reference())
            })
    }
}

fn run(plan: &Plan) -> Result<()> {
    server::settle_in()?;
    for row in ROWS {
        let peers = PEERS
            .iter()
            .filter(|peer| row.admits(peer) && plan.wants(row, peer));
        let peers: Vec<_> = peers.collect();
        if peers.is_empty() {
            continue;
        }
        println!("\n{}", row.name);
        let samples = rounds(plan, row, &peers)?;
        print(&peers, &samples);
    }
    Ok(())
}

/// The samples of each peer.
fn rounds(plan: &Plan, row: &Row, peers: &[&Peer]) -> Result<Vec<Vec<Sample>>> {
    let mut samples = vec![Vec::new(); peers.len()];
    for _ in 0..plan.rounds {
        let mut reference = f64::NAN;
        for (peer, samples) in peers.iter().zip(&mut samples) {
            let What::Echo(echo) = row.what;
            let sample = measure::echo(peer, &echo, plan.times);
            let mut sample = sample.map_err(|error| format!("{}: {error}", peer.name))?;
            if peer.name == row.reference() {
                reference = sample.cpu;
            }
            sample.ratio = sample.cpu / reference;
            samples.push(sample);
        }
        for samples in &mut samples {
            if let Some(sample) = samples.last_mut() {
                sample.ratio = sample.cpu / reference;
            }
        }
    }
    Ok(samples)
}

fn print(peers: &[&Peer], samples: &[Vec<Sample>]) {
    println!(
        "{:24} {:>9} {:>6} {:>13} {:>10} {:>8} {:>8} {:>7} {:>7} {:>7}",
        "", "µs CPU", "ratio", "(min-max)", "1/s", "p50 µs", "p99 µs", "server", "load", "others"
    );
    for (peer, samples) in peers.iter().zip(samples) {
        let of = |value: fn(&Sample) -> f64| median(samples.iter().map(value));
        let ratios = samples.iter().map(|sample| sample.ratio);
        let (least, most) = ratios.fold((f64::INFINITY, 0.0_f64), |(least, most), ratio| {
            (least.min(ratio), most.max(ratio))
        });
        println!(
            "{:24} {:9.3} {:6.3} {:>13} {:10.0} {:8.1} {:8.1} {:6.0}% {:6.0}% {:6.0}%",
            peer.name,
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
}
