//! Failing the connection (RFC 6455, section 7.1.7): each fault of a peer, its close code, and that
//! it is final.

#![allow(
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "tests have std, and a panic is how they fail"
)]

mod common;

use common::pair::{
    BINARY, CHUNKS, CLOSE, CONTINUATION, End, FIN, PING, PONG, Pair, ROLES, Seen, TEXT, close_body,
    frame_to, text, timeless,
};
use fullduplex::frame::FrameError;
use fullduplex::{
    CloseCode, Config, MaskKeys, Message, MessageKind, ReceiveError, Role, SendError, State,
};

/// Limits small enough to exceed.
fn small() -> Config {
    let mut config = timeless();
    config.limits.max_frame = 200;
    config.limits.max_message = 300;
    config.limits.max_fragments = 3;
    config
}

/// Every fault that bytes can cause: the frames that cause it, what is reported, and the code.
fn faults(role: Role) -> Vec<(Vec<u8>, ReceiveError, u16)> {
    let frame = |first, payload: &[u8]| frame_to(role, first, payload);
    let join = |frames: &[Vec<u8>]| frames.concat();
    let fragment = |length| frame(0, &vec![b'x'; length]);
    let wrong_mask = match role {
        Role::Server => (frame_to(Role::Client, TEXT, b"x"), FrameError::Unmasked),
        Role::Client => (frame_to(Role::Server, TEXT, b"x"), FrameError::Masked),
    };
    let masked = if role == Role::Server { 0x80 } else { 0 };
    let utf8 = |bytes: &[u8]| {
        let error = std::str::from_utf8(bytes).unwrap_err();
        ReceiveError::InvalidUtf8(error.into())
    };
    vec![
        (vec![0xf2], FrameError::ReservedBits(7).into(), 1002),
        (vec![0xc2], FrameError::ReservedBits(4).into(), 1002),
        (vec![0x83], FrameError::UnknownOpcode(3).into(), 1002),
        (vec![0x8f], FrameError::UnknownOpcode(15).into(), 1002),
        (vec![0x09], FrameError::FragmentedControl.into(), 1002),
        (
            vec![PING, masked | 0x7e],
            FrameError::ControlTooLong.into(),
            1002,
        ),
        (
            frame(CONTINUATION, b"x"),
            FrameError::UnexpectedContinuation.into(),
            1002,
        ),
        (
            join(&[frame(TEXT & !FIN, b"a"), frame(BINARY, b"b")]),
            FrameError::ExpectedContinuation.into(),
            1002,
        ),
        (wrong_mask.0, wrong_mask.1.into(), 1002),
        (
            vec![BINARY, masked | 0x7e, 0, 125],
            FrameError::NonMinimalLength.into(),
            1002,
        ),
        (
            vec![BINARY, masked | 0x7f, 0x80, 0, 0, 0, 0, 0, 0, 0],
            FrameError::LengthTopBit.into(),
            1002,
        ),
        (
            frame(BINARY, &[0; 201]),
            ReceiveError::FrameTooBig {
                length: 201,
                limit: 200,
            },
            1009,
        ),
        (
            join(&[frame(BINARY & !FIN, &[0; 200]), fragment(101)]),
            ReceiveError::MessageTooBig { limit: 300 },
            1009,
        ),
        (
            join(&[
                frame(BINARY & !FIN, b""),
                fragment(0),
                fragment(0),
                fragment(0),
            ]),
            ReceiveError::TooManyFragments { limit: 3 },
            1008,
        ),
        (frame(TEXT, b"ab\xff"), utf8(b"ab\xff"), 1007),
        (frame(TEXT, b"ab\xe2\x82"), utf8(b"ab\xe2\x82"), 1007),
        (
            join(&[frame(TEXT & !FIN, b"\xe2"), frame(CONTINUATION, b"\xe2")]),
            utf8(b"\xe2\xe2"),
            1007,
        ),
        (frame(CLOSE, b"\x03"), ReceiveError::CloseTooShort, 1002),
        (
            frame(CLOSE, b"\x03\xed"),
            ReceiveError::InvalidCloseCode(1005),
            1002,
        ),
        (
            frame(CLOSE, b"\x03\xe8\xff"),
            ReceiveError::InvalidCloseReason,
            1007,
        ),
    ]
}

fn assert_sends_refused(end: &mut End) {
    let connection = &mut end.connection;
    assert_eq!(connection.send_text("x"), Err(SendError::Closed));
    assert_eq!(connection.send_binary(b"x"), Err(SendError::Closed));
    assert_eq!(connection.ping(b""), Err(SendError::Closed));
    assert_eq!(connection.pong(b""), Err(SendError::Closed));
    let fragment = connection.send_fragment(MessageKind::Text, b"x", false);
    assert_eq!(fragment, Err(SendError::Closed));
    let unsent = connection.send(Message::text("kept")).unwrap_err();
    assert_eq!(unsent.message, Message::text("kept"));
    let close = connection.close(CloseCode::NORMAL, "");
    assert_eq!(close, Err(SendError::Closed));
}

