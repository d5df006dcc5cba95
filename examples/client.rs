//! Sends its arguments, or the lines of its standard input, and prints what comes back.
//!
//!     cargo run --example client -- ws://127.0.0.1:9001 hello world
//!     cargo run --example client -- ws://127.0.0.1:9001 < lines.txt
//!
//! In front of the URL, `--deflate` offers compression and `--deflate=takeover` compresses with
//! reference to earlier messages. With arguments it waits for as many messages as it sent; with standard input it goes on until
//! the input ends and nothing has come for a second.
#![allow(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "a program"
)]

use std::io::{self, BufRead};
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use fullduplex::blocking::{self, Error, WebSocket};
#[cfg(feature = "deflate")]
use fullduplex::deflate::{ContextTakeover, Deflate};
use fullduplex::handshake::client::Request;
use fullduplex::{CloseCode, Config, Message};

const USAGE: &str = "usage: client [--deflate[=takeover]] URL [MESSAGE...]";

/// How long the answers to the last line are waited for.
const QUIET: Duration = Duration::from_secs(1);

/// How often the input is looked at while nothing comes from the server.
const LOOK_UP: Duration = Duration::from_millis(50);

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).peekable();
    #[cfg_attr(
        not(feature = "deflate"),
        expect(unused_mut, reason = "nothing to choose")
    )]
    let mut config = Config::default();
    while let Some(option) = arguments.next_if(|argument| argument.starts_with('-')) {
        match option.as_str() {
            #[cfg(feature = "deflate")]
            "--deflate" => config.deflate = Some(Deflate::new()),
            #[cfg(feature = "deflate")]
            "--deflate=takeover" => {
                config.deflate = Some(Deflate::new().takeover(ContextTakeover::On));
            }
            other => {
                eprintln!("unknown option {other}\n{USAGE}");
                return ExitCode::FAILURE;
            }
        }
    }
    let Some(url) = arguments.next() else {
        eprintln!("{USAGE}");
        return ExitCode::FAILURE;
    };
    match run(&url, &config, arguments.collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{url}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(url: &str, config: &Config, messages: Vec<String>) -> Result<(), Error> {
    let mut socket = blocking::connect_with(Request::new(url)?, config)?.socket;
    eprintln!("connected to {url}");
    let result = if messages.is_empty() {
        converse(&mut socket)
    } else {
        exchange(&mut socket, messages)
    };
    let ended = match result {
        Ok(Ended::ByPeer) => socket.outcome(),
        Ok(Ended::ByUs) => Some(socket.close(CloseCode::NORMAL, "")?),
        Err(error) => {
            eprintln!("{error}");
            socket.outcome()
        }
    };
    if let Some(outcome) = ended {
        eprintln!("{outcome}");
    }
    Ok(())
}

enum Ended {
    ByUs,
    ByPeer,
}

/// Sends all, then waits for as many.
fn exchange(
    socket: &mut WebSocket<std::net::TcpStream>,
    messages: Vec<String>,
) -> Result<Ended, Error> {
    let count = messages.len();
    for message in messages {
        socket.feed(message)?; // one write for all, once reading has to wait
    }
    for _ in 0..count {
        match socket.read()? {
            Some(message) => show(&message),
            None => return Ok(Ended::ByPeer),
        }
    }
    Ok(Ended::ByUs)
}

/// Sends each line as it comes and prints messages meanwhile.
fn converse(socket: &mut WebSocket<std::net::TcpStream>) -> Result<Ended, Error> {
    let lines = read_lines();
    let mut open = true;
    let mut last = Instant::now();
    socket.set_read_timeout(Some(LOOK_UP));
    while open || last.elapsed() < QUIET {
        match lines.try_recv() {
            Ok(line) => {
                socket.send(line)?;
                last = Instant::now();
                continue;
            }
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => open = false,
        }
        match socket.read() {
            Ok(Some(message)) => {
                show(&message);
                last = Instant::now();
            }
            Ok(None) => return Ok(Ended::ByPeer),
            Err(Error::WouldBlock) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Ended::ByUs)
}

/// Standard input cannot be waited for together with a socket, so a thread reads it.
fn read_lines() -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

fn show(message: &Message) {
    match message {
        Message::Text(text) => println!("{text}"),
        Message::Binary(bytes) => println!("({} bytes)", bytes.len()),
    }
}
