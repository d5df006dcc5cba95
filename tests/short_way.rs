//! Messages that are sent the short way, and all that has them sent the long way again.

#![allow(
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "tests have std, and a panic is how they fail"
)]

mod common;

use bytes::Buf;
use common::pair::{BINARY, CLOSE, CONTINUATION, End, FIN, PING, PONG, ROLES, TEXT, timeless};
use fullduplex::{CloseCode, Config, Message, MessageKind, SendError};

/// An end that has sent what opens the short way, and one message on it.
fn warm(role: fullduplex::Role, config: &Config) -> End {
    let mut end = End::new(role, config);
    for _ in 0..2 {
        end.connection.send_text("warm").unwrap();
    }
    assert_eq!(sent(&mut end), [(TEXT, 4), (TEXT, 4)]);
    end
}

/// The first byte and the length of each frame that waits.
fn sent(end: &mut End) -> Vec<(u8, usize)> {
    let frames = end.write_frames().into_iter();
    frames
        .map(|frame| (frame.first, frame.payload.len()))
        .collect()
}

fn error(end: &mut End) -> Option<SendError> {
    let slice = end.connection.send_text("more").err();
    let owned = end.connection.send(Message::text("more"));
    assert_eq!(slice, owned.err().map(|unsent| unsent.error));
    slice
}

/// R6455-5.5.1-04: nothing follows our Close frame, whether we or the peer began.
#[test]
fn nothing_follows_a_close_frame() {
    for role in ROLES {
        let mut closing = warm(role, &timeless());
        closing.connection.close(CloseCode::NORMAL, "").unwrap();
        assert_eq!(error(&mut closing), Some(SendError::Closed), "{role:?}");
        assert_eq!(sent(&mut closing), [(CLOSE, 2)], "{role:?}");

        let mut closed = warm(role, &timeless());
        closed.receive_close(1000, "");
        assert_eq!(error(&mut closed), Some(SendError::Closed), "{role:?}");
        assert_eq!(sent(&mut closed), [(CLOSE, 2)], "{role:?}");

        let mut failed = warm(role, &timeless());
        failed.receive_frame(0x83, b"");
        assert_eq!(error(&mut failed), Some(SendError::Closed), "{role:?}");
        assert_eq!(sent(&mut failed).len(), 1, "{role:?}");
    }
}

#[test]
fn nothing_is_sent_after_the_end_of_the_transport() {
    for role in ROLES {
        let mut end = warm(role, &timeless());
        end.connection.received_eof();
        assert_eq!(error(&mut end), Some(SendError::Closed), "{role:?}");
        assert_eq!(end.connection.outgoing().remaining(), 0, "{role:?}");
    }
}

/// R6455-5.4-02: no message goes between the fragments of another one.
#[test]
fn an_open_message_comes_first() {
    for role in ROLES {
        let mut end = warm(role, &timeless());
        let connection = &mut end.connection;
        connection
            .send_fragment(MessageKind::Binary, b"a", false)
            .unwrap();
        assert_eq!(error(&mut end), Some(SendError::MessageOpen), "{role:?}");
        let connection = &mut end.connection;
        connection
            .send_fragment(MessageKind::Binary, b"b", true)
            .unwrap();
        assert_eq!(error(&mut end), None, "{role:?}");
        let frames = [(BINARY - FIN, 1), (CONTINUATION, 1), (TEXT, 4), (TEXT, 4)];
        assert_eq!(sent(&mut end), frames, "{role:?}");
    }
}

/// A payload that is written from where it is stands behind what was queued before it, and before
/// what comes after it. What waits counts all of it.
#[test]
fn a_large_payload_keeps_its_place() {
    const LARGE: usize = 20_000;
    for role in ROLES {
        let mut config = timeless();
        config.limits.max_outgoing = LARGE;
        let mut end = warm(role, &config);
        end.connection.send_text("before").unwrap();
        end.connection.send(vec![7; LARGE - 100]).unwrap();
        assert!(!end.connection.is_full(), "{role:?}");
        end.connection.send_binary(&[8; 125]).unwrap();
        assert!(end.connection.is_full(), "{role:?}");
        assert_eq!(error(&mut end), Some(SendError::Full), "{role:?}");
        let frames = [(TEXT, 6), (BINARY, LARGE - 100), (BINARY, 125)];
        assert_eq!(sent(&mut end), frames, "{role:?}");
        assert!(!end.connection.is_full(), "{role:?}");
        assert_eq!(error(&mut end), None, "{role:?}");
    }
}

/// What was written of the buffer already takes no part of the bound.
#[test]
fn the_queue_is_full_at_its_mark_and_not_below() {
    for role in ROLES {
        let mut config = timeless();
        config.limits.max_outgoing = 100;
        let mut end = warm(role, &config);
        let header = match role {
            fullduplex::Role::Client => 6,
            fullduplex::Role::Server => 2,
        };
        end.connection.send_binary(&[0; 50]).unwrap();
        let rest = 99 - (50 + header) - header;
        end.connection.send_binary(&vec![0; rest]).unwrap();
        assert_eq!(end.connection.outgoing().remaining(), 99);
        assert!(!end.connection.is_full(), "{role:?}");
        end.connection.send_binary(b"").unwrap();
        assert!(end.connection.is_full(), "{role:?}");
        assert_eq!(error(&mut end), Some(SendError::Full), "{role:?}");
        // A short write leaves what was written in the buffer, beyond the mark.
        end.connection.outgoing().advance(99 + header - 98);
        assert!(!end.connection.is_full(), "{role:?}");
        end.connection.send_text("").unwrap();
        assert_eq!(end.connection.outgoing().remaining(), 98 + header);
    }
}

/// Frames are cut where the configuration says so, however short.
#[test]
fn short_frames_are_cut_where_they_have_to_be() {
    for role in ROLES {
        for (most, frames) in [
            (124, vec![(BINARY - FIN, 124), (CONTINUATION, 1)]),
            (125, vec![(BINARY, 125)]),
        ] {
            let mut config = timeless();
            config.max_frame_payload = Some(most);
            let mut end = warm(role, &config);
            end.connection.send_binary(&[1; 125]).unwrap();
            assert_eq!(sent(&mut end), frames, "{role:?}");
            end.connection.send_binary(&[1; 126]).unwrap();
            let cut = [(BINARY - FIN, most), (CONTINUATION, 126 - most)];
            assert_eq!(sent(&mut end), cut, "{role:?}");
        }
    }
}

/// A Pong that had to wait goes before the next message.
#[test]
fn a_pong_that_waits_goes_before_the_next_message() {
    for role in ROLES {
        let mut end = warm(role, &timeless());
        end.connection.send_binary(&[0; 2000]).unwrap();
        end.receive_frame(PING, b"ping");
        end.connection.send_text("after").unwrap();
        let frames = [(BINARY, 2000), (PONG, 4), (TEXT, 5)];
        assert_eq!(sent(&mut end), frames, "{role:?}");
    }
}
