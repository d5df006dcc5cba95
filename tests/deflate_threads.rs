//! permessage-deflate on connections that move between threads.
#![cfg(feature = "deflate")]
#![allow(
    clippy::unwrap_used,
    reason = "a test that is wrong about its data is to fail"
)]

mod codec;

use core::fmt::Write as _;

use codec::{deflater, inflater, receive, send};
use fullduplex::deflate::ContextTakeover;
use fullduplex::deflate::codec::{Deflater, Inflater};

/// D8: a connection moves between threads, each of which has states of other connections in its
/// pool, one with an earlier window of the same connection among them. Fewer connections than a
/// pool has room for, and more.
#[test]
fn connections_move_between_threads() {
    for connections in [1, 10, 40] {
        let new = || {
            (
                deflater(ContextTakeover::On),
                inflater(ContextTakeover::On),
                String::new(),
            )
        };
        let mut pairs: Vec<_> = core::iter::repeat_with(new).take(connections).collect();
        std::thread::scope(|scope| {
            let (there, away) = std::sync::mpsc::channel::<Vec<(Deflater, Inflater, String)>>();
            let (back, home) = std::sync::mpsc::channel();
            scope.spawn(move || {
                for mut pairs in away {
                    exchange(&mut pairs);
                    back.send(pairs).unwrap();
                }
            });
            for round in 0..12 {
                exchange(&mut pairs);
                if round % 3 == 0 {
                    there.send(core::mem::take(&mut pairs)).unwrap();
                    pairs = home.recv().unwrap();
                }
            }
            drop(there);
        });
    }
}

/// D8: one direction alone is elsewhere for a message, so that the pool here keeps a window which lacks
/// that message and which the other end's does not agree with. A mutant found this untested: where both
/// directions move, their windows are out of date alike.
#[test]
fn one_end_moves_between_threads() {
    for (sender_moves, receiver_moves) in [(true, false), (false, true)] {
        let mut deflater = deflater(ContextTakeover::On);
        let mut inflater = inflater(ContextTakeover::On);
        let mut text = String::new();
        for round in 0..12 {
            write!(text, "line {round}; ").unwrap();
            let away = round % 3 == 1;
            let payload = at(away && sender_moves, || {
                send(&mut deflater, text.as_bytes())
            });
            let received = at(away && receiver_moves, || receive(&mut inflater, &payload));
            assert_eq!(received.unwrap(), text.as_bytes());
        }
    }
}

/// Runs `work` here or in another thread.
fn at<T: Send>(away: bool, work: impl FnOnce() -> T + Send) -> T {
    if away {
        std::thread::scope(|scope| scope.spawn(work).join().unwrap())
    } else {
        work()
    }
}

fn exchange(pairs: &mut [(Deflater, Inflater, String)]) {
    for (number, (deflater, inflater, text)) in pairs.iter_mut().enumerate() {
        let line = text.len();
        write!(text, "line {line} of connection {number}; ").unwrap();
        let payload = send(deflater, text.as_bytes());
        assert_eq!(receive(inflater, &payload).unwrap(), text.as_bytes());
    }
}
