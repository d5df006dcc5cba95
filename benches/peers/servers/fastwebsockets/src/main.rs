//! fastwebsockets over the TCP stream itself, which is faster than through hyper. Where the opening
//! handshake matters it is hyper that opens connections, as in its example.

use fastwebsockets::{FragmentCollector, OpCode, Role, WebSocket, WebSocketError, upgrade};
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use support::Options;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::unconstrained;

fn main() -> std::io::Result<()> {
    support::serve(|stream, options| unconstrained(serve(stream, options)))
}

async fn serve(mut stream: TcpStream, options: Options) -> Result<(), WebSocketError> {
    if !options.upgrade {
        support::open(&mut stream).await?;
        return echo(WebSocket::after_handshake(stream, Role::Server)).await;
    }
    let service = service_fn(|mut request: Request<Incoming>| async move {
        let (response, upgraded) = upgrade::upgrade(&mut request)?;
        tokio::spawn(unconstrained(async move { echo(upgraded.await?).await }));
        Ok::<_, WebSocketError>(response)
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    connection.with_upgrades().await.ok();
    Ok(())
}

async fn echo<S>(socket: WebSocket<S>) -> Result<(), WebSocketError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut socket = FragmentCollector::new(socket);
    loop {
        let frame = socket.read_frame().await?;
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => socket.write_frame(frame).await?,
            _ => {}
        }
    }
}
