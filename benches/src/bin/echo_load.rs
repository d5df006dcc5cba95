//! Echoes JSON messages of about 1 KiB over loopback and tells what each cost the server:
//!
//!     cargo run --release --bin echo_load -- PATH-OF-ECHO-SERVER
//!         [--messages N] [--connections N] [ARGUMENT...]
//!
//! The server is started with "127.0.0.1:0 --quiet" and the further arguments, and has to print
//! "listening on ws://HOST:PORT". The connections, 64 if not told otherwise, have one message each
//! under way; the messages are a cycle of 1000 different ones, each compressed independently at
//! level 6. What the server took of the processor, in user and kernel mode, is read from /proc.

use std::env;
use std::error::Error;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::Instant;

use bytes::Buf;
use fullduplex::blocking::{self, WebSocket};
use fullduplex::deflate::{Compress, ContextTakeover, Deflate, Level};
use fullduplex::handshake::client::Request;
use fullduplex::{Config, Event};
use fullduplex_benches::json;
use fullduplex_benches::server::Server;

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let mut messages = 300_000;
    let mut connections = 64;
    let Some(program) = arguments.next() else {
        eprintln!(
            "usage: echo_load PATH-OF-ECHO-SERVER [--messages N] [--connections N] [ARGUMENT...]"
        );
        return ExitCode::FAILURE;
    };
    let mut rest = Vec::new();
    while let Some(argument) = arguments.next() {
        let number = match &*argument {
            "--messages" => &mut messages,
            "--connections" => &mut connections,
            _ => {
                rest.push(argument);
                continue;
            }
        };
        let given = arguments.next().and_then(|count| count.parse().ok());
        *number = given.unwrap_or(*number);
    }
    match run(&program, &rest, messages, connections) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(
    program: &str,
    arguments: &[String],
    messages: usize,
    connections: usize,
) -> Result<(), Box<dyn Error>> {
    let server = Server::start(program, arguments)?;
    let url = &server.url;

    let idle = server.resident()?;
    let texts = json::thousand();
    let frames = frames(url, &texts)?;
    let mut clients = Vec::with_capacity(connections);
    for _ in 0..connections {
        clients.push(Client::connect(url)?);
    }
    // Everybody takes part before anything counts.
    round(&mut clients, &frames, 20 * connections)?;
    let (before, start) = (processor_time(&server)?, Instant::now());
    let received = round(&mut clients, &frames, messages)?;
    let (time, wall) = (processor_time(&server)? - before, start.elapsed());
    let held = server.resident()?.saturating_sub(idle) as f64 / connections as f64;
    println!(
        "{}: {:.2} µs of server CPU per message, {:.0} messages/s, {:.0} bytes back each, \
         {held:.1} KiB resident per connection",
        if arguments.is_empty() {
            "uncompressed".into()
        } else {
            arguments.join(" ")
        },
        time * 1e6 / messages as f64,
        messages as f64 / wall.as_secs_f64(),
        received as f64 / messages as f64,
    );
    Ok(())
}

fn config() -> Config {
    let mut config = Config::default();
    let deflate = Deflate::new()
        .level(Level::BALANCED)
        .compress(Compress::Always);
    config.deflate = Some(deflate.takeover(ContextTakeover::Off));
    config
}

/// The messages as frames that every connection can send, checked once with the server.
fn frames(url: &str, texts: &[String]) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let mut socket = connect(url)?;
    let mut frames = Vec::new();
    for text in texts {
        socket.connection().send_text(text)?;
        let outgoing = socket.connection().outgoing();
        let mut frame = Vec::new();
        while outgoing.has_remaining() {
            let chunk = outgoing.chunk().to_vec();
            outgoing.advance(chunk.len());
            frame.extend(chunk);
        }
        socket.stream().write_all(&frame)?;
        frames.push(frame);
        match socket.next_event()? {
            Some((Event::Text(echo), _)) if *echo == **text => {}
            other => return Err(format!("no echo: {other:?}").into()),
        }
    }
    Ok(frames)
}

fn connect(url: &str) -> Result<WebSocket<TcpStream>, Box<dyn Error>> {
    // The key of each masked frame is part of it, so that frames fit every connection.
    Ok(blocking::connect_with(Request::new(url)?, &config())?.socket)
}

/// A connection that counts what comes back and looks no further.
struct Client {
    stream: TcpStream,
    /// What was read and not yet counted.
    read: Vec<u8>,
}

impl Client {
    fn connect(url: &str) -> Result<Self, Box<dyn Error>> {
        let (stream, _, inbox) = connect(url)?.into_parts();
        let read = inbox.unread().to_vec();
        stream.set_read_timeout(None)?;
        Ok(Self { stream, read })
    }

    /// Waits for a whole frame and tells how long its payload is.
    fn receive(&mut self) -> Result<usize, Box<dyn Error>> {
        let mut room = [0; 4096];
        loop {
            if let [_, length, rest @ ..] = &self.read[..] {
                let (size, length) = match (length, rest) {
                    (127, _) => return Err("an echo is too long".into()),
                    (126, [high, low, ..]) => (4, usize::from(u16::from_be_bytes([*high, *low]))),
                    (126, _) => (4, usize::MAX / 2),
                    (short, _) => (2, usize::from(*short)),
                };
                if self.read.len() >= size + length {
                    self.read.drain(..size + length);
                    return Ok(length);
                }
            }
            let count = self.stream.read(&mut room)?;
            if count == 0 {
                return Err("the server has closed".into());
            }
            self.read.extend_from_slice(&room[..count]);
        }
    }
}

/// `messages` echoes, one at a time on each connection. Returns how many bytes of payload came.
fn round(
    clients: &mut [Client],
    frames: &[Vec<u8>],
    messages: usize,
) -> Result<usize, Box<dyn Error>> {
    let mut frames = frames.iter().cycle();
    let mut send = |client: &mut Client| match frames.next() {
        Some(frame) => client.stream.write_all(frame),
        None => Ok(()),
    };
    for client in &mut *clients {
        send(client)?;
    }
    let mut received = 0;
    let rounds = messages / clients.len();
    for round in 1..=rounds {
        let last = round == rounds;
        for client in &mut *clients {
            received += client.receive()?;
            if !last {
                send(client)?;
            }
        }
    }
    Ok(received)
}

/// Seconds of user and system time.
fn processor_time(server: &Server) -> Result<f64, Box<dyn Error>> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", server.id()))?;
    let fields = stat.rsplit(") ").next().unwrap_or_default();
    let ticks = fields.split(' ').skip(11).take(2).map(str::parse::<u64>);
    let ticks: u64 = ticks.collect::<Result<Vec<_>, _>>()?.iter().sum();
    Ok(ticks as f64 / 100.0) // the kernel's interface counts in hundredths, whatever it uses itself
}
