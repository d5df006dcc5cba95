//! Deadlines of the async adapters: whoever waits is woken by them, whatever happened before.
//!
//! tokio's clock stands still while a test works and jumps to the next timer when it waits, so
//! these hours take no time. A deadline that wakes nobody shows as [`HANGS`].
#![cfg(feature = "tokio")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "tests have std, and a panic is how they fail"
)]

mod common;

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use common::net::REQUEST;
use common::pair::{BINARY, CLOSE, PING, TEXT, close_to, frame_to, no_timeouts, parse_frames};
use fullduplex::handshake::server::Options;
use fullduplex::handshake::{HandshakeError, OriginPolicy, client::Request};
use fullduplex::tokio::{self as ws, WebSocket};
use fullduplex::{
    CloseCode, Config, Connection, Error, Inbox, Keepalive, Message, ReceiveError, Role, Timeouts,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex, split};
use tokio::time::{Instant, sleep, timeout};

/// Longer than anything here may take.
const HANGS: Duration = Duration::from_secs(24 * 60 * 60);

const SECOND: Duration = Duration::from_secs(1);

fn server(config: &Config, room: usize) -> (WebSocket<DuplexStream>, DuplexStream) {
    let (here, there) = duplex(room);
    let connection = Connection::server(config);
    (WebSocket::new(here, connection, Inbox::new()), there)
}

fn config(change: impl FnOnce(&mut Timeouts)) -> Config {
    let mut config = Config::default();
    config.timeouts = no_timeouts();
    change(&mut config.timeouts);
    config
}

fn options() -> Options {
    Options::new(OriginPolicy::any())
}

/// Runs a future, and tells after how many seconds it was ready.
async fn timed<T>(future: impl Future<Output = T>) -> (T, u64) {
    let start = Instant::now();
    let value = timeout(HANGS, future).await.expect("nobody wakes the task");
    (value, (start.elapsed() + SECOND / 2).as_secs())
}

fn is_received(error: &Error, expected: ReceiveError) -> bool {
    matches!(error, Error::Receive(error) if *error == expected)
}

/// A silent peer is asked for a sign of life, and given up when there is none.
#[tokio::test(start_paused = true)]
async fn keepalive_wakes_who_receives() {
    let (mut socket, mut peer) = server(&Config::default(), 1024);
    let (result, seconds) = timed(socket.recv()).await;
    assert!(is_received(
        &result.unwrap_err(),
        ReceiveError::KeepaliveTimeout
    ));
    // A Ping after 20 s, no answer for 20 s, and no end of the stream for 5 s after our Close frame.
    assert_eq!(seconds, 45);
    let mut output = Vec::new();
    drop(socket);
    peer.read_to_end(&mut output).await.unwrap();
    assert_eq!(&output[..3], b"\x89\x00\x88");
}

/// As long as Pongs come back, so does the next Ping.
#[tokio::test(start_paused = true)]
async fn a_peer_that_answers_is_kept() {
    let (mut socket, mut peer) = server(&Config::default(), 1024);
    let receiving = tokio::spawn(async move { socket.recv().await });
    for _ in 0..1000 {
        let mut ping = [0; 2];
        let (read, seconds) = timed(peer.read_exact(&mut ping)).await;
        read.unwrap();
        assert_eq!((ping, seconds), ([PING, 0], 20));
        peer.write_all(&frame_to(Role::Server, 0x8a, b""))
            .await
            .unwrap();
    }
    peer.write_all(&close_to(Role::Server, 1000, ""))
        .await
        .unwrap();
    assert_eq!(receiving.await.unwrap().unwrap(), None);
}

/// The connections of a thread share memory, and no signs of life.
#[tokio::test(start_paused = true)]
async fn what_another_connection_heard_does_not_count() {
    let (mut silent, _peer) = server(&Config::default(), 1024);
    assert!(timeout(10 * SECOND, silent.recv()).await.is_err());
    let (mut other, mut peer) = server(&Config::default(), 1024);
    peer.write_all(&frame_to(Role::Server, TEXT, b"hi"))
        .await
        .unwrap();
    assert!(other.recv().await.unwrap().is_some());
    let (result, seconds) = timed(silent.recv()).await;
    assert!(is_received(
        &result.unwrap_err(),
        ReceiveError::KeepaliveTimeout
    ));
    assert_eq!(seconds, 45 - 10);
}

