//! What WebSockets make of the streams of HTTP/2: their ends and their flow control (RFC 8441, 5).
//! The client's frames are written by hand, the server is hyper.
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

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use fullduplex::{CloseCode, Error, Message, ReceiveError};
use h2::{Reason, RecvStream, SendStream};
use stacks::{Raw, Socket, WINDOW, in_time};

const HELLO: &[u8] = b"\x81\x85\0\0\0\0hello";
const CLOSE: &[u8] = b"\x88\x82\0\0\0\0\x03\xe8";

/// A client that writes by hand, and the server's end of its WebSocket.
async fn open() -> (Raw, SendStream<Bytes>, RecvStream, Socket) {
    let (stream, mut opened) = stacks::serve_http2();
    let mut raw = Raw::over(stream).await;
    let (send, receive) = raw.open().await;
    (raw, send, receive, opened.recv().await.unwrap())
}

fn write(send: &mut SendStream<Bytes>, bytes: &'static [u8]) {
    send.send_data(Bytes::from_static(bytes), false).unwrap();
}

/// What is received up to the end of the stream.
async fn read_to_end(receive: &mut RecvStream) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(data) = receive.data().await {
        let data = data.unwrap();
        receive.flow_control().release_capacity(data.len()).unwrap();
        all.extend_from_slice(&data);
    }
    all
}

/// The server's connection has ended abnormally, and says so.
async fn assert_abnormal(mut server: Socket) {
    let error = server.recv().await.unwrap_err();
    assert!(
        matches!(error, Error::Receive(ReceiveError::UnexpectedEof)),
        "{error:?}"
    );
    let outcome = server.outcome().unwrap();
    assert!(!outcome.clean, "{outcome:?}");
    assert_eq!(outcome.code(), CloseCode::ABNORMAL);
}

/// R8441-3-01: a client can tell, and a server that has not announced it answers no request.
#[tokio::test]
async fn without_the_setting_there_is_no_extended_connect() {
    in_time(async {
        let executor = hyper_util::rt::TokioExecutor::new();
        let silent = hyper::server::conn::http2::Builder::new(executor);
        let (stream, _opened) = stacks::serve_http2_by(&silent);
        let mut raw = Raw::over(stream).await;
        assert!(!raw.sender.is_extended_connect_protocol_enabled());
        let (response, _send) = raw.ask();
        let error = response.await.unwrap_err();
        assert_eq!(error.reason(), Some(Reason::PROTOCOL_ERROR));

        let (stream, _opened) = stacks::serve_http2();
        let raw = Raw::over(stream).await;
        assert!(raw.sender.is_extended_connect_protocol_enabled());
    })
    .await;
}

/// R8441-5-04: the closing handshake ends with `END_STREAM`, the server's first.
#[tokio::test]
async fn the_orderly_end_is_the_end_of_the_stream() {
    in_time(async {
        let (_raw, mut send, mut receive, mut server) = open().await;
        write(&mut send, HELLO);
        write(&mut send, CLOSE);
        assert_eq!(server.recv().await.unwrap(), Some(Message::text("hello")));
        assert_eq!(server.recv().await.unwrap(), None);
        assert!(server.outcome().unwrap().clean);
        assert_eq!(read_to_end(&mut receive).await, b"\x88\x02\x03\xe8");
        assert!(receive.is_end_stream());
    })
    .await;
}

/// R8441-5-04: `END_STREAM` without Close is 1006.
#[tokio::test]
async fn the_end_of_the_stream_without_close_is_abnormal() {
    in_time(async {
        let (_raw, mut send, _receive, mut server) = open().await;
        write(&mut send, HELLO);
        send.send_data(Bytes::new(), true).unwrap();
        assert_eq!(server.recv().await.unwrap(), Some(Message::text("hello")));
        assert_abnormal(server).await;
    })
    .await;
}

