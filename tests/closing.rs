//! The closing handshake (RFC 6455, sections 5.5.1 and 7).

#![allow(
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "tests have std, and a panic is how they fail"
)]

mod common;

use common::pair::{
    Act, BINARY, CHUNKS, CLOSE, CONTINUATION, End, FIN, PING, Pair, ROLES, TEXT, binary,
    close_body, close_to, closed, frame_to, text, timeless,
};
use fullduplex::{CloseCode, Message, MessageKind, Role, SendError, State};

/// What a driver is asked to do: read, write, end the transport's writing side.
fn wants(end: &End) -> (bool, bool, bool) {
    let connection = &end.connection;
    (
        connection.wants_read(),
        connection.wants_write(),
        connection.wants_shutdown(),
    )
}

const READ: (bool, bool, bool) = (true, false, false);
const READ_WRITE: (bool, bool, bool) = (true, true, false);
const SHUTDOWN: (bool, bool, bool) = (false, false, true);
const READ_SHUTDOWN: (bool, bool, bool) = (true, false, true);

fn firsts(end: &End) -> Vec<u8> {
    end.frames().iter().map(|frame| frame.first).collect()
}

/// R6455-7.1.2-01, R6455-7.4.2-01: the Close frame holds the code, big endian, and the reason.
#[test]
fn a_close_frame_holds_code_and_reason() {
    let mut server = End::server();
    server
        .connection
        .close(CloseCode::GOING_AWAY, "bye")
        .unwrap();
    assert_eq!(server.write_all(), b"\x88\x05\x03\xe9bye");
}

/// R6455-5.5.1-05, R6455-5.5.1-06, R6455-7.1.5-01, R6455-7.1.4-01: either end closes, the other
/// echoes the code, both report it, and each sends exactly one Close frame.
#[test]
fn a_closing_handshake_is_clean_at_both_ends() {
    for chunk in CHUNKS {
        for role in ROLES {
            let mut pair = Pair::with(&timeless(), &timeless(), chunk);
            let initiator = match role {
                Role::Client => &mut pair.client,
                Role::Server => &mut pair.server,
            };
            initiator
                .connection
                .close(CloseCode::from(4321), "done")
                .unwrap();
            pair.run();
            pair.assert_over();
            let (from, to) = match role {
                Role::Client => (&pair.client, &pair.server),
                Role::Server => (&pair.server, &pair.client),
            };
            assert_eq!(from.seen, [closed(4321, "")]);
            assert_eq!(to.seen, [closed(4321, "done")]);
            assert_eq!(from.closes(), [close_body(4321, "done")]);
            assert_eq!(to.closes(), [close_body(4321, "")]);
            for end in [from, to] {
                let outcome = end.connection.outcome().unwrap();
                assert!(outcome.clean && outcome.cause.is_none());
                assert_eq!(outcome.code(), CloseCode::from(4321));
            }
        }
    }
}

/// W7, R6455-5.5.1-06: when both close at once, each sends one Close frame, reports the other's,
/// and both end clean.
#[test]
fn a_simultaneous_close_is_clean() {
    for chunk in CHUNKS {
        let mut pair = Pair::with(&timeless(), &timeless(), chunk);
        pair.client
            .connection
            .close(CloseCode::NORMAL, "c")
            .unwrap();
        pair.server
            .connection
            .close(CloseCode::from(4000), "s")
            .unwrap();
        pair.run();
        pair.assert_over();
        assert_eq!(pair.client.seen, [closed(4000, "s")]);
        assert_eq!(pair.server.seen, [closed(1000, "c")]);
        for end in [&pair.client, &pair.server] {
            assert_eq!(end.closes().len(), 1);
            assert!(end.connection.outcome().unwrap().clean);
        }
    }
}

/// R6455-7.1.5-01, R6455-5.5.1-01: an empty Close frame is reported as 1005 without a reason and
/// answered with an empty one.
#[test]
fn an_empty_close_is_reported_as_1005_and_answered_empty() {
    for role in ROLES {
        for chunk in CHUNKS {
            let mut end = End::new(role, &timeless());
            end.receive_chunked(&frame_to(role, CLOSE, b""), chunk);
            assert_eq!(end.seen, [closed(1005, "")]);
            end.write_all();
            assert_eq!(end.closes(), [b""]);
            end.receive_eof();
            let outcome = end.connection.outcome().unwrap();
            assert!(outcome.clean);
            assert_eq!(outcome.code(), CloseCode::NO_STATUS);
            assert_eq!(outcome.reason(), "");
        }
    }
}