/// An answer that came while the application did something else is found before the peer is given
/// up.
#[tokio::test(start_paused = true)]
async fn an_answer_that_nobody_looked_at_counts() {
    let (mut socket, mut peer) = server(&Config::default(), 1024);
    assert!(timeout(21 * SECOND, socket.recv()).await.is_err()); // the Ping has left
    peer.write_all(&frame_to(Role::Server, 0x8a, b""))
        .await
        .unwrap();
    sleep(1000 * SECOND).await;
    let (result, seconds) = timed(socket.recv()).await;
    assert!(is_received(
        &result.unwrap_err(),
        ReceiveError::KeepaliveTimeout
    ));
    assert_eq!(seconds, 45);
}

/// But a peer that goes on sending does not put off the end of the closing handshake.
#[tokio::test(start_paused = true)]
async fn a_flood_does_not_put_off_the_close_deadline() {
    let (mut socket, mut peer) = server(&Config::default(), 1024);
    let flooding = tokio::spawn(async move {
        let frame = frame_to(Role::Server, TEXT, b"more");
        while peer.write_all(&frame).await.is_ok() {
            sleep(SECOND / 100).await;
        }
    });
    let (outcome, seconds) = timed(socket.close(CloseCode::NORMAL, "")).await;
    assert_eq!(outcome.unwrap().cause, Some(ReceiveError::CloseTimeout));
    assert_eq!(seconds, 5);
    drop(socket);
    flooding.await.unwrap();
}

/// The task that does the handshake need not be the one that waits afterwards.
#[tokio::test(start_paused = true)]
async fn keepalive_wakes_a_task_that_did_not_do_the_handshake() {
    for wait_before in [0, 3, 15] {
        let (here, mut peer) = duplex(4096);
        let accepting = tokio::spawn(async move { ws::accept(here, &options()).await });
        sleep(SECOND).await; // so that the handshake sets its timer
        peer.write_all(REQUEST.as_bytes()).await.unwrap();
        let mut socket = accepting.await.unwrap().unwrap();
        sleep(wait_before * SECOND).await;
        let receiving = tokio::spawn(async move { timed(socket.recv()).await });
        let (result, seconds) = receiving.await.unwrap();
        assert!(is_received(
            &result.unwrap_err(),
            ReceiveError::KeepaliveTimeout
        ));
        assert_eq!(seconds, 45);
    }
}

/// That other connections of the thread hear something says nothing about this one.
#[tokio::test(start_paused = true)]
async fn a_busy_neighbour_is_no_sign_of_life() {
    let (mut busy, mut talker) = server(&Config::default(), 1024);
    let (mut silent, _peer) = server(&Config::default(), 1024);
    let talking = async {
        loop {
            let frame = frame_to(Role::Server, TEXT, b"hi");
            talker.write_all(&frame).await.unwrap();
            assert_eq!(busy.recv().await.unwrap(), Some(Message::text("hi")));
            sleep(SECOND / 10).await;
        }
    };
    let (result, seconds) = timed(async {
        tokio::select! { result = silent.recv() => result, () = talking => unreachable!() }
    })
    .await;
    assert!(is_received(
        &result.unwrap_err(),
        ReceiveError::KeepaliveTimeout
    ));
    assert_eq!(seconds, 45);
}

/// A future may be polled by one task first and by another one later: the latest is woken.
#[tokio::test(start_paused = true)]
async fn the_handshake_deadline_wakes_the_latest_task() {
    let mut nobody = Context::from_waker(Waker::noop());

    let (here, mut peer) = duplex(1024);
    let options = options();
    let mut accepting = Box::pin(ws::accept(here, &options));
    assert!(accepting.as_mut().poll(&mut nobody).is_pending());
    let (result, seconds) = timed(accepting).await;
    let error = result.unwrap_err();
    assert!(
        matches!(error, Error::Handshake(HandshakeError::TimedOut)),
        "{error:?}"
    );
    // A peer that was refused, or gave up on, is listened to for a second more.
    assert!((10..=11).contains(&seconds), "{seconds}");
    let mut answer = String::new();
    peer.read_to_string(&mut answer).await.unwrap();
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 408 "),
        "{answer}"
    );

    let (here, _peer) = duplex(1024);
    let request = Request::new("ws://example.com/").unwrap();
    let config = Config::default();
    let mut connecting = Box::pin(ws::connect_over(here, request, &config));
    assert!(connecting.as_mut().poll(&mut nobody).is_pending());
    let (result, seconds) = timed(connecting).await;
    let error = result.unwrap_err();
    assert!(
        matches!(error, Error::Handshake(HandshakeError::TimedOut)),
        "{error:?}"
    );
    assert_eq!(seconds, 10);
}

