//! Sends its arguments, or the lines of its standard input, and prints what comes back.
//!
//!     cargo run --example client -- ws://127.0.0.1:9001 hello world
//!     cargo run --example client -- ws://127.0.0.1:9001 < lines.txt
//!
//! In front of the URL, `--deflate` offers compression, and `--deflate=takeover` does so to compress
//! with reference to earlier messages.
//!
//! With arguments it waits for as many messages as it sent; with standard input it goes on until
//! the input ends and nothing has come for a second. It succeeds if the connection ended with a
//! closing handshake.
#![allow(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "a program"
)]

use std::io::{self, BufRead, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use fullduplex::blocking::{self, Error, WebSocket};
#[cfg(feature = "deflate")]
use fullduplex::deflate::{ContextTakeover, Deflate};
use fullduplex::handshake::client::Request;
use fullduplex::{CloseCode, Config, Message};

const USAGE: &str = "usage: client [--deflate[=takeover]] URL [MESSAGE...]
Without messages, each line of the standard input is one.";

/// How long the answers to the last line are waited for.
const QUIET: Duration = Duration::from_secs(1);

/// How often the input is looked at while nothing comes from the server.
const LOOK_UP: Duration = Duration::from_millis(50);

/// No more is queued ahead than this. The server may not read on before its answers are read, so
/// sending everything first could take for ever.
const AHEAD: usize = 64 * 1024;

/// Lines that are read ahead of sending them.
const LINES_AHEAD: usize = 1000;

fn main() -> ExitCode {
    let mut arguments = Vec::new();
    for argument in std::env::args_os().skip(1) {
        match argument.into_string() {
            Ok(argument) => arguments.push(argument),
            Err(argument) => return usage(&format!("not UTF-8: {}", argument.display())),
        }
    }
    let mut arguments = arguments.into_iter().peekable();
    #[cfg_attr(
        not(feature = "deflate"),
        expect(unused_mut, reason = "nothing to choose")
    )]
    let mut config = Config::default();
    #[cfg_attr(
        not(feature = "deflate"),
        expect(clippy::never_loop, reason = "no option leaves something to do")
    )]
    while let Some(option) = arguments.next_if(|argument| argument.starts_with('-')) {
        match option.as_str() {
            #[cfg(feature = "deflate")]
            "--deflate" => config.deflate = Some(Deflate::new()),
            #[cfg(feature = "deflate")]
            "--deflate=takeover" => {
                config.deflate = Some(Deflate::new().takeover(ContextTakeover::On));
            }
            "--help" | "-h" => {
                println!("{USAGE}");
                return ExitCode::SUCCESS;
            }
            _ => return usage(&format!("unknown option {option}")),
        }
    }
    let Some(url) = arguments.next() else {
        return usage("which URL?");
    };
    let mut socket = match connect(&url, &config) {
        Ok(socket) => socket,
        Err(error) => {
            eprintln!("{url}: {error}");
            return ExitCode::FAILURE;
        }
    };
    eprintln!("connected to {url}");
    let arguments: Vec<String> = arguments.collect();
    let input = if arguments.is_empty() {
        Input::Lines(read_lines())
    } else {
        Input::Arguments(arguments.into_iter())
    };
    if talk(&mut socket, input) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn connect(url: &str, config: &Config) -> Result<WebSocket<TcpStream>, Error> {
    Ok(blocking::connect_with(Request::new(url)?, config)?.socket)
}

fn usage(what: &str) -> ExitCode {
    eprintln!("{what}\n{USAGE}");
    ExitCode::FAILURE
}

/// Has the conversation, reports how it ended, and tells whether that was in good order.
fn talk(socket: &mut WebSocket<TcpStream>, input: Input) -> bool {
    let (code, reason, mut good) = match converse(socket, input) {
        Ok(()) => (CloseCode::NORMAL, "", true),
        // Whoever read what we print has seen enough.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            (CloseCode::GOING_AWAY, "", true)
        }
        Err(failure) => {
            match failure {
                Failure::Input(error) => eprintln!("standard input: {error}"),
                Failure::Output(error) => eprintln!("standard output: {error}"),
                Failure::Connection(Error::Receive(_)) => {} // the outcome says the same
                Failure::Connection(error) => eprintln!("{error}"),
            }
            (CloseCode::GOING_AWAY, "", false)
        }
    };
    // A connection that has ended already tells how.
    match socket.close(code, reason) {
        Ok(outcome) => {
            eprintln!("{outcome}");
            good &= outcome.clean;
        }
        Err(error) => {
            eprintln!("{error}");
            good = false;
        }
    }
    good
}

enum Failure {
    Connection(Error),
    Input(io::Error),
    Output(io::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Connection(error)
    }
}

/// Sends what there is and prints what comes, both at once, until there is no more of either or the
/// peer has closed.
fn converse(socket: &mut WebSocket<TcpStream>, mut input: Input) -> Result<(), Failure> {
    let (mut sent, mut received, mut last) = (0, 0, Instant::now());
    let mut more = true;
    socket.set_read_timeout(Some(LOOK_UP));
    loop {
        while more && socket.connection().queued() < AHEAD {
            match input.next().map_err(Failure::Input)? {
                Next::Message(text) => {
                    // Written, together with others, when reading would wait.
                    socket.feed(text)?;
                    sent += 1;
                    last = Instant::now();
                }
                Next::NotYet => break,
                Next::End => more = false,
            }
        }
        let done = match input {
            Input::Arguments(_) => received >= sent,
            Input::Lines(_) => last.elapsed() >= QUIET,
        };
        if done && !more {
            return Ok(());
        }
        match socket.recv() {
            Ok(Some(message)) => {
                show(&message).map_err(Failure::Output)?;
                received += 1;
                last = Instant::now();
            }
            Ok(None) => return Ok(()),
            Err(Error::WouldBlock) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn show(message: &Message) -> io::Result<()> {
    let mut output = io::stdout().lock();
    match message {
        Message::Text(text) => writeln!(output, "{text}"),
        Message::Binary(bytes) => writeln!(output, "({} bytes)", bytes.len()),
    }
}

enum Input {
    Arguments(std::vec::IntoIter<String>),
    Lines(Receiver<io::Result<String>>),
}

enum Next {
    Message(String),
    NotYet,
    End,
}

impl Input {
    fn next(&mut self) -> io::Result<Next> {
        Ok(match self {
            Self::Arguments(arguments) => arguments.next().map_or(Next::End, Next::Message),
            Self::Lines(lines) => match lines.try_recv() {
                Ok(line) => Next::Message(line?),
                Err(TryRecvError::Empty) => Next::NotYet,
                Err(TryRecvError::Disconnected) => Next::End,
            },
        })
    }
}

/// Standard input cannot be waited for together with a socket, so a thread reads it.
fn read_lines() -> Receiver<io::Result<String>> {
    let (sender, receiver) = mpsc::sync_channel(LINES_AHEAD);
    thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            let failed = line.is_err();
            if sender.send(line).is_err() || failed {
                return;
            }
        }
    });
    receiver
}
