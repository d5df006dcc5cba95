//! web-socket. It reads a header with a read of its own, so that the stream has to be buffered.

use std::io;

use support::Options;
use tokio::io::BufReader;
use tokio::net::TcpStream;
use web_socket::{DataType, Event, MessageType, WebSocket};

fn main() -> io::Result<()> {
    support::serve(echo)
}

async fn echo(mut stream: TcpStream, _: Options) -> io::Result<()> {
    support::open(&mut stream).await?;
    let mut socket = WebSocket::server(BufReader::new(stream));
    loop {
        match socket.recv().await? {
            Event::Data { ty, data } => match ty {
                DataType::Complete(MessageType::Binary) => socket.send(&*data).await?,
                DataType::Complete(MessageType::Text) => {
                    socket
                        .send(str::from_utf8(&data).map_err(io::Error::other)?)
                        .await?;
                }
                DataType::Stream(_) => return Err(io::Error::other("fragments are not expected")),
            },
            Event::Ping(data) => socket.send_pong(data).await?,
            Event::Pong(_) => {}
            Event::Error(_) | Event::Close { .. } => return Ok(()),
        }
    }
}
