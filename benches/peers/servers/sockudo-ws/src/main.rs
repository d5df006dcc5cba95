//! sockudo-ws, opened as in its example.

use bytes::BytesMut;
use futures_util::{FutureExt, Sink, SinkExt, Stream, StreamExt};
use sockudo_ws::deflate::{DeflateConfig, DeflateNegotiation, negotiate_server_deflate};
use sockudo_ws::error::{Error, Result};
use sockudo_ws::handshake::{build_response, generate_accept_key, parse_request};
use sockudo_ws::protocol::Message;
use sockudo_ws::stream::CompressedWebSocketStream;
use sockudo_ws::{Config, WebSocketStream};
use support::Options;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn main() -> std::io::Result<()> {
    support::serve(serve)
}

async fn serve(mut stream: TcpStream, options: Options) -> Result<()> {
    let deflate = open(&mut stream, options).await?;
    let config = Config::default();
    match deflate {
        None => echo(WebSocketStream::server(stream, config), options).await,
        Some(deflate) => {
            let socket = CompressedWebSocketStream::server(stream, config, deflate);
            echo(socket, options).await
        }
    }
}

async fn echo<S>(mut socket: S, options: Options) -> Result<()>
where
    S: Stream<Item = Result<Message>> + Sink<Message, Error = Error> + Unpin,
{
    while let Some(message) = socket.next().await {
        let message = message?;
        if !is_data(&message) {
            continue;
        }
        if !options.batch {
            socket.send(message).await?;
            continue;
        }
        socket.feed(message).await?;
        while let Some(Some(message)) = socket.next().now_or_never() {
            let message = message?;
            if is_data(&message) {
                socket.feed(message).await?;
            }
        }
        socket.flush().await?;
    }
    Ok(())
}

fn is_data(message: &Message) -> bool {
    matches!(message, Message::Text(_) | Message::Binary(_))
}

async fn open(stream: &mut TcpStream, options: Options) -> Result<Option<DeflateConfig>> {
    let mut head = BytesMut::with_capacity(4096);
    loop {
        if stream.read_buf(&mut head).await? == 0 {
            return Err(Error::ConnectionClosed);
        }
        let Some((request, _)) = parse_request(&head)? else {
            continue;
        };
        let policy = DeflateConfig {
            compression_level: 1,
            server_no_context_takeover: !options.takeover,
            client_no_context_takeover: !options.takeover,
            ..DeflateConfig::default()
        };
        let offer = request.extensions.filter(|_| options.deflate);
        let agreed = offer.and_then(|offer| negotiate_server_deflate(offer, &policy));
        let extensions = agreed.as_ref().map(DeflateNegotiation::to_response_header);
        let key = generate_accept_key(request.key);
        let response = build_response(&key, None, extensions.as_deref());
        stream.write_all(&response).await?;
        return Ok(agreed.map(|agreed| agreed.config));
    }
}
