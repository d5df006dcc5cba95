//! Echoes text and binary messages: a task of smol's per connection.
//!
//!     cargo run --release --features futures --example echo_futures [ADDR]
//!         [--deflate[=takeover]] [--verbose | --quiet]
//!
//! SMOL_THREADS=N has N threads instead of one.
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
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

#[cfg(feature = "deflate")]
use fullduplex::deflate::{ContextTakeover, Deflate};
use fullduplex::futures::{self as ws, Error, Incoming, Shutdown, WebSocket};
use fullduplex::handshake::OriginPolicy;
use fullduplex::handshake::server::{Acceptance, Options, Response};
use fullduplex::{CloseCode, Config, Event, SendError};
use smol::Timer;
use smol::channel::{Receiver, bounded};
use smol::future::or;
use smol::net::{TcpListener, TcpStream};

const USAGE: &str = "usage: echo_futures [ADDR] [--deflate[=takeover]] [--verbose | --quiet]";

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
    sessions: AtomicU64,
}

fn main() -> ExitCode {
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
        sessions: AtomicU64::new(0),
    });
    match smol::block_on(run(&address, &server)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{address}: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(address: &str, server: &Arc<Server>) -> io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    let interrupted = on_interrupt()?;
    // Whoever started this may have closed the output.
    let _ = writeln!(io::stdout(), "listening on ws://{}", listener.local_addr()?);
    let accepting = async {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    smol::spawn(Arc::clone(server).serve(stream, peer)).detach();
                }
                // Out of file descriptors, or gone before it was accepted: others may still come.
                Err(error) => {
                    server.say(Log::Connections, format_args!("accept: {error}"));
                    Timer::after(Duration::from_millis(10)).await;
                }
            }
        }
    };
    let interruption = async {
        // The other end is in the handler, which lives as long as the process.
        let _ = interrupted.recv().await;
    };
    or(interruption, accepting).await;
    let going_away = server
        .shutdown
        .close_all(CloseCode::GOING_AWAY, "the server ends");
    going_away.map_err(io::Error::other)?;
    let left = server.shutdown.finished(Timer::after(GOOD_BYE)).await;
    if left > 0 {
        server.say(Log::Connections, format_args!("{left} connections cut off"));
    }
    Ok(())
}

/// Ctrl-C sends to the channel, and when it comes again it ends the process at once.
fn on_interrupt() -> io::Result<Receiver<()>> {
    let (sender, receiver) = bounded(1);
    let mut asked = false;
    let handler = move || {
        if asked {
            std::process::exit(130);
        }
        asked = true;
        let _ = sender.try_send(()); // the channel has room for one
    };
    ctrlc::set_handler(handler).map_err(io::Error::other)?;
    Ok(receiver)
}

impl Server {
    async fn serve(self: Arc<Self>, stream: TcpStream, peer: SocketAddr) {
        let session = self.sessions.fetch_add(1, Ordering::Relaxed) + 1;
        // The handshake needs more memory than the connection: boxed, it is freed behind it.
        let mut socket = match Box::pin(self.open(session, stream, peer)).await {
            Ok(Some(socket)) => socket,
            Ok(None) => return,
            Err(error) => {
                let text = format_args!("[{session}] {peer}: {error}");
                return self.say(Log::Connections, text);
            }
        };
        socket.close_on(&self.shutdown);
        let result = self.echo(session, &mut socket).await;
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

    /// The opening handshake, or a page.
    async fn open(
        &self,
        session: u64,
        stream: TcpStream,
        peer: SocketAddr,
    ) -> Result<Option<WebSocket<TcpStream>>, Error> {
        stream.set_nodelay(true)?;
        match ws::receive(stream, &self.options).await? {
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

    async fn echo(&self, session: u64, socket: &mut WebSocket<TcpStream>) -> Result<(), Error> {
        loop {
            if socket.connection().is_full() {
                // The peer does not read its echoes: nothing more of it is read before it does.
                socket.flush().await?;
            }
            // The answer goes out when nothing more is there to be read: one write for many.
            let echoed = match socket.next_event().await? {
                Some((Event::Text(text), connection)) => {
                    let length = text.len();
                    self.say(
                        Log::Messages,
                        format_args!("[{session}] text, {length} bytes"),
                    );
                    connection.send_text(&text)
                }
                Some((Event::Binary(bytes), connection)) => {
                    let length = bytes.len();
                    self.say(
                        Log::Messages,
                        format_args!("[{session}] binary, {length} bytes"),
                    );
                    connection.send_binary(&bytes)
                }
                Some(_) => Ok(()),
                None => return Ok(()),
            };
            match echoed {
                // The server ends: what still comes gets no echo.
                Ok(()) | Err(SendError::Closed) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn say(&self, level: Log, text: std::fmt::Arguments<'_>) {
        if level <= self.log {
            // Nobody can be told that nobody can be told.
            let _ = writeln!(io::stderr(), "{text}");
        }
    }
}
