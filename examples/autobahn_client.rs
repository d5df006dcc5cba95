//! The client side of the Autobahn test suite: echoes in every case that the fuzzing server has.
//!
//!     cargo run --release --example autobahn_client -- ws://127.0.0.1:9002
#![allow(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "a program"
)]

use std::process::ExitCode;

use fullduplex::Config;
use fullduplex::blocking::{self, Error, WebSocket};
#[cfg(feature = "deflate")]
use fullduplex::deflate::Deflate;
use fullduplex::handshake::client::Request;

fn main() -> ExitCode {
    #[cfg_attr(
        not(feature = "deflate"),
        expect(unused_mut, reason = "nothing to choose")
    )]
    let mut config = Config::default();
    let mut url = std::env::var("AUTOBAHN_URL").ok();
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            #[cfg(feature = "deflate")]
            "--deflate" => config.deflate = Some(Deflate::new()),
            _ => url = Some(argument),
        }
    }
    let Some(url) = url else {
        eprintln!("usage: autobahn_client URL [--deflate]");
        return ExitCode::FAILURE;
    };
    let agent = std::env::var("AUTOBAHN_AGENT").unwrap_or_else(|_| "fullduplex".into());
    match run(url.trim_end_matches('/'), &agent, &config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{url}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(url: &str, agent: &str, config: &Config) -> Result<(), Error> {
    let mut socket = blocking::connect(&format!("{url}/getCaseCount"))?;
    let count = socket
        .recv()?
        .and_then(|message| message.as_text()?.parse().ok());
    let count: u32 = count.unwrap_or_default();
    while socket.recv()?.is_some() {}

    for case in 1..=count {
        let request = Request::new(&format!("{url}/runCase?case={case}&agent={agent}"))?;
        let mut socket = blocking::connect_with(request, config)?.socket;
        // Most cases end in a failure that they provoke; what counts is the suite's verdict.
        if let Err(error) = echo(&mut socket) {
            eprintln!("case {case}: {error}");
        }
    }

    let mut socket = blocking::connect(&format!("{url}/updateReports?agent={agent}"))?;
    while socket.recv()?.is_some() {}
    Ok(())
}

fn echo(socket: &mut WebSocket<std::net::TcpStream>) -> Result<(), Error> {
    while let Some(message) = socket.recv()? {
        socket.feed(message)?;
    }
    Ok(())
}
