//! tokio-tungstenite.

use futures_util::{FutureExt, SinkExt, StreamExt};
use support::Options;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Error;

fn main() -> std::io::Result<()> {
    support::serve(echo)
}

async fn echo(stream: TcpStream, options: Options) -> Result<(), Error> {
    let mut socket = tokio_tungstenite::accept_async(stream).await?;
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
