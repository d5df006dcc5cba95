//! yawc, over the TCP stream itself. Where the opening handshake matters, or compression, which it
//! negotiates there, it is hyper that opens connections.

use std::convert::Infallible;

use futures::{FutureExt, SinkExt, StreamExt};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use support::Options;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use yawc::{CompressionLevel, DeflatePool, Frame, OpCode, Result, Role, WebSocket};

/// The batches that its own benchmarks make.
const BATCH: usize = 32;

fn main() -> std::io::Result<()> {
    let pool = DeflatePool::new(16);
    support::serve(move |stream, options| serve(stream, options, pool.clone()))
}

async fn serve(mut stream: TcpStream, options: Options, pool: DeflatePool) -> Result<()> {
    let mut ours = yawc::Options::default()
        .with_utf8()
        .with_max_payload_read(support::LARGEST);
    if options.tuned {
        // As in its own benchmarks.
        ours = ours
            .with_read_buffer_capacity(128 * 1024)
            .with_backpressure_boundary(64 * 1024);
    }
    if !options.deflate && !options.upgrade {
        support::open(&mut stream).await?;
        return echo(WebSocket::from_stream(stream, Role::Server, ours)?, options).await;
    }
    if options.deflate {
        ours = ours.with_compression_level(CompressionLevel::new(1));
        if !options.takeover {
            ours = ours
                .server_no_context_takeover()
                .client_no_context_takeover()
                .with_deflate_pool(pool);
        }
    }
    let service = service_fn(move |mut request| {
        let ours = ours.clone();
        async move {
            let (response, upgrade) = match WebSocket::upgrade_with_options(&mut request, ours) {
                Ok(upgraded) => upgraded,
                Err(error) => panic!("{error}"),
            };
            tokio::spawn(async move {
                if let Ok(socket) = upgrade.await {
                    echo(socket, options).await.ok();
                }
            });
            Ok::<_, Infallible>(response)
        }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    connection.with_upgrades().await.ok();
    Ok(())
}

async fn echo<S>(mut socket: WebSocket<S>, options: Options) -> Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(frame) = socket.next().await {
        if !is_message(&frame) {
            continue;
        }
        if !options.batch {
            socket.send(frame).await?;
            continue;
        }
        socket.feed(frame).await?;
        for _ in 1..BATCH {
            match socket.next().now_or_never() {
                Some(Some(frame)) if is_message(&frame) => socket.feed(frame).await?,
                _ => break,
            }
        }
        socket.flush().await?;
    }
    Ok(())
}

fn is_message(frame: &Frame) -> bool {
    matches!(frame.opcode(), OpCode::Text | OpCode::Binary)
}