/// R6455-7.1.7-01, R6455-7.1.7-02, R6455-7.4-02, R6455-5.1-02, R6455-5.2-02, R6455-5.2-04,
/// R6455-5.5.1-02, R6455-10.7-01, U2: each fault is reported once what came before it was
/// delivered, puts its code on the wire once, and ends everything else.
#[test]
fn every_fault_fails_the_connection_with_its_code() {
    for role in ROLES {
        for (bytes, error, code) in faults(role) {
            for chunk in CHUNKS {
                let mut end = End::new(role, &small());
                let mut stream = frame_to(role, TEXT, b"before");
                stream.extend(frame_to(role, PING, b"owed"));
                stream.extend(bytes.iter());
                stream.extend(frame_to(role, TEXT, b"after"));
                stream.extend(frame_to(role, CLOSE, &close_body(1000, "")));
                end.receive_chunked(&stream, chunk);

                let context = format!("{error:?}, chunk {chunk}");
                assert_eq!(end.error, Some(error), "{context}");
                assert_eq!(error.close_code(), Some(code.into()), "{context}");
                let before = [text("before"), Seen::Ping(b"owed".to_vec())];
                assert_eq!(end.seen, before, "{context}");
                assert_eq!(end.connection.state(), State::Closing);

                end.write_all();
                end.poll();
                assert_sends_refused(&mut end);
                end.write_all();
                let frames = end.frames();
                let order: Vec<_> = frames.iter().map(|frame| frame.first).collect();
                assert_eq!(order, [PONG, CLOSE], "{context}");
                assert_eq!(
                    frames[1].payload,
                    close_body(code, &error.to_string()),
                    "{context}"
                );
                assert_eq!(end.inbox.unread(), b"", "the rest is dropped");

                end.receive_eof();
                let outcome = end.connection.outcome().unwrap();
                assert_eq!(outcome.cause, Some(error));
                assert!(!outcome.clean && outcome.received.is_none());
            }
        }
    }
}

/// R6455-5.5.1-06, R6455-7.1.7-01: a fault after our own Close frame is reported and sends no
/// second one.
#[test]
fn a_fault_while_closing_sends_no_second_close() {
    for role in ROLES {
        for (bytes, error, _) in faults(role) {
            let mut end = End::new(role, &small());
            end.connection.close(CloseCode::GOING_AWAY, "").unwrap();
            end.receive(&bytes);
            end.write_all();
            assert_eq!(end.error, Some(error));
            assert_eq!(end.closes(), [close_body(1001, "")]);
        }
    }
}

/// R6455-7.1.7-01: what is framed already goes out before the Close frame; what is not is dropped,
/// so that the peer learns of its fault soon.
#[test]
fn a_fault_drops_what_is_not_framed_yet() {
    let mut config = timeless();
    config.max_frame_payload = Some(1_000);
    let mut server = End::new(Role::Server, &config);
    server.connection.send_binary(&vec![0; 900_000]).unwrap();
    server.write(10);
    server.receive(&[0xff]);
    server.write_all();
    let frames = server.frames();
    assert!(frames.len() < 100, "{} frames went out", frames.len());
    assert_eq!(frames.last().unwrap().first, CLOSE);
    assert_eq!(server.connection.queued(), 0);
}

/// R6455-7.1.7-02: not even the Close frame with which the peer answers is looked at.
#[test]
fn the_peers_answer_to_a_fault_is_not_looked_at() {
    for chunk in CHUNKS {
        let mut pair = Pair::with(&timeless(), &timeless(), chunk);
        pair.server.receive(&[0xff]);
        pair.run();
        pair.assert_over();
        let error = pair.server.error.unwrap();
        assert_eq!(pair.client.seen, [Seen::Close(1002, error.to_string())]);
        assert_eq!(pair.server.seen, []);
        let outcome = pair.server.connection.outcome().unwrap();
        assert_eq!(outcome.received, None);
        assert_eq!(outcome.code(), CloseCode::ABNORMAL);
        assert!(pair.client.connection.outcome().unwrap().clean);
    }
}

/// R6455-5.5-01: the text of every fault fits a Close frame and is what the peer can decode.
#[test]
fn the_reason_of_a_fault_fits_a_close_frame() {
    let largest = u64::MAX;
    let mut errors: Vec<_> = faults(Role::Server)
        .into_iter()
        .map(|fault| fault.1)
        .collect();
    errors.extend([
        ReceiveError::FrameTooBig {
            length: largest,
            limit: largest,
        },
        ReceiveError::MessageTooBig { limit: largest },
        ReceiveError::TooManyFragments { limit: u32::MAX },
        ReceiveError::KeepaliveTimeout,
        ReceiveError::CloseTimeout,
        ReceiveError::UnexpectedEof,
        ReceiveError::InvalidDeflate,
    ]);
    for error in errors {
        let reason = error.to_string();
        assert!(reason.len() <= 123 && reason.is_ascii(), "{reason}");
        let code = error.close_code();
        assert!(
            code.is_none_or(|code| code.is_sendable(Role::Server)),
            "{error}"
        );
    }
}

/// R6455-7.4-02: the faults that no test above can cause have the right codes too.
#[test]
fn the_remaining_faults_map_to_codes() {
    let code = |error: ReceiveError| error.close_code();
    assert_eq!(
        code(ReceiveError::InvalidDeflate),
        Some(CloseCode::INVALID_PAYLOAD)
    );
    assert_eq!(
        code(ReceiveError::KeepaliveTimeout),
        Some(CloseCode::INTERNAL_ERROR)
    );
    assert_eq!(code(ReceiveError::UnexpectedEof), None);
    assert_eq!(code(ReceiveError::CloseTimeout), None);
}

/// An error that the application causes is not fatal: the connection goes on.
#[test]
fn a_refused_send_is_not_fatal() {
    let mut client = End::client();
    client.connection.ping(&[0; 126]).unwrap_err();
    client
        .connection
        .close(CloseCode::ABNORMAL, "")
        .unwrap_err();
    client.connection.send_text("fine").unwrap();
    assert_eq!(client.connection.state(), State::Open);
    let frames = client.write_frames();
    assert_eq!(frames.len(), 1);
    assert_eq!(frames[0].key, Some(MaskKeys::seeded([7; 32]).next_key()));
}
