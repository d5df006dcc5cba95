//! Connections that hyper and axum open, over HTTP/1.1 and HTTP/2.
#![cfg(all(feature = "http", feature = "tokio"))]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "tests have std, and a panic is how they fail"
)]

mod stacks;

use axum::body::Body;
use axum::routing::any;
use bytes::Bytes;
use fullduplex::handshake::HandshakeError;
use fullduplex::handshake::client::Request;
use fullduplex::handshake::server::{Acceptance, Incoming};
use fullduplex::tokio as ws;
use fullduplex::{CloseCode, Config, Inbox, Initiator, Message, http};
use hyper_util::rt::TokioIo;
use stacks::{Socket, connect_http1, connect_http2, http2_client, in_time, options, request};
use tokio::io::{AsyncRead, AsyncWrite, duplex};
use tokio::net::{TcpListener, TcpStream};

/// Messages and the closing handshake, both ways; the server speaks first.
async fn converse<C, S>(mut client: ws::WebSocket<C>, mut server: ws::WebSocket<S>)
where
    C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    server.send("welcome").await.unwrap();
    assert_eq!(client.recv().await.unwrap(), Some(Message::text("welcome")));
    let server = tokio::spawn(async move {
        while let Some(message) = server.recv().await.unwrap() {
            server.send(message).await.unwrap();
        }
        server.outcome().unwrap()
    });
    let long: Vec<u8> = (0..1_000_000_u32)
        .map(|n| n.to_le_bytes()[n as usize % 3])
        .collect();
    for message in [
        Message::text("hello"),
        Message::text(""),
        Message::binary(long),
    ] {
        let (mut reader, mut writer) = client.split();
        let sent = message.clone();
        let (received, writer) = tokio::join!(reader.recv(), async {
            writer.send(sent).await.unwrap();
            writer
        });
        assert!(received.unwrap() == Some(message));
        client = reader.reunite(writer).unwrap();
    }
    let outcome = client.close(CloseCode::NORMAL, "done").await.unwrap();
    assert!(outcome.clean, "{outcome:?}");
    let outcome = server.await.unwrap();
    assert!(outcome.clean, "{outcome:?}");
    assert_eq!(outcome.initiator, Initiator::Remote);
}

#[tokio::test]
async fn hyper_upgrades_connections_at_both_ends() {
    in_time(async {
        let (stream, mut opened) = stacks::serve_http1();
        let (client, subprotocol) = connect_http1(stream, request()).await.unwrap();
        assert_eq!(subprotocol.as_deref(), Some("chat"));
        converse(client, opened.recv().await.unwrap()).await;
    })
    .await;
}

#[tokio::test]
async fn a_client_of_this_crate_speaks_to_hyper() {
    in_time(async {
        let (stream, mut opened) = stacks::serve_http1();
        let connected = ws::connect_over(stream, request(), &stacks::config())
            .await
            .unwrap();
        assert_eq!(connected.subprotocol.as_deref(), Some("chat"));
        converse(connected.socket, opened.recv().await.unwrap()).await;
    })
    .await;
}

#[tokio::test]
async fn hyper_speaks_to_a_server_of_this_crate() {
    in_time(async {
        let (near, far) = duplex(1 << 16);
        let server = tokio::spawn(async move { ws::accept(far, &options()).await });
        let (client, _) = connect_http1(near, request()).await.unwrap();
        converse(client, server.await.unwrap().unwrap()).await;
    })
    .await;
}

/// After a refusal hyper closes the connection: nothing behind it is read as a request (H5).
#[tokio::test]
async fn a_refusal_can_be_read_and_ends_an_http1_connection() {
    in_time(async {
        let (stream, mut opened) = stacks::serve_http1();
        let foreign = request().origin("https://evil.test").unwrap();
        let (error, body) = connect_http1(stream, foreign).await.unwrap_err();
        let HandshakeError::Rejected(rejection) = error else {
            panic!("{error}");
        };
        assert_eq!(rejection.status, 403);
        assert_eq!(rejection.headers.text("Connection"), Some("close"));
        assert_eq!(body, "origin not allowed\n");
        assert!(opened.recv().await.is_none(), "the connection has ended");
    })
    .await;
}

/// R8441-5-02, R8441-5-03.
#[tokio::test]
async fn hyper_opens_streams_of_http2_at_both_ends() {
    in_time(async {
        let (stream, mut opened) = stacks::serve_http2();
        let mut sender = http2_client(stream).await;
        let (client, subprotocol) = connect_http2(&mut sender, request()).await.unwrap();
        assert_eq!(subprotocol.as_deref(), Some("chat"));
        converse(client, opened.recv().await.unwrap()).await;
    })
    .await;
}

