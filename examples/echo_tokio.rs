//! Echoes text and binary messages: a tokio task per connection.
//!
//!     cargo run --release --features tokio --example echo_tokio [ADDR]
//!         [--deflate[=takeover]] [--verbose | --quiet]
//!
//! Open the printed address in a browser (http instead of ws) for a page that talks to it. Ctrl-C
//! closes all connections with 1001.
#![allow(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "a program"
)]

use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

#[cfg(feature = "deflate")]
use fullduplex::deflate::{ContextTakeover, Deflate};
use fullduplex::handshake::OriginPolicy;
use fullduplex::handshake::server::{Acceptance, Options, Response};
use fullduplex::tokio::{self as ws, Error, Incoming, Shutdown, WebSocket};
use fullduplex::{CloseCode, Config, Connection, Event, SendError};
use tokio::net::{TcpListener, TcpStream};

const USAGE: &str = "usage: echo_tokio [ADDR] [--deflate[=takeover]] [--verbose | --quiet]";

/// How long connections may take to say good-bye at the end.
const GOOD_BYE: Duration = Duration::from_secs(6);

/// The page for browsers. It needs nothing but itself, and says so.
const PAGE: &str = include_str!("echo.html");
const PAGE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; \
                           script-src 'unsafe-inline'; connect-src 'self' ws: wss:";

#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Log {
    Nothing,
    Connections,
    Messages,
}

struct Server {
    options: Options,
    log: Log,
    shutdown: Shutdown,
    sessions: AtomicU32,
}

#[tokio::main]
async fn main() -> ExitCode {
    let mut address = None;
    let mut log = Log::Connections;
    #[cfg_attr(
        not(feature = "deflate"),
        expect(unused_mut, reason = "nothing to choose")
    )]
    let mut config = Config::default();
    for argument in std::env::args_os().skip(1) {
        match &*argument.to_string_lossy() {
            #[cfg(feature = "deflate")]
            "--deflate" => config.deflate = Some(Deflate::new()),
            #[cfg(feature = "deflate")]
            "--deflate=takeover" => {
                let takeover = ContextTakeover::On;
                config.deflate = Some(Deflate::new().takeover(takeover).peer_takeover(takeover));
            }
            "--verbose" => log = Log::Messages,
            "--quiet" => log = Log::Nothing,
            "--help" | "-h" => {
                println!("{USAGE}");
                return ExitCode::SUCCESS;
            }
            other if other.starts_with('-') || address.is_some() => {
                eprintln!("unknown argument {other}\n{USAGE}");
                return ExitCode::FAILURE;
            }
            other => address = Some(other.to_owned()),
        }
    }
    let address = address.unwrap_or_else(|| "127.0.0.1:9001".to_owned());
    let server = Arc::new(Server {
        // Browsers may connect from the page below only; other programs send no Origin.
        options: Options::new(OriginPolicy::same_origin()).config(config),
        log,
        shutdown: Shutdown::new(),
        sessions: AtomicU32::new(0),
    });
    // A task, not what `main` blocks on: the threads that run the connections accept them, too. What
    // one thread allocates fits together, and a connection takes a fifth less.
    let running = tokio::spawn(run(address.clone(), server)).await;
    match running.unwrap_or_else(|panic| Err(io::Error::other(panic))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{address}: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(address: String, server: Arc<Server>) -> io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    // Whoever started this may have closed the output.
    let _ = writeln!(io::stdout(), "listening on ws://{}", listener.local_addr()?);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    tokio::spawn(Arc::clone(&server).serve(stream, peer));
                }
                // Out of file descriptors, or gone before it was accepted: others may still come.
                Err(error) => {
                    server.say(Log::Connections, format_args!("accept: {error}"));
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            },
            signal = tokio::signal::ctrl_c() => {
                signal?;
                break;
            }
        }
    }
    let going_away = server
        .shutdown
        .close_all(CloseCode::GOING_AWAY, "the server ends");
    going_away.map_err(io::Error::other)?;
    // Asked twice: at once.
    tokio::select! {
        left = server.shutdown.finished(tokio::time::sleep(GOOD_BYE)) => {
            if left > 0 {
                server.say(Log::Connections, format_args!("{left} connections cut off"));
            }
            Ok(())
        }
        _ = tokio::signal::ctrl_c() => std::process::exit(130),
    }
}

