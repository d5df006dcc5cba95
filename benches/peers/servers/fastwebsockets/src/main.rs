//! fastwebsockets over the TCP stream itself, which is faster than through hyper's upgrade.

use fastwebsockets::{FragmentCollector, OpCode, Role, WebSocket, WebSocketError};
use support::Options;
use tokio::net::TcpStream;

fn main() -> std::io::Result<()> {
    // As its example does.
    support::serve(|stream, options| tokio::task::unconstrained(echo(stream, options)))
}

async fn echo(mut stream: TcpStream, _: Options) -> Result<(), WebSocketError> {
    support::open(&mut stream).await?;
    let mut socket = FragmentCollector::new(WebSocket::after_handshake(stream, Role::Server));
    loop {
        let frame = socket.read_frame().await?;
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => socket.write_frame(frame).await?,
            _ => {}
        }
    }
}
