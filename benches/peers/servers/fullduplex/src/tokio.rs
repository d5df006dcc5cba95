//! `fullduplex::tokio`. By default events are lent and answered on the connection, as the example
//! `echo_tokio` does it, and large ones detached; with `--batch`, which is `feed`, messages are
//! received and sent back.

use fullduplex::handshake::OriginPolicy;
use fullduplex::handshake::server;
use fullduplex::tokio::{WebSocket, accept};
use fullduplex::{Config, Error, Event};
use tokio::net::TcpStream;

fn main() -> std::io::Result<()> {
    let accepting = server::Options::new(OriginPolicy::any()).config(config());
    // Each way has a task of its own, as large as it needs.
    if std::env::args().any(|argument| argument == "--batch") {
        support::serve(move |stream, _| serve(stream, accepting.clone(), owned))
    } else {
        support::serve(move |stream, _| serve(stream, accepting.clone(), lent))
    }
}

fn config() -> Config {
    #[cfg_attr(not(feature = "deflate"), expect(unused_mut))]
    let mut config = Config::default();
    #[cfg(feature = "deflate")]
    {
        use fullduplex::deflate::{ContextTakeover, Deflate};
        if std::env::args().any(|argument| argument.starts_with("--deflate")) {
            let mut deflate = Deflate::new();
            if std::env::args().any(|argument| argument == "--deflate=takeover") {
                let takeover = ContextTakeover::On;
                deflate = deflate.takeover(takeover).peer_takeover(takeover);
            }
            config.deflate = Some(deflate);
        }
    }
    config
}

/// The handshake needs more than the connection. Boxed, it is freed behind it, and the task that
/// waits for messages is as small as it can be, as in the example.
fn serve<E: Future<Output = Result<(), Error>> + Send>(
    stream: TcpStream,
    accepting: server::Options,
    echo: impl FnOnce(WebSocket<TcpStream>) -> E + Send,
) -> impl Future<Output = Result<(), Error>> + Send {
    let opening = Box::pin(async move { accept(stream, &accepting).await });
    async move { echo(opening.await?).await }
}

/// From this size on, bytes are detached without a copy and written from where they are.
const LARGE: usize = 32 * 1024;

async fn lent(mut socket: WebSocket<TcpStream>) -> Result<(), Error> {
    loop {
        if socket.connection().is_full() {
            socket.flush().await?;
        }
        match socket.next_event().await? {
            Some((Event::Text(text), connection)) => connection.send_text(&text)?,
            Some((Event::Binary(bytes), connection)) => {
                if bytes.len() < LARGE {
                    connection.send_binary(&bytes)?;
                } else {
                    connection.send(bytes.into_bytes())?;
                }
            }
            Some(_) => {}
            None => return Ok(()),
        }
    }
}

async fn owned(mut socket: WebSocket<TcpStream>) -> Result<(), Error> {
    while let Some(message) = socket.recv().await? {
        socket.feed(message).await?;
    }
    Ok(())
}
