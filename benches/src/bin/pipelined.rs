//! Keeps 64 messages of 16 bytes under way on each of 16 connections. `syscalls.sh` runs it.
//!
//!     pipelined URL ROUNDS
//!
//! Each round writes 64 frames at once on every connection and reads their echoes. Prints how many
//! messages that was.

use std::env;
use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::thread;

use fullduplex::handshake::client::Request;
use fullduplex::{Config, blocking};
use fullduplex_benches::FRAME;

const CONNECTIONS: usize = 16;
const DEEP: usize = 64;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [url, rounds] = &arguments[..] else {
        eprintln!("usage: pipelined URL ROUNDS");
        return ExitCode::FAILURE;
    };
    match run(url, rounds) {
        Ok(messages) => {
            println!("{messages}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{url}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(url: &str, rounds: &str) -> Result<usize, Box<dyn Error>> {
    let rounds: usize = rounds.parse()?;
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        let request = Request::new(url)?;
        let opened = blocking::connect_with(request, &Config::default())?;
        let stream = opened.socket.into_parts().0;
        clients.push(thread::spawn(move || talk(stream, rounds)));
    }
    for client in clients {
        client.join().map_err(|_| "a client panicked")??;
    }
    Ok(CONNECTIONS * DEEP * rounds)
}

fn talk(mut stream: TcpStream, rounds: usize) -> std::io::Result<()> {
    let requests = FRAME.repeat(DEEP);
    let mut answers = vec![0; (FRAME.len() - 4) * DEEP]; // without masking keys
    for _ in 0..rounds {
        stream.write_all(&requests)?;
        stream.read_exact(&mut answers)?;
    }
    Ok(())
}