/// R6455-5.5.1-05: every code that may be received is echoed, without the reason.
#[test]
fn received_codes_are_echoed() {
    for role in ROLES {
        for code in (1000..=1003)
            .chain(1007..=1014)
            .chain([3000, 3999, 4000, 4999])
        {
            let mut end = End::new(role, &timeless());
            end.receive_close(code, "why");
            end.write_all();
            assert_eq!(end.closes(), [close_body(code, "")]);
        }
    }
}

/// RIANA-06, R6455-7.4.1-01, R6455-7.4.1-02, R6455-7.4.2-01, U3: of all 65,536 codes exactly these
/// can be sent, 1010 by a client only, and refusing one writes nothing.
#[test]
fn exactly_the_legal_codes_can_be_sent() {
    for role in ROLES {
        for code in 0..=u16::MAX {
            let legal = match code {
                1010 => role == Role::Client,
                1000..=1003 | 1007..=1014 | 3000..=4999 => true,
                _ => false,
            };
            let mut end = End::new(role, &timeless());
            let result = end.connection.close(code.into(), "");
            if legal {
                assert_eq!(result, Ok(()));
                end.write_all();
                assert_eq!(end.closes(), [close_body(code, "")]);
            } else {
                assert_eq!(result, Err(SendError::InvalidCloseCode(code.into())));
                assert_eq!(end.write_all(), b"");
                assert_eq!(end.connection.state(), State::Open);
            }
        }
    }
}

/// U3, R6455-5.5-01: a reason of 123 bytes fits, one of 124 is refused and nothing is written;
/// bytes count and not characters.
#[test]
fn a_reason_may_be_123_bytes_long() {
    let mut server = End::server();
    for long in ["x".repeat(124), "é".repeat(62), "x".repeat(100_000)] {
        let refused = Err(SendError::ReasonTooLong(long.len()));
        assert_eq!(server.connection.close(CloseCode::NORMAL, &long), refused);
        assert_eq!(server.write_all(), b"");
        assert_eq!(server.connection.state(), State::Open);
    }
    let longest = "é".repeat(61) + "x";
    server
        .connection
        .close(CloseCode::NORMAL, &longest)
        .unwrap();
    server.write_all();
    assert_eq!(server.closes(), [close_body(1000, &longest)]);
}

/// R6455-5.5.1-06: closing twice, or after the peer closed, is refused and sends nothing more.
#[test]
fn only_one_close_frame_is_ever_sent() {
    for role in ROLES {
        let mut end = End::new(role, &timeless());
        end.connection.close(CloseCode::NORMAL, "").unwrap();
        let again = end.connection.close(CloseCode::GOING_AWAY, "");
        assert_eq!(again, Err(SendError::Closed));
        end.write_all();
        end.receive_close(1001, "");
        end.write_all();
        assert_eq!(end.closes(), [close_body(1000, "")]);

        let mut end = End::new(role, &timeless());
        end.receive_close(1001, "");
        let again = end.connection.close(CloseCode::NORMAL, "");
        assert_eq!(again, Err(SendError::Closed));
        end.write_all();
        assert_eq!(end.closes(), [close_body(1001, "")]);
    }
}

/// R6455-5.5.1-04, R6455-6.1-01: after our Close frame, or theirs, nothing can be sent.
#[test]
fn nothing_can_be_sent_after_a_close() {
    let ways: [Act; 2] = [
        |end| end.connection.close(CloseCode::NORMAL, "").unwrap(),
        |end| end.receive_close(1000, ""),
    ];
    for role in ROLES {
        for close in ways {
            let mut end = End::new(role, &timeless());
            close(&mut end);
            for _ in 0..2 {
                let connection = &mut end.connection;
                assert_eq!(connection.send_text("x"), Err(SendError::Closed));
                assert_eq!(connection.send_binary(b"x"), Err(SendError::Closed));
                assert_eq!(connection.ping(b"x"), Err(SendError::Closed));
                assert_eq!(connection.pong(b"x"), Err(SendError::Closed));
                let fragment = connection.send_fragment(MessageKind::Text, b"x", true);
                assert_eq!(fragment, Err(SendError::Closed));
                let unsent = connection.send(Message::text("x")).unwrap_err();
                assert_eq!(unsent.error, SendError::Closed);
                assert_eq!(unsent.message, Message::text("x"));
                end.write_all();
            }
            assert_eq!(firsts(&end), [CLOSE]);
        }
    }
}

