//! One measurement: a fresh server, warmed up, and what it did.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize, Serializer};

use crate::Result;
use crate::load::{self, Load, Look, Measured};
use crate::pair::{self, Side, Talk};
use crate::peers::{Opening, Peer};
use crate::rows::{Echo, Row, What};
use crate::server::{Server, busy_time, own_processor_time};
use crate::traffic::{Inflater, Kind, Traffic, compressed_frame};

/// What one round said about one peer.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Sample {
    /// Microseconds of the server's processor time for each message, or for each connection.
    #[serde(serialize_with = "short")]
    pub cpu: f64,
    /// The same, divided by that of the reference beside it, where there is one.
    #[serde(serialize_with = "short")]
    pub ratio: f64,
    /// Messages or connections per second, whichever side was the slower one.
    #[serde(serialize_with = "short")]
    pub rate: f64,
    /// Microseconds until all echoes of what was written at once had come.
    #[serde(serialize_with = "short")]
    pub p50: f64,
    #[serde(serialize_with = "short")]
    pub p99: f64,
    /// The shares of the time in which the server and the load generator were running.
    #[serde(serialize_with = "short")]
    pub server: f64,
    #[serde(serialize_with = "short")]
    pub generator: f64,
    /// How much of one core other processes took meanwhile. More than a little spoils the sample.
    #[serde(serialize_with = "short")]
    pub others: f64,
    /// Bytes of memory for each connection.
    #[serde(serialize_with = "short")]
    pub memory: f64,
    /// Bytes on the wire for each echo.
    #[serde(serialize_with = "short")]
    pub bytes: f64,
}

/// Five digits are plenty.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde asks for")]
fn short<S: Serializer>(value: &f64, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    let digits = format!("{value:.4e}");
    serializer.serialize_f64(digits.parse().unwrap_or(*value))
}

/// How long to let a server talk.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    pub warm_up: Duration,
    pub measured: Duration,
}

pub fn sample(peer: &Peer, row: &Row, times: Times) -> Result<Sample> {
    match row.what {
        What::Echo(what) => {
            let reference = echo(row.reference_peer()?, &what)?;
            pair::compare(echo(peer, &what)?, reference, times)
        }
        What::Idle { connections } => idle(peer, connections),
        What::Burst(what) => burst(peer, &what),
        What::Deflate { takeover } => deflate(peer, takeover, times),
        What::Handshake => {
            let reference = handshakes(row.reference_peer()?)?;
            pair::compare(handshakes(peer)?, reference, times)
        }
    }
}

fn echo(peer: &Peer, what: &Echo) -> Result<Side<Load>> {
    let (server, traffic) = start(peer, what)?;
    let streams = connections(peer, &server, what.connections)?;
    let load = Load::new(streams, traffic)?;
    Ok(Side { load, server })
}

/// A server, and what to exchange with it.
fn start(peer: &Peer, what: &Echo) -> Result<(Server, Traffic)> {
    let traffic = Traffic::frames(what.kind, what.size, what.depth);
    if !peer.raw {
        let server = Server::start(peer.program, peer.arguments.iter().copied())?;
        return Ok((server, traffic));
    }
    let bytes = traffic.bytes();
    let proportion = ["--bytes", &bytes];
    let arguments = peer.arguments.iter().copied().chain(proportion);
    Ok((Server::start(peer.program, arguments)?, traffic.as_raw()))
}

/// So many are opened before a server without a protocol has to have accepted those before, which it
/// does not tell. Where more than 128 wait for that, the kernel tries again a second later.
const WAITING: usize = 50;

fn connections(peer: &Peer, server: &Server, count: usize) -> Result<Vec<TcpStream>> {
    let open = |index: usize| {
        if !peer.raw {
            return load::open(&server.address, "");
        }
        if index.is_multiple_of(WAITING) {
            server.wait_for_files(index)?;
        }
        load::connect(&server.address)
    };
    (0..count).map(open).collect()
}

