//! Every order in which two halves and their stream can meet, tried by loom. A wake-up that gets
//! lost in any of them leaves a thread that waits for ever, which loom finds.
#![allow(
    clippy::unwrap_used,
    reason = "tests have std, and a panic is how they fail"
)]

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::io;

use loom::future::block_on;
use loom::sync::Mutex;
use loom::thread;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::connection::{Config, Connection, Inbox, Role};
use crate::frame::CloseCode;
use crate::tokio::WebSocket;

/// A stream that remembers one waker for reading and one for writing. It has room for `room` bytes.
#[derive(Clone, Default)]
struct Line(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    input: Vec<u8>,
    output: Vec<u8>,
    room: usize,
    ended: bool,
    reading: Option<Waker>,
    writing: Option<Waker>,
}

impl Line {
    /// What happens at the other end.
    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.0.lock().unwrap();
        change(&mut state);
        let wakers = [state.reading.take(), state.writing.take()];
        drop(state);
        for waker in wakers.into_iter().flatten() {
            waker.wake();
        }
    }
}

impl AsyncRead for Line {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.0.lock().unwrap();
        if state.input.is_empty() && !state.ended {
            state.reading = Some(cx.waker().clone());
            return Poll::Pending;
        }
        room.put_slice(&state.input);
        state.input.clear();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.0.lock().unwrap();
        let count = bytes.len().min(state.room);
        if count == 0 {
            state.writing = Some(cx.waker().clone());
            return Poll::Pending;
        }
        state.room -= count;
        state.output.extend(bytes.iter().take(count));
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Tries all orders with at most two preemptions, which is where mistakes of this kind show.
fn model(run: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(2);
    builder.check(run);
}

fn open(line: &Line) -> WebSocket<Line> {
    let mut config = Config::default();
    config.timeouts.keepalive = None;
    config.timeouts.close = None;
    let connection = Connection::server(&config);
    assert_eq!(connection.role(), Role::Server);
    WebSocket::new(line.clone(), connection, Inbox::new())
}

const PING: [u8; 6] = [0x89, 0x80, 0, 0, 0, 0];
const CLOSE: [u8; 6] = [0x88, 0x80, 0, 0, 0, 0];

/// One half waits to write its message, the other one its Pong, until there is room.
#[test]
fn both_halves_wait_for_room() {
    model(|| {
        let line = Line::default();
        let (mut reader, mut writer) = open(&line).split();
        line.change(|state| state.input.extend(PING));
        let receiving = thread::spawn(move || block_on(reader.recv()).is_err());
        let other = line.clone();
        let reading = thread::spawn(move || other.change(|state| state.room = 100));
        block_on(writer.send("hi")).unwrap();
        reading.join().unwrap();
        line.change(|state| state.ended = true);
        assert!(receiving.join().unwrap());
        let mut output = line.0.lock().unwrap().output.clone();
        output.sort_unstable();
        let mut expected = [0x8a, 0, 0x81, 2, b'h', b'i'];
        expected.sort_unstable();
        assert_eq!(output, expected);
    });
}

/// The stream ends while one half waits to write and the other one to read.
#[test]
fn the_end_wakes_both_halves() {
    model(|| {
        let line = Line::default();
        let (mut reader, mut writer) = open(&line).split();
        let other = line.clone();
        let ending = thread::spawn(move || other.change(|state| state.ended = true));
        let receiving = thread::spawn(move || block_on(reader.recv()).is_err());
        assert!(block_on(writer.send("hi")).is_err());
        assert!(receiving.join().unwrap());
        ending.join().unwrap();
    });
}

/// One half closes while the peer does.
#[test]
fn close_frames_cross() {
    model(|| {
        let line = Line::default();
        line.change(|state| state.room = 100);
        let (mut reader, mut writer) = open(&line).split();
        let other = line.clone();
        let closing = thread::spawn(move || other.change(|state| state.input.extend(CLOSE)));
        let receiving = thread::spawn(move || block_on(reader.recv()).unwrap().is_none());
        block_on(writer.close(CloseCode::NORMAL, "")).unwrap();
        closing.join().unwrap();
        assert!(receiving.join().unwrap());
        assert!(writer.outcome().unwrap().clean);
    });
}