/// R6455-5.5.1-05: what was queued is sent before the Close frame, cut or not, on both sides.
#[test]
fn queued_messages_go_before_the_close_frame() {
    for role in ROLES {
        for limit in [None, Some(1_000)] {
            for local in [true, false] {
                let mut config = timeless();
                config.max_frame_payload = limit;
                let mut end = End::new(role, &config);
                end.connection.send_binary(&vec![1; 200_000]).unwrap();
                end.connection.send_text("last").unwrap();
                if local {
                    end.connection.close(CloseCode::NORMAL, "").unwrap();
                } else {
                    end.receive_close(1000, "");
                }
                end.write_all();
                let order = firsts(&end);
                assert_eq!(order[order.len() - 2..], [TEXT, CLOSE]);
                assert_eq!(
                    order.iter().position(|first| *first == CLOSE),
                    Some(order.len() - 1)
                );
            }
        }
    }
}

/// R6455-6.1-01, R6455-5.4-01: closing in the middle of a streamed message abandons it; the Close
/// frame may stand between its fragments.
#[test]
fn closing_abandons_a_streamed_message() {
    let mut server = End::server();
    let connection = &mut server.connection;
    connection
        .send_fragment(MessageKind::Text, b"half", false)
        .unwrap();
    connection.close(CloseCode::NORMAL, "").unwrap();
    assert_eq!(
        connection.send_fragment(MessageKind::Text, b"rest", true),
        Err(SendError::Closed)
    );
    server.write_all();
    assert_eq!(firsts(&server), [TEXT & !FIN, CLOSE]);
}

/// R6455-5.5.1-08, W7: what the peer sent before its Close frame is delivered although ours is out,
/// a message that was in the middle included.
#[test]
fn data_after_our_close_is_delivered() {
    for role in ROLES {
        for chunk in CHUNKS {
            let mut end = End::new(role, &timeless());
            end.receive_chunked(&frame_to(role, TEXT & !FIN, b"be"), chunk);
            end.connection.close(CloseCode::NORMAL, "").unwrap();
            end.write_all();
            let mut bytes = frame_to(role, CONTINUATION, b"gun");
            bytes.extend(frame_to(role, BINARY, b"more"));
            bytes.extend(close_to(role, 1000, ""));
            end.receive_chunked(&bytes, chunk);
            assert_eq!(end.seen, [text("begun"), binary(b"more"), closed(1000, "")]);
            assert_eq!(end.error, None);
        }
    }
}

/// R6455-5.5.1-08, W7: what follows the peer's Close frame is dropped unseen, even if it is
/// illegal, and takes no memory.
#[test]
fn data_after_their_close_is_dropped() {
    for role in ROLES {
        for chunk in CHUNKS {
            let mut end = End::new(role, &timeless());
            let mut bytes = close_to(role, 1000, "");
            bytes.extend(frame_to(role, TEXT, b"late"));
            bytes.extend([0xff; 40]);
            bytes.extend(close_to(role, 1001, "second"));
            end.receive_chunked(&bytes, chunk);
            assert_eq!(end.seen, [closed(1000, "")]);
            assert_eq!(end.inbox.unread(), b"");
            end.write_all();
            assert_eq!(end.closes(), [close_body(1000, "")]);
        }
    }
}

/// W7: a peer that goes on sending after our Close is parsed and delivered, and nothing piles up.
#[test]
fn a_flood_after_our_close_takes_no_memory() {
    let mut server = End::server();
    server.connection.close(CloseCode::NORMAL, "").unwrap();
    server.write_all();
    let flood = frame_to(Role::Server, BINARY, &[0; 1_000]).repeat(50);
    for _ in 0..200 {
        server.receive(&flood);
        assert_eq!(server.take_seen().len(), 50);
        assert_eq!(server.inbox.unread(), b"");
        server.receive_frame(PING, b"p");
        server.take_seen();
        assert!(!server.connection.wants_write());
    }
}

/// R6455-7.1.3-01: the connection is closing from the first Close frame in either direction, and
/// closed when the transport ended.
#[test]
fn the_state_follows_from_close_frames_and_the_end() {
    for role in ROLES {
        let mut end = End::new(role, &timeless());
        assert_eq!(end.connection.state(), State::Open);
        end.connection.close(CloseCode::NORMAL, "").unwrap();
        assert_eq!(end.connection.state(), State::Closing);
        end.write_all();
        end.receive_close(1000, "");
        assert_eq!(end.connection.state(), State::Closing);
        end.receive_eof();
        assert_eq!(end.connection.state(), State::Closed);

        let mut end = End::new(role, &timeless());
        end.receive_close(1000, "");
        assert_eq!(end.connection.state(), State::Closing);

        let mut end = End::new(role, &timeless());
        end.receive(&[0xff]);
        assert_eq!(end.connection.state(), State::Closing);

        let mut end = End::new(role, &timeless());
        end.receive_eof();
        assert_eq!(end.connection.state(), State::Closed);
    }
}