/// R8441-5-03: one connection carries many WebSockets, which end each for itself.
#[tokio::test]
async fn streams_of_a_connection_are_independent() {
    in_time(async {
        let (stream, mut opened) = stacks::serve_http2();
        let mut sender = http2_client(stream).await;
        let mut pairs = Vec::new();
        for _ in 0..3 {
            let (client, _) = connect_http2(&mut sender, request()).await.unwrap();
            pairs.push((client, opened.recv().await.unwrap()));
        }
        let (first, second) = pairs.remove(1);
        converse(first, second).await;
        for (client, server) in pairs {
            converse(client, server).await;
        }
    })
    .await;
}

/// R8441-5-06: over HTTP/2 the connection goes on.
#[tokio::test]
async fn a_refusal_can_be_read_and_ends_a_stream_only() {
    in_time(async {
        let (stream, mut opened) = stacks::serve_http2();
        let mut sender = http2_client(stream).await;
        let foreign = request().origin("https://evil.test").unwrap();
        let (error, body) = connect_http2(&mut sender, foreign).await.unwrap_err();
        let HandshakeError::Rejected(rejection) = error else {
            panic!("{error}");
        };
        assert_eq!(rejection.status, 403);
        assert_eq!(body, "origin not allowed\n");
        let (client, _) = connect_http2(&mut sender, request()).await.unwrap();
        converse(client, opened.recv().await.unwrap()).await;
    })
    .await;
}

/// The handler of a server of axum's, which serves both versions.
async fn chat(mut request: axum::extract::Request) -> axum::response::Response {
    let protocol = request.extensions().get::<hyper::ext::Protocol>().cloned();
    let protocol = protocol.as_ref().map(hyper::ext::Protocol::as_str);
    let version = request.version();
    let upgrade = match http::negotiate(&request, protocol, options()) {
        Ok(Incoming::Upgrade(upgrade)) => upgrade,
        Ok(_) => {
            let answer = fullduplex::handshake::server::Response::upgrade_required();
            return http::response(&answer, version).map(Body::from);
        }
        Err(refusal) => return refusal.response().map(Body::from),
    };
    let (response, connection) = http::accept(upgrade, Acceptance::new()).unwrap();
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let stream = TokioIo::new(upgraded.await.unwrap());
        let mut socket: Socket = ws::WebSocket::new(stream, connection, Inbox::new());
        while let Ok(Some(message)) = socket.recv().await {
            socket.send(message).await.unwrap();
        }
    });
    response.map(|()| Body::empty())
}

#[tokio::test]
async fn axum_serves_both_versions() {
    in_time(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = axum::Router::new().route("/chat", any(chat));
        tokio::spawn(async move { axum::serve(listener, app).await });

        let url = format!("ws://{address}/chat");
        let stream = TcpStream::connect(address).await.unwrap();
        let request = Request::new(&url).unwrap();
        let config = Config::default();
        let mut http1 = ws::connect_over(stream, request.clone(), &config)
            .await
            .unwrap()
            .socket;
        let mut sender = http2_client(TcpStream::connect(address).await.unwrap()).await;
        let (mut http2, _) = connect_http2(&mut sender, request).await.unwrap();
        http1.send("one").await.unwrap();
        http2.send("two").await.unwrap();
        assert_eq!(http2.recv().await.unwrap(), Some(Message::text("two")));
        assert_eq!(http1.recv().await.unwrap(), Some(Message::text("one")));
        assert!(http1.close(CloseCode::NORMAL, "").await.unwrap().clean);
        assert!(http2.close(CloseCode::NORMAL, "").await.unwrap().clean);

        // No WebSocket at this path, and no page at that one.
        let request = Request::new(&format!("ws://{address}/other")).unwrap();
        let (error, _) = connect_http2(&mut sender, request).await.unwrap_err();
        assert!(matches!(error, HandshakeError::Rejected(rejection) if rejection.status == 404));
        let page = hyper::Request::get(format!("http://{address}/chat"))
            .body(http_body_util::Empty::<Bytes>::new());
        let response = sender.send_request(page.unwrap()).await.unwrap();
        assert_eq!(response.status(), 400, "426 is for HTTP/1.1");
    })
    .await;
}