/// What was seen of a server while it was talked to, once or several times.
#[derive(Default)]
pub struct Seen {
    pub measured: Measured,
    /// Seconds of the processor time of the server, of this process, and of all.
    pub server: f64,
    pub own: f64,
    pub busy: f64,
}

impl Seen {
    pub fn of(server: &Server, work: impl FnOnce() -> Result<Measured>) -> Result<Self> {
        let server_before = server.processor_time()?;
        let (own_before, busy_before) = (own_processor_time()?, busy_time()?);
        let measured = work()?;
        let own = own_processor_time()? - own_before;
        let busy = busy_time()? - busy_before;
        let server = server.processor_time()? - server_before;
        Ok(Self {
            measured,
            server,
            own,
            busy,
        })
    }

    pub fn add(&mut self, other: &Self) {
        self.measured.add(&other.measured);
        self.server += other.server;
        self.own += other.own;
        self.busy += other.busy;
    }

    pub fn wall(&self) -> Duration {
        self.measured.wall
    }

    /// Microseconds of the server's processor time for each message.
    pub fn cpu(&self) -> f64 {
        self.server * 1e6 / self.measured.messages as f64
    }

    pub fn sample(mut self) -> Sample {
        let latencies = &mut self.measured.latencies;
        latencies.sort_unstable();
        let quantile = |percent: usize| {
            let index = latencies.len() * percent / 100;
            let latency = latencies.get(index).or(latencies.last());
            latency.map_or(0.0, |nanoseconds| f64::from(*nanoseconds) / 1000.0)
        };
        let (p50, p99) = (quantile(50), quantile(99));
        let messages = self.measured.messages as f64;
        let wall = self.measured.wall.as_secs_f64();
        Sample {
            cpu: self.cpu(),
            rate: messages / wall,
            p50,
            p99,
            server: self.server / wall,
            generator: self.own / wall,
            others: (self.busy - self.server - self.own).max(0.0) / wall,
            bytes: self.measured.bytes as f64 / messages,
            ..Sample::default()
        }
    }
}

/// What the server's memory has grown by, when each of its connections has had an echo.
fn idle(peer: &Peer, count: usize) -> Result<Sample> {
    let what = Echo {
        connections: count,
        depth: 1,
        size: 16,
        kind: Kind::Binary,
    };
    let (server, traffic) = start(peer, &what)?;
    let before = server.resident()?;
    let mut streams = Vec::with_capacity(count);
    for _ in 0..count {
        let mut stream = connections(peer, &server, 1)?.remove(0);
        stream.write_all(&traffic.requests[0])?;
        let mut echo = vec![0; traffic.reply().len()];
        stream.read_exact(&mut echo)?;
        if echo != traffic.reply() {
            return Err("the echo differs from what was sent".into());
        }
        streams.push(stream);
    }
    memory(&server, before, count)
}

/// So many talk at the same time, before it is the turn of others.
const GROUP: usize = 10;

/// The same when they have been busy before, one group after the other: what all connections share
/// is less than what each keeps.
fn burst(peer: &Peer, what: &Echo) -> Result<Sample> {
    let (server, traffic) = start(peer, what)?;
    let before = server.resident()?;
    let streams = connections(peer, &server, what.connections)?;
    let mut load = Load::new(streams, traffic)?;
    for first in (0..what.connections).step_by(GROUP) {
        let group = first..first + GROUP;
        load.run_some(group, Duration::from_millis(10), Look::AtSome)?;
    }
    memory(&server, before, what.connections)
}

fn memory(server: &Server, before: u64, connections: usize) -> Result<Sample> {
    // Some give memory back a moment later only; ours, if it blocks, a second later.
    sleep(Duration::from_millis(1500));
    let grown = server.resident()?.saturating_sub(before);
    Ok(Sample {
        memory: grown as f64 / connections as f64,
        ..Sample::default()
    })
}

