//! Sends each message that a client says to all others: a tokio task per connection.
//!
//!     cargo run --release --features tokio --example broadcast [ADDR]
//!
//! A client that reads too slowly is closed with 1008, for three reasons. Waiting for it would make
//! it everybody's speed, and keeping what it has not read would let it use memory without end. And
//! one that misses messages in the middle does not know, while one that was closed knows that it
//! has to come back and catch up. Ctrl-C closes all connections with 1001.
#![allow(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "a program"
)]

use std::io::{self, Write};
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use fullduplex::handshake::OriginPolicy;
use fullduplex::handshake::server::Options;
use fullduplex::tokio::{self as ws, Error, Reader, Shutdown, Writer};
use fullduplex::{CloseCode, Config, Message};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::broadcast::{Receiver, Sender};

/// How many messages the slowest client may be behind. All clients share them, so that this and
/// the longest message bound the memory: 16 MiB, whatever the number of clients.
const BEHIND: usize = 256;

/// The longest message.
const LONGEST: u64 = 64 * 1024;

/// What a client may have in its own queue on top of that.
const QUEUED: usize = 128 * 1024;

/// How long connections may take to say good-bye at the end.
const GOOD_BYE: Duration = Duration::from_secs(6);

/// A message, and the client that said it.
type News = (u64, Message);

#[tokio::main]
async fn main() -> ExitCode {
    let address = std::env::args().nth(1);
    let address = address.unwrap_or_else(|| "127.0.0.1:9001".to_owned());
    match run(&address).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{address}: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(address: &str) -> io::Result<()> {
    let mut config = Config::default();
    config.limits.max_message = LONGEST;
    config.limits.max_outgoing = QUEUED;
    let options = Arc::new(Options::new(OriginPolicy::same_origin()).config(config));
    let news = Sender::new(BEHIND);
    let shutdown = Shutdown::new();
    let listener = TcpListener::bind(address).await?;
    // Whoever started this may have closed the output.
    let _ = writeln!(io::stdout(), "listening on ws://{}", listener.local_addr()?);
    let accepting = async {
        for client in 1.. {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let (options, shutdown) = (Arc::clone(&options), shutdown.clone());
                    tokio::spawn(serve(client, stream, options, shutdown, news.clone()));
                }
                // Out of file descriptors, or gone before it was accepted: others may still come.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        signal = tokio::signal::ctrl_c() => signal?,
    }
    let going_away = shutdown.close_all(CloseCode::GOING_AWAY, "the server ends");
    going_away.map_err(io::Error::other)?;
    shutdown.finished(tokio::time::sleep(GOOD_BYE)).await;
    Ok(())
}

async fn serve(
    client: u64,
    stream: TcpStream,
    options: Arc<Options>,
    shutdown: Shutdown,
    news: Sender<News>,
) {
    let mut socket = match ws::accept_tcp(stream, &options).await {
        Ok(socket) => socket,
        Err(error) => return say(client, &error),
    };
    socket.close_on(&shutdown);
    let others = news.subscribe();
    say(client, &"opened");
    // Receiving has to go on while sending waits for a peer that does not read: it sees the peer
    // leave, and watches the deadlines.
    let (reader, writer) = socket.split();
    let mut listening = pin!(listen(client, reader, news));
    tokio::select! {
        () = &mut listening => {}
        // It can be sent no more: what is left is the closing handshake.
        _ = tell(client, writer, others) => listening.await,
    }
}

/// What the client says is news for the others, until it has ended.
async fn listen(client: u64, mut reader: Reader<TcpStream>, news: Sender<News>) {
    let end = loop {
        match reader.recv().await {
            Ok(Some(message)) => {
                let _ = news.send((client, message)); // there may be nobody else
            }
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    match (reader.outcome(), end) {
        (Some(outcome), _) => say(client, &outcome),
        (None, Some(error)) => say(client, &error),
        (None, None) => {}
    }
}

/// Sends the client what others say, in one write what came together. A peer that does not read at
/// all holds this up until it reads again or its deadline for Pongs ends it: meanwhile nothing is
/// kept for it but what its queue has already.
async fn tell(
    client: u64,
    mut writer: Writer<TcpStream>,
    mut news: Receiver<News>,
) -> Result<(), Error> {
    loop {
        let next = match news.try_recv() {
            Err(TryRecvError::Empty) => {
                writer.flush().await?;
                news.recv().await
            }
            Err(TryRecvError::Lagged(missed)) => Err(RecvError::Lagged(missed)),
            Err(TryRecvError::Closed) => Err(RecvError::Closed),
            Ok(next) => Ok(next),
        };
        match next {
            Ok((by, _)) if by == client => {}
            Ok((_, message)) => writer.feed(message).await?,
            Err(RecvError::Lagged(missed)) => {
                say(client, &format_args!("too slow, {missed} messages behind"));
                return writer.close(CloseCode::POLICY, "too slow").await;
            }
            Err(RecvError::Closed) => return Ok(()),
        }
    }
}

fn say(client: u64, what: &dyn std::fmt::Display) {
    // Nobody can be told that nobody can be told.
    let _ = writeln!(io::stderr(), "[{client}] {what}");
}