/// A handshake deadline does not move because a byte comes now and then.
#[tokio::test(start_paused = true)]
async fn a_dribbling_peer_is_refused_in_time() {
    let (here, mut peer) = duplex(1024);
    let dribbling = tokio::spawn(async move {
        for byte in REQUEST.as_bytes() {
            sleep(SECOND).await;
            if peer.write_all(&[*byte]).await.is_err() {
                break;
            }
        }
    });
    let (result, seconds) = timed(ws::accept(here, &options())).await;
    assert!(matches!(
        result,
        Err(Error::Handshake(HandshakeError::TimedOut))
    ));
    assert!((10..=11).contains(&seconds), "{seconds}");
    dribbling.await.unwrap();
}

/// A peer that takes no byte of the response holds the server no longer than one that sends none.
#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_no_response_is_given_up() {
    let (here, mut peer) = duplex(1);
    let writing = tokio::spawn(async move {
        peer.write_all(REQUEST.as_bytes()).await.unwrap();
        peer
    });
    let (result, seconds) = timed(ws::accept(here, &options())).await;
    let error = result.unwrap_err();
    assert!(
        matches!(error, Error::Handshake(HandshakeError::TimedOut)),
        "{error:?}"
    );
    assert_eq!(seconds, 10);
    drop(writing.await.unwrap());
}

/// A peer that does not answer our Close frame is left after the deadline: by whoever closes, and
/// by the half that receives when the other one closes.
#[tokio::test(start_paused = true)]
async fn the_close_deadline_wakes_who_waits() {
    let close_only = config(|timeouts| timeouts.close = Some(5 * SECOND));
    let (mut socket, _peer) = server(&close_only, 1024);
    let (outcome, seconds) = timed(socket.close(CloseCode::NORMAL, "")).await;
    let outcome = outcome.unwrap();
    assert_eq!((outcome.clean, seconds), (false, 5));
    assert_eq!(outcome.cause, Some(ReceiveError::CloseTimeout));

    let (socket, _peer) = server(&close_only, 1024);
    let (mut reader, mut writer) = socket.split();
    let receiving = tokio::spawn(async move {
        let result = timed(reader.recv()).await;
        (result, reader.outcome())
    });
    sleep(100 * SECOND).await;
    writer.close(CloseCode::NORMAL, "").await.unwrap();
    let ((result, seconds), outcome) = receiving.await.unwrap();
    assert!(is_received(
        &result.unwrap_err(),
        ReceiveError::CloseTimeout
    ));
    assert_eq!(seconds, 105);
    assert!(!outcome.unwrap().clean);

    // The half that receives is gone: the other one has only to write.
    let (socket, _peer) = server(&close_only, 2);
    let (reader, mut writer) = socket.split();
    drop(reader);
    let (result, seconds) = timed(writer.close(CloseCode::NORMAL, "much")).await;
    assert!(is_received(
        &result.unwrap_err(),
        ReceiveError::CloseTimeout
    ));
    assert_eq!(seconds, 5);
}

/// The half that waits for room is told when the other one finds the peer gone.
#[tokio::test(start_paused = true)]
async fn keepalive_ends_both_halves() {
    let mut config = Config::default();
    config.limits.max_outgoing = 1024;
    let (socket, _peer) = server(&config, 16);
    let (mut reader, mut writer) = socket.split();
    let receiving = tokio::spawn(async move { timed(reader.recv()).await });
    let sending = tokio::spawn(async move { timed(writer.send(vec![0; 2000])).await });
    let (received, after) = receiving.await.unwrap();
    assert!(is_received(
        &received.unwrap_err(),
        ReceiveError::KeepaliveTimeout
    ));
    let (sent, also_after) = sending.await.unwrap();
    assert!(is_received(
        &sent.unwrap_err(),
        ReceiveError::KeepaliveTimeout
    ));
    assert!(after <= 45 && also_after <= 45, "{after}, {also_after}");
}