/// How many connections talk compressed.
const COMPRESSED: usize = 64;

fn deflate(peer: &Peer, takeover: bool, times: Times) -> Result<Sample> {
    let argument = if takeover {
        "--deflate=takeover"
    } else {
        "--deflate"
    };
    let arguments = peer.arguments.iter().copied().chain([argument]);
    let server = Server::start(peer.program, arguments)?;
    let before = server.resident()?;
    let (traffic, texts) = Traffic::compressed()?;
    let offer = if takeover {
        "Sec-WebSocket-Extensions: permessage-deflate\r\n"
    } else {
        "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; \
         client_no_context_takeover\r\n"
    };
    check_deflate(&mut load::open(&server.address, offer)?, &traffic, &texts)?;
    let streams: Result<Vec<_>> = (0..COMPRESSED)
        .map(|_| load::open(&server.address, offer))
        .collect();
    let mut load = Load::new(streams?, traffic)?;
    load.run(times.warm_up, Look::AtSome)?;
    let seen = Seen::of(&server, || load.run(times.measured, Look::AtSome))?;
    let mut sample = seen.sample();
    sample.memory = memory(&server, before, COMPRESSED)?.memory;
    Ok(sample)
}

/// Whether the echoes are what was sent, on a connection of its own from its first message on: they
/// may refer to what came before.
fn check_deflate(stream: &mut TcpStream, traffic: &Traffic, texts: &[String]) -> Result<()> {
    let mut inflater = Inflater::new();
    for (request, text) in traffic.requests.iter().zip(texts).take(50) {
        stream.write_all(request)?;
        let mut echo = Vec::new();
        let mut room = [0; 4096];
        let payload = loop {
            let count = stream.read(&mut room)?;
            echo.extend_from_slice(&room[..count]);
            if let Some((header, payload)) = compressed_frame(&echo)?
                && echo.len() >= header + payload
            {
                break &echo[header..];
            }
            if count == 0 {
                return Err("the server closed".into());
            }
        };
        if inflater.inflate(payload)? != text.as_bytes() {
            return Err("the echo inflates to something else".into());
        }
    }
    Ok(())
}

/// How many connections are opened before the first of them is closed.
const AT_ONCE: usize = 32;

/// The size of the response with nothing but what is required.
const RESPONSE: usize = 129;

/// Opens connections and closes them.
struct Handshakes {
    address: String,
    request: String,
    raw: bool,
}

fn handshakes(peer: &Peer) -> Result<Side<Handshakes>> {
    let request = load::request("");
    let mut arguments = peer.arguments.to_vec();
    let bytes = format!("{}:{RESPONSE}", request.len());
    if peer.raw {
        arguments.extend(["--bytes", &bytes]);
    }
    if peer.opening == Opening::Hyper {
        arguments.push("--upgrade");
    }
    let server = Server::start(peer.program, arguments)?;
    let load = Handshakes {
        address: server.address.clone(),
        request,
        raw: peer.raw,
    };
    Ok(Side { load, server })
}

impl Handshakes {
    /// Opens a few, and closes them together.
    fn few(&self) -> Result<()> {
        let streams: Result<Vec<_>> = (0..AT_ONCE).map(|_| load::connect(&self.address)).collect();
        let mut streams = streams?;
        for stream in &mut streams {
            stream.write_all(self.request.as_bytes())?;
        }
        for stream in &mut streams {
            if self.raw {
                stream.read_exact(&mut [0; RESPONSE])?;
            } else {
                load::answer(stream)?;
            }
        }
        Ok(())
    }
}

impl Talk for Handshakes {
    /// Looks at all responses always.
    fn talk(&mut self, time: Duration, _: Look) -> Result<Measured> {
        let start = Instant::now();
        let mut measured = Measured::default();
        while start.elapsed() < time {
            self.few()?;
            measured.messages += AT_ONCE;
        }
        measured.wall = start.elapsed();
        Ok(measured)
    }
}
