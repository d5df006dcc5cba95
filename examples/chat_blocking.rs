//! Talks to a WebSocket server: the lines of the standard input go out, and what comes in is
//! printed, both at the same time and without async.
//!
//!     cargo run --example chat_blocking -- ws://127.0.0.1:9001
//!
//! Ctrl-D closes the connection in good order. It succeeds if the connection ended so.
#![allow(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "a program"
)]

use std::io::{self, BufRead, Write};
use std::process::ExitCode;
use std::thread;

use fullduplex::blocking::{self, Error, Reader, Sender};
use fullduplex::{CloseCode, Message};

const USAGE: &str = "usage: chat_blocking [URL]";
const URL: &str = "ws://127.0.0.1:9001/";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().unwrap_or_else(|| URL.to_owned());
    if url.starts_with('-') || arguments.next().is_some() {
        eprintln!("{USAGE}");
        return ExitCode::FAILURE;
    }
    match chat(&url) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{url}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Has the conversation and tells whether it ended in good order.
fn chat(url: &str) -> Result<bool, Error> {
    let (mut reader, sender, writer) = blocking::connect(url)?.split()?;
    eprintln!("connected to {url}");
    // One thread writes, one waits for the keyboard, and this one for the server. The one at the
    // keyboard cannot be called back, and ends with the program.
    let writing = thread::spawn(|| writer.run());
    let typed = sender.clone();
    thread::spawn(move || send_lines(&typed));
    let received = print_messages(&mut reader, &sender);
    drop(reader); // closes, if it has not come to the end
    if let Ok(outcome) = writing.join() {
        eprintln!("{outcome}");
        return received.map(|()| outcome.clean);
    }
    received.map(|()| false)
}

/// Sends what is typed, and closes at the end of the input.
fn send_lines(sender: &Sender) {
    let mut code = CloseCode::NORMAL;
    for line in io::stdin().lock().lines() {
        let result = match line {
            Ok(line) => sender.send(line),
            Err(error) => {
                eprintln!("standard input: {error}");
                code = CloseCode::GOING_AWAY;
                break;
            }
        };
        if result.is_err() {
            return; // the connection is over, as the others tell
        }
    }
    // Closed already is as good.
    let _ = sender.close(code, "");
}

/// Prints what comes, until the connection ends or nobody wants to see more.
fn print_messages(reader: &mut Reader, sender: &Sender) -> Result<(), Error> {
    let mut output = io::stdout();
    while let Some(message) = reader.recv()? {
        let printed = match message {
            Message::Text(text) => writeln!(output, "{text}"),
            Message::Binary(bytes) => writeln!(output, "({} bytes)", bytes.len()),
        };
        if printed.and_then(|()| output.flush()).is_err() {
            let _ = sender.close(CloseCode::GOING_AWAY, "");
            while reader.recv()?.is_some() {}
        }
    }
    Ok(())
}