/// W8, R6455-5.5.1-07, R6455-7.1.1-02: when we close first, the server ends the transport as soon
/// as the peer's Close frame is there, and the client waits for that.
#[test]
fn the_server_ends_the_transport_first_after_a_local_close() {
    for role in ROLES {
        let mut end = End::new(role, &timeless());
        assert_eq!(wants(&end), READ);
        end.connection.close(CloseCode::NORMAL, "").unwrap();
        assert_eq!(wants(&end), READ_WRITE);
        end.write(3); // not all of it
        assert_eq!(wants(&end), READ_WRITE);
        end.write_all();
        assert_eq!(wants(&end), READ, "waiting for the peer's Close frame");
        end.receive_close(1000, "");
        let done = match role {
            Role::Client => READ,
            Role::Server => SHUTDOWN,
        };
        assert_eq!(wants(&end), done);
        end.receive_eof();
        assert_eq!(wants(&end), SHUTDOWN);
    }
}

/// W8, R6455-5.5.1-07, R6455-7.1.1-02: the same when the peer closes first.
#[test]
fn the_server_ends_the_transport_first_after_a_remote_close() {
    for role in ROLES {
        let mut end = End::new(role, &timeless());
        end.receive_close(1000, "");
        assert_eq!(wants(&end), READ_WRITE, "the reply has to leave first");
        end.write_all();
        let done = match role {
            Role::Client => READ,
            Role::Server => SHUTDOWN,
        };
        assert_eq!(wants(&end), done);
        end.receive_eof();
        assert_eq!(wants(&end), SHUTDOWN);
    }
}

/// R6455-7.1.1-02, R6455-7.1.1-01: a simultaneous close makes no difference to who ends the
/// transport: the server, and only once its own Close frame has left.
#[test]
fn the_server_waits_for_its_own_close_frame_to_leave() {
    let mut server = End::server();
    server.connection.close(CloseCode::NORMAL, "").unwrap();
    server.receive_close(1000, "");
    assert_eq!(wants(&server), READ_WRITE);
    server.write_all();
    assert_eq!(wants(&server), SHUTDOWN);
}

/// W8, R6455-7.1.7-01, R6455-7.1.1-01: after a fault both roles end the transport, once the Close
/// frame has left, and go on reading so that unread bytes do not make the transport drop it.
#[test]
fn after_a_fault_either_role_ends_the_transport() {
    for role in ROLES {
        let mut end = End::new(role, &timeless());
        end.receive(&[0xff]);
        assert_eq!(wants(&end), READ_WRITE);
        end.write_all();
        assert_eq!(wants(&end), READ_SHUTDOWN);
        end.receive(&[0; 1_000]);
        assert_eq!(wants(&end), READ_SHUTDOWN);
        end.receive_eof();
        assert_eq!(wants(&end), SHUTDOWN);
    }
}

/// W8: the end of the transport after the peer's Close frame is no error, in whichever closing
/// state it comes.
#[test]
fn the_end_after_a_clean_close_is_no_error() {
    let states: [(&str, Act); 4] = [
        ("reply not written", |end| end.receive_close(1000, "")),
        ("reply written", |end| {
            end.receive_close(1000, "");
            end.write_all();
        }),
        ("ours first, answered", |end| {
            end.connection.close(CloseCode::NORMAL, "").unwrap();
            end.write_all();
            end.receive_close(1000, "");
        }),
        ("both at once, ours not written", |end| {
            end.connection.close(CloseCode::NORMAL, "").unwrap();
            end.receive_close(1000, "");
        }),
    ];
    for role in ROLES {
        for (name, prepare) in states {
            let mut end = End::new(role, &timeless());
            prepare(&mut end);
            end.receive_eof();
            end.poll();
            assert_eq!(end.error, None, "{name}");
            assert_eq!(end.seen, [closed(1000, "")], "{name}");
            assert_eq!(end.connection.outcome().unwrap().code(), CloseCode::NORMAL);
        }
    }
}