impl Server {
    /// The opening handshake.
    async fn open(
        self: Arc<Self>,
        session: u32,
        stream: TcpStream,
        peer: SocketAddr,
    ) -> Option<WebSocket<TcpStream>> {
        match self.open_or_serve_page(session, stream, peer).await {
            Ok(socket) => socket,
            Err(error) => {
                self.say(
                    Log::Connections,
                    format_args!("[{session}] {peer}: {error}"),
                );
                None
            }
        }
    }

    async fn open_or_serve_page(
        &self,
        session: u32,
        stream: TcpStream,
        peer: SocketAddr,
    ) -> Result<Option<WebSocket<TcpStream>>, Error> {
        match ws::receive_tcp(stream, &self.options).await? {
            Incoming::Upgrade(upgrade) => {
                let path = upgrade.request().path();
                self.say(
                    Log::Connections,
                    format_args!("[{session}] {peer} opened {path}"),
                );
                Ok(Some(upgrade.accept(Acceptance::new()).await?))
            }
            Incoming::Http(http) => {
                let (method, path) = (http.request().method(), http.request().path());
                self.say(
                    Log::Messages,
                    format_args!("[{session}] {peer}: {method} {path}"),
                );
                let response = match (method, path) {
                    ("GET" | "HEAD", "/") => Response::new(200)?
                        .header("Content-Type", "text/html; charset=utf-8")?
                        .header("Content-Security-Policy", PAGE_POLICY)?
                        .body(PAGE),
                    ("GET" | "HEAD", _) => Response::not_found(),
                    _ => Response::new(405)?.header("Allow", "GET, HEAD")?,
                };
                http.respond(&response).await?;
                Ok(None)
            }
        }
    }

    /// What this holds while it waits is what a connection costs. An async fn would hold its
    /// arguments twice, and the handshake needs more than the connection: boxed, it is freed behind
    /// it.
    fn serve(
        self: Arc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
    ) -> impl Future<Output = ()> + Send {
        let session = self.sessions.fetch_add(1, Ordering::Relaxed) + 1;
        let opening = Box::pin(Arc::clone(&self).open(session, stream, peer));
        async move {
            let Some(mut socket) = opening.await else {
                return;
            };
            socket.close_on(&self.shutdown);
            let result = loop {
                // The peer does not read its echoes: nothing more of it is read before it does.
                if socket.connection().is_full()
                    && let Err(error) = socket.flush().await
                {
                    break Err(error);
                }
                // The answer goes out when nothing more is there to be read: one write for many.
                match socket.next_event().await {
                    Ok(Some((event, connection))) => {
                        if let Err(error) = self.echo(session, &event, connection) {
                            break Err(error.into());
                        }
                    }
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(error),
                }
            };
            match (socket.outcome(), result) {
                (Some(outcome), _) => {
                    self.say(Log::Connections, format_args!("[{session}] {outcome}"));
                }
                (None, Err(error)) => {
                    self.say(Log::Connections, format_args!("[{session}] ended: {error}"));
                }
                (None, Ok(())) => {}
            }
        }
    }

    fn echo(
        &self,
        session: u32,
        event: &Event<'_>,
        connection: &mut Connection,
    ) -> Result<(), SendError> {
        let echoed = match event {
            Event::Text(text) => {
                let length = text.len();
                self.say(
                    Log::Messages,
                    format_args!("[{session}] text, {length} bytes"),
                );
                connection.send_text(text)
            }
            Event::Binary(bytes) => {
                let length = bytes.len();
                self.say(
                    Log::Messages,
                    format_args!("[{session}] binary, {length} bytes"),
                );
                connection.send_binary(bytes)
            }
            _ => Ok(()),
        };
        match echoed {
            // The server ends: what still comes gets no echo.
            Err(SendError::Closed) => Ok(()),
            echoed => echoed,
        }
    }

    fn say(&self, level: Log, text: std::fmt::Arguments<'_>) {
        if level <= self.log {
            // Nobody can be told that nobody can be told.
            let _ = writeln!(io::stderr(), "{text}");
        }
    }
}
