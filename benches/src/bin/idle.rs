//! The memory of a server's process per idle connection. `idle.sh` runs it.
//!
//!     idle [--raw] PATH-OF-SERVER CONNECTIONS
//!
//! Each connection has one message of 16 bytes echoed and is silent from then on. With `--raw` the
//! server echoes bytes: there is no handshake, and frames mean nothing to it. The first 100
//! connections are not counted, since they pay for what all share.

use std::env;
use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use fullduplex::handshake::client::Request;
use fullduplex::{Config, blocking};
use fullduplex_benches::FRAME;
use fullduplex_benches::server::Server;

const NOT_COUNTED: usize = 100;

fn main() -> ExitCode {
    let mut arguments: Vec<String> = env::args().skip(1).collect();
    let raw = arguments.first().is_some_and(|first| first == "--raw");
    if raw {
        arguments.remove(0);
    }
    let [program, connections] = &arguments[..] else {
        eprintln!("usage: idle [--raw] PATH-OF-SERVER CONNECTIONS");
        return ExitCode::FAILURE;
    };
    match run(program, connections, raw) {
        Ok(line) => {
            println!("{program}: {line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{program}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(program: &str, connections: &str, raw: bool) -> Result<String, Box<dyn Error>> {
    let connections: usize = connections.parse()?;
    let server = Server::start(program, &[])?;
    let mut open = Vec::with_capacity(NOT_COUNTED + connections);
    while open.len() < NOT_COUNTED {
        open.push(connect(&server.url, raw)?);
    }
    let before = settled(&server)?;
    while open.len() < NOT_COUNTED + connections {
        open.push(connect(&server.url, raw)?);
    }
    let held = settled(&server)? - before;
    let each = held as f64 / connections as f64;
    Ok(format!(
        "{each:.2} KiB for each of {connections} idle connections"
    ))
}

/// Resident memory, when whatever the server had still to do is done.
fn settled(server: &Server) -> Result<u64, Box<dyn Error>> {
    let mut last = server.resident()?;
    loop {
        thread::sleep(Duration::from_millis(500));
        let resident = server.resident()?;
        if resident == last {
            return Ok(resident);
        }
        last = resident;
    }
}

fn connect(url: &str, raw: bool) -> Result<TcpStream, Box<dyn Error>> {
    let (mut stream, length) = if raw {
        let stream = TcpStream::connect(url.trim_start_matches("ws://"))?;
        (stream, FRAME.len())
    } else {
        let request = Request::new(url)?;
        let opened = blocking::connect_with(request, &Config::default())?;
        // The echo has no masking key.
        (opened.socket.into_parts().0, FRAME.len() - 4)
    };
    stream.write_all(FRAME)?;
    stream.read_exact(&mut [0; FRAME.len()][..length])?;
    Ok(stream)
}