/// R8441-5-04: `RST_STREAM` with CANCEL is 1006.
#[tokio::test]
async fn a_cancelled_stream_is_abnormal() {
    in_time(async {
        let (_raw, mut send, _receive, server) = open().await;
        send.send_reset(Reason::CANCEL);
        assert_abnormal(server).await;
    })
    .await;
}

/// R8441-5-04: the other way round, a WebSocket that is dropped ends its stream without Close.
#[tokio::test]
async fn a_websocket_that_is_dropped_ends_its_stream() {
    in_time(async {
        let (_raw, _send, mut receive, server) = open().await;
        drop(server);
        assert_eq!(read_to_end(&mut receive).await, b"");
    })
    .await;
}

/// R8441-5-04: empty DATA frames are nothing.
#[tokio::test]
async fn empty_data_frames_are_no_end() {
    in_time(async {
        let (mut raw, mut send, _receive, mut server) = open().await;
        for byte in HELLO.chunks(1) {
            write(&mut send, b"");
            write(&mut send, byte);
            raw.round_trip().await;
        }
        write(&mut send, b"");
        assert_eq!(server.recv().await.unwrap(), Some(Message::text("hello")));
    })
    .await;
}

/// R8441-5-05: what the application does not receive is not granted to the peer.
#[tokio::test]
async fn the_window_opens_as_the_application_receives() {
    const LENGTH: usize = 16_000;
    in_time(async {
        let (mut raw, mut send, _receive, mut server) = open().await;
        let mut frame = b"\x82\xfe\x3e\x80\0\0\0\0".to_vec();
        frame.resize(8 + LENGTH, b'x');
        let frame = Bytes::from(frame);

        // As many as the window takes, and half of one more.
        let whole = WINDOW / frame.len();
        let half = WINDOW - whole * frame.len();
        for _ in 0..whole {
            send.send_data(frame.clone(), false).unwrap();
        }
        send.send_data(frame.slice(..half), false).unwrap();
        send.reserve_capacity(1);
        raw.round_trip().await;
        raw.round_trip().await;
        assert_eq!(send.capacity(), 0, "nothing was received yet");

        for _ in 0..whole {
            let message = server.recv().await.unwrap().unwrap();
            assert_eq!(message.as_bytes().len(), LENGTH);
        }
        while send.capacity() == 0 {
            poll_fn(|cx| send.poll_capacity(cx)).await.unwrap().unwrap();
        }
        send.send_data(frame.slice(half..), false).unwrap();
        let message = server.recv().await.unwrap().unwrap();
        assert_eq!(message.as_bytes().len(), LENGTH);
    })
    .await;
}

/// R8441-5-05: a server waits for a peer that grants nothing, and queues no more than its limit.
#[tokio::test]
async fn a_sender_waits_for_the_window() {
    const LENGTH: usize = 64 * 1024;
    const COUNT: usize = 64;
    in_time(async {
        let (mut raw, mut send, mut receive, mut server) = open().await;
        let fed = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&fed);
        let sending = tokio::spawn(async move {
            for _ in 0..COUNT {
                server
                    .feed(Message::binary(vec![b'x'; LENGTH]))
                    .await
                    .unwrap();
                counter.fetch_add(1, Ordering::Relaxed);
            }
            server.close(CloseCode::NORMAL, "").await.unwrap()
        });
        for _ in 0..100 {
            raw.round_trip().await;
        }
        let waiting = fed.load(Ordering::Relaxed) * LENGTH;
        let queue = (1 << 20) + 2 * LENGTH; // the outgoing queue's limit, and what may exceed it
        assert!(
            waiting > 0 && waiting <= queue + WINDOW + LENGTH,
            "{waiting}"
        );

        write(&mut send, CLOSE);
        let received = read_to_end(&mut receive).await;
        assert_eq!(received.len(), COUNT * (10 + LENGTH) + 4);
        assert!(sending.await.unwrap().clean);
        assert_eq!(fed.load(Ordering::Relaxed), COUNT);
    })
    .await;
}
