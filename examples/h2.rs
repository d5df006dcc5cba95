//! WebSockets over HTTP/2 (RFC 8441): many of them share one TCP connection.
//!
//!     cargo run --features http,tokio --example h2 -- serve [ADDR]
//!     cargo run --features http,tokio --example h2 -- connect ADDR [MESSAGE...]
//!
//! The server echoes. The client opens one WebSocket for each message, all over one connection,
//! and prints what comes back. Both speak HTTP/2 without TLS and from the first byte, which
//! browsers do not: they learn by TLS what a server speaks.
#![allow(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "a program"
)]

use std::convert::Infallible;
use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use fullduplex::handshake::OriginPolicy;
use fullduplex::handshake::client::{Exchange, Request};
use fullduplex::handshake::server::{Acceptance, Incoming, Options, Response};
use fullduplex::tokio::WebSocket;
use fullduplex::{CloseCode, Config, Inbox, MaskKeys, http};
use http_body_util::{Empty, Full};
use hyper::body::Incoming as Body;
use hyper::client::conn::http2::SendRequest;
use hyper::ext::Protocol;
use hyper::service::service_fn;
use hyper::upgrade::Upgraded;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};

const USAGE: &str = "usage: h2 serve [ADDR]
       h2 connect ADDR [MESSAGE...]";

/// How long the client waits for the server's settings and for each answer to a handshake.
const PATIENCE: Duration = Duration::from_secs(10);

type Socket = WebSocket<TokioIo<Upgraded>>;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match *words {
        ["serve"] => serve("127.0.0.1:9001").await,
        ["serve", address] => serve(address).await,
        ["connect", address] => connect(address, &["hello"]).await,
        ["connect", address, ref messages @ ..] => connect(address, messages).await,
        _ => Err(USAGE.into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(address: &str) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    let options = Options::new(OriginPolicy::same_origin());
    let mut http2 = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    http2.timer(TokioTimer::new());
    http2.enable_connect_protocol(); // without it, no client asks for a WebSocket
    loop {
        let (stream, _) = listener.accept().await?;
        let options = options.clone();
        let service = service_fn(move |request| {
            let response = answer(request, options.clone());
            async { Ok::<_, Infallible>(response) }
        });
        tokio::spawn(http2.serve_connection(TokioIo::new(stream), service));
    }
}

fn answer(mut request: hyper::Request<Body>, options: Options) -> hyper::Response<Full<Bytes>> {
    let version = request.version();
    let protocol = request.extensions().get::<Protocol>().map(Protocol::as_str);
    let upgrade = match http::negotiate(&request, protocol, options) {
        Ok(Incoming::Upgrade(upgrade)) => upgrade,
        Ok(Incoming::Http(_)) => {
            return http::response(&Response::not_found(), version).map(Full::new);
        }
        Err(refusal) => return refusal.response().map(Full::new),
    };
    match http::accept(upgrade, Acceptance::new()) {
        Ok((response, connection)) => {
            let stream = hyper::upgrade::on(&mut request);
            tokio::spawn(async move {
                if let Ok(stream) = stream.await {
                    let stream = TokioIo::new(stream);
                    echo(WebSocket::new(stream, connection, Inbox::new())).await;
                }
            });
            response.map(|()| Full::default())
        }
        Err(_) => http::response(&Response::forbidden(), version).map(Full::new),
    }
}

async fn echo(mut socket: Socket) {
    loop {
        match socket.recv().await {
            Ok(Some(message)) => {
                if let Err(error) = socket.send(message).await {
                    return eprintln!("{error}");
                }
            }
            Ok(None) => return,
            Err(error) => return eprintln!("{error}"),
        }
    }
}

async fn connect(address: &str, messages: &[&str]) -> Result<(), Box<dyn Error>> {
    let stream = TokioIo::new(TcpStream::connect(address).await?);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await?;
    // RFC 8441, 3: nothing is asked for before the server's settings allow it.
    tokio::time::timeout(PATIENCE, async {
        while !connection.is_extended_connect_protocol_enabled() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await
    .map_err(|_| "the server does not announce WebSockets over HTTP/2")?;
    tokio::spawn(connection);

    let mut sockets = Vec::new();
    for _ in messages {
        let request = Request::new(&format!("ws://{address}/"))?;
        sockets.push(tokio::time::timeout(PATIENCE, open(&mut sender, request)).await??);
    }
    for (socket, message) in sockets.iter_mut().zip(messages) {
        socket.send((*message).to_owned()).await?;
    }
    for mut socket in sockets {
        if let Some(message) = socket.recv().await? {
            println!("{}", message.as_text().unwrap_or("(binary)"));
        }
        socket.close(CloseCode::NORMAL, "").await?;
    }
    Ok(())
}

/// Opens a WebSocket in a stream of its own.
async fn open(
    sender: &mut SendRequest<Empty<Bytes>>,
    request: Request,
) -> Result<Socket, Box<dyn Error>> {
    let exchange = Exchange::connect(request, Config::default(), MaskKeys::thread());
    let mut request = http::request(&exchange)?.map(|()| Empty::new());
    request
        .extensions_mut()
        .insert(Protocol::from_static("websocket"));
    let response = sender.send_request(request).await?;
    let established = http::establish(exchange, &response)?;
    let stream = TokioIo::new(hyper::upgrade::on(response).await?);
    Ok(WebSocket::new(stream, established.connection, Inbox::new()))
}
