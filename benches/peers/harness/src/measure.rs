//! One measurement: a fresh server, warmed up, and what it did.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::load::{Load, connect};
use crate::peers::Peer;
use crate::rows::Echo;
use crate::server::{Server, busy_time, own_processor_time};
use crate::traffic::Traffic;

/// What one round said about one peer.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Sample {
    /// Microseconds of the server's processor time for each message.
    pub cpu: f64,
    /// The same, divided by that of the reference in the same round.
    pub ratio: f64,
    /// Messages per second, whichever side was the slower one.
    pub rate: f64,
    /// Microseconds until all echoes of what was written at once had come.
    pub p50: f64,
    pub p99: f64,
    /// The shares of the time in which the server and the load generator were running.
    pub server: f64,
    pub generator: f64,
    /// How much of one core other processes took meanwhile. More than a little spoils the sample.
    pub others: f64,
}

/// How long to let a server talk.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    pub warm_up: Duration,
    pub measured: Duration,
}

pub fn echo(peer: &Peer, echo: &Echo, times: Times) -> Result<Sample> {
    let mut traffic = Traffic::frames(echo.kind, echo.size, echo.depth);
    let mut arguments = peer.arguments.to_vec();
    let bytes = traffic.bytes();
    if peer.raw {
        arguments.extend(["--bytes", &bytes]);
        traffic = traffic.raw();
    }
    let server = Server::start(peer.program, arguments)?;
    let streams: Result<Vec<_>> = (0..echo.connections)
        .map(|_| Ok(connect(&server.address, peer.raw, "")?.0))
        .collect();
    let mut load = Load::new(streams?, &traffic)?;
    load.run(times.warm_up, true)?;
    let (server_before, own_before) = (server.processor_time()?, own_processor_time()?);
    let busy_before = busy_time()?;
    let mut measured = load.run(times.measured, false)?;
    let busy = (busy_time()? - busy_before).as_secs_f64();
    let own = (own_processor_time()? - own_before).as_secs_f64();
    let time = (server.processor_time()? - server_before).as_secs_f64();
    measured.latencies.sort_unstable();
    let quantile = |share: f64| {
        let latencies = &measured.latencies;
        let index = (latencies.len() as f64 * share) as usize;
        latencies
            .get(index.min(latencies.len() - 1))
            .map_or(0.0, |nanoseconds| f64::from(*nanoseconds) / 1000.0)
    };
    let messages = measured.messages as f64;
    let wall = measured.wall.as_secs_f64();
    Ok(Sample {
        cpu: time * 1e6 / messages,
        ratio: 0.0,
        rate: messages / wall,
        p50: quantile(0.5),
        p99: quantile(0.99),
        server: time / wall,
        generator: own / wall,
        others: (busy - time - own).max(0.0) / wall,
    })
}

pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_unstable_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[count / 2],
        count => f64::midpoint(values[count / 2 - 1], values[count / 2]),
    }
}