/// Who only sends, for however long, to a peer that reads and answers Pings keeps the connection.
#[tokio::test(start_paused = true)]
async fn a_slow_reader_is_no_dead_peer() {
    let (mut socket, peer) = server(&Config::default(), 64);
    let (mut from_here, mut to_here) = split(peer);
    let (sent, received) = tokio::sync::oneshot::channel();
    let answering = tokio::spawn(async move {
        let mut received: Vec<u8> = Vec::new();
        let mut answered = 0;
        let mut room = [0; 64];
        loop {
            sleep(SECOND).await;
            let count = from_here.read(&mut room).await.unwrap();
            if count == 0 {
                break;
            }
            received.extend(&room[..count]);
            let (frames, _) = parse_frames(&received);
            let pings = frames.iter().filter(|frame| frame.first == PING).count();
            for _ in answered..pings {
                to_here
                    .write_all(&frame_to(Role::Server, 0x8a, b""))
                    .await
                    .unwrap();
            }
            answered = pings;
            if frames.iter().any(|frame| frame.first == CLOSE) {
                let _ = to_here.write_all(&close_to(Role::Server, 1000, "")).await;
                break;
            }
        }
        let (frames, _) = parse_frames(&received);
        let _ = sent.send(frames.iter().filter(|frame| frame.first == BINARY).count());
    });
    // It has received something once, and so the clock of the connection runs.
    let _ = timeout(SECOND, socket.recv()).await;
    for _ in 0..200 {
        let (result, _) = timed(socket.send(vec![0; 60])).await;
        result.unwrap();
    }
    socket.close(CloseCode::NORMAL, "").await.unwrap();
    assert_eq!(received.await.unwrap(), 200);
    answering.await.unwrap();
}

/// Nothing but control frames for too long: the connection is closed with 1001.
#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed() {
    let idle = config(|timeouts| {
        timeouts.idle = Some(600 * SECOND);
        timeouts.close = Some(5 * SECOND);
    });
    let (mut socket, mut peer) = server(&idle, 1024);
    let peer = tokio::spawn(async move {
        let (mut frame, seconds) = ([0; 4], 0);
        let (read, seconds) = (timed(peer.read_exact(&mut frame)).await, seconds);
        read.0.unwrap();
        assert_eq!((frame, read.1 + seconds), ([0x88, 14, 3, 0xe9], 600));
        peer.write_all(&close_to(Role::Server, 1001, ""))
            .await
            .unwrap();
        let mut rest = Vec::new();
        peer.read_to_end(&mut rest).await.unwrap();
    });
    let (result, seconds) = timed(socket.recv()).await;
    assert_eq!((result.unwrap(), seconds), (None, 600));
    drop(socket);
    peer.await.unwrap();
}

/// A deadline that moves with each message is set anew when the timer goes off too early.
#[tokio::test(start_paused = true)]
async fn a_deadline_that_was_put_off_still_comes() {
    let mut config = Config::default();
    config.timeouts.keepalive = Some(Keepalive {
        interval: 10 * SECOND,
        timeout: 7 * SECOND,
    });
    let (mut socket, mut peer) = server(&config, 1024);
    let receiving = tokio::spawn(async move {
        let mut messages = 0;
        loop {
            match timed(socket.recv()).await {
                (Ok(_), _) => messages += 1,
                (Err(error), seconds) => break (messages, error, seconds),
            }
        }
    });
    for _ in 0..10 {
        sleep(9 * SECOND).await;
        peer.write_all(&frame_to(Role::Server, TEXT, b""))
            .await
            .unwrap();
    }
    let (messages, error, seconds) = receiving.await.unwrap();
    assert!(is_received(&error, ReceiveError::KeepaliveTimeout));
    assert_eq!((messages, seconds), (10, 10 + 7 + 5));
}

/// No deadline is so far away that it breaks the clock.
#[tokio::test(start_paused = true)]
async fn deadlines_may_be_far_away() {
    for far in [
        Duration::MAX,
        Duration::from_nanos(u64::MAX),
        Duration::from_secs(1 << 33),
    ] {
        let far_away = config(|timeouts| {
            timeouts.handshake = Some(far);
            timeouts.idle = Some(far);
            timeouts.close = Some(far);
            timeouts.keepalive = Some(Keepalive {
                interval: far,
                timeout: far,
            });
        });
        let (here, mut peer) = duplex(1024);
        let options = options().config(far_away);
        let mut accepting = pin!(ws::accept(here, &options));
        let pending = poll_fn(|cx| Poll::Ready(accepting.as_mut().poll(cx).is_pending())).await;
        assert!(pending);
        peer.write_all(REQUEST.as_bytes()).await.unwrap();
        let mut socket = accepting.await.unwrap();
        assert!(timeout(SECOND, socket.recv()).await.is_err());
        assert!(
            timeout(SECOND, socket.close(CloseCode::NORMAL, ""))
                .await
                .is_err()
        );
    }
}
