//! The client side of the Autobahn test suite over tokio: echoes in every case that the fuzzing
//! server has.
//!
//!     cargo run --release --features tokio --example autobahn_client_tokio -- ws://127.0.0.1:9002
#![allow(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "a program"
)]

use std::process::ExitCode;

use fullduplex::Config;
#[cfg(feature = "deflate")]
use fullduplex::deflate::Deflate;
use fullduplex::handshake::client::Request;
use fullduplex::tokio::{self as ws, Error, WebSocket};
use tokio::net::TcpStream;

#[tokio::main]
async fn main() -> ExitCode {
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
        eprintln!("usage: autobahn_client_tokio URL [--deflate]");
        return ExitCode::FAILURE;
    };
    let agent = std::env::var("AUTOBAHN_AGENT").unwrap_or_else(|_| "fullduplex".into());
    match run(url.trim_end_matches('/'), &agent, &config).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{url}: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(url: &str, agent: &str, config: &Config) -> Result<(), Error> {
    let mut socket = connect(url, "getCaseCount", config).await?;
    let count = socket.recv().await?;
    let count = count.and_then(|message| message.as_text()?.parse().ok());
    let count: u32 = count.unwrap_or_default();
    while socket.recv().await?.is_some() {}

    for case in 1..=count {
        let path = format!("runCase?case={case}&agent={agent}");
        let mut socket = connect(url, &path, config).await?;
        // Most cases end in a failure that they provoke; what counts is the suite's verdict.
        if let Err(error) = echo(&mut socket).await {
            eprintln!("case {case}: {error}");
        }
    }

    let path = format!("updateReports?agent={agent}");
    let mut socket = connect(url, &path, config).await?;
    while socket.recv().await?.is_some() {}
    Ok(())
}

async fn connect(url: &str, path: &str, config: &Config) -> Result<WebSocket<TcpStream>, Error> {
    let request = Request::new(&format!("{url}/{path}"))?;
    let stream = TcpStream::connect(url.trim_start_matches("ws://")).await?;
    stream.set_nodelay(true)?;
    Ok(ws::connect_over(stream, request, config).await?.socket)
}

async fn echo(socket: &mut WebSocket<TcpStream>) -> Result<(), Error> {
    while let Some(message) = socket.recv().await? {
        socket.feed(message).await?;
    }
    Ok(())
}
