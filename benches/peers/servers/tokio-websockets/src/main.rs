//! tokio-websockets.

use futures_util::{FutureExt, SinkExt, StreamExt};
use support::Options;
use tokio::net::TcpStream;
use tokio_websockets::{Config, Error, ServerBuilder};

fn main() -> std::io::Result<()> {
    // As its example does.
    support::serve(|stream, options| tokio::task::unconstrained(echo(stream, options)))
}

async fn echo(stream: TcpStream, options: Options) -> Result<(), Error> {
    let whole = Config::default().frame_size(usize::MAX);
    let (_, mut socket) = ServerBuilder::new().config(whole).accept(stream).await?;
    while let Some(message) = socket.next().await {
        let message = message?;
        if !message.is_text() && !message.is_binary() {
            continue;
        }
        if !options.batch {
            socket.send(message).await?;
            continue;
        }
        socket.feed(message).await?;
        while let Some(Some(message)) = socket.next().now_or_never() {
            let message = message?;
            if message.is_text() || message.is_binary() {
                socket.feed(message).await?;
            }
        }
        socket.flush().await?;
    }
    Ok(())
}
