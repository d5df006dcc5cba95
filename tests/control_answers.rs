//! Automatic answers to Pings (RFC 6455, sections 5.5.2 and 5.5.3).

#![allow(
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "tests have std, and a panic is how they fail"
)]

mod common;

use common::pair::{
    Act, BINARY, CHUNKS, CLOSE, CONTINUATION, End, FIN, PING, PONG, Pair, ROLES, Seen, TEXT,
    close_body, frame_to, text, timeless,
};
use fullduplex::{CloseCode, Connection, Inbox, Role, SendError};

fn payloads(end: &mut End, first: u8) -> Vec<Vec<u8>> {
    end.write_frames()
        .into_iter()
        .filter(|frame| frame.first == first)
        .map(|frame| frame.payload)
        .collect()
}

/// R6455-5.5.2-01: the Pong holds exactly what the Ping held, however the Ping arrived.
#[test]
fn a_ping_gets_a_pong_with_the_same_payload() {
    for role in ROLES {
        for chunk in CHUNKS {
            for length in [0, 1, 124, 125] {
                let payload: Vec<u8> = (0..length).map(|index| index ^ 0xa5).collect();
                let mut end = End::new(role, &timeless());
                end.receive_chunked(&frame_to(role, PING, &payload), chunk);
                assert_eq!(end.take_seen(), [Seen::Ping(payload.clone())]);
                let frames = end.write_frames();
                assert_eq!(frames.len(), 1);
                assert_eq!((frames[0].first, &frames[0].payload), (PONG, &payload));
            }
        }
    }
}

/// R6455-5.5.2-01: a Ping over a link reaches the other end and its Pong comes back as an event.
#[test]
fn the_pong_of_a_ping_comes_back() {
    for chunk in CHUNKS {
        let mut pair = Pair::new(chunk);
        pair.client.connection.ping(b"from client").unwrap();
        pair.server.connection.ping(b"from server").unwrap();
        pair.run();
        for (end, theirs, ours) in [
            (&pair.client, "from server", "from client"),
            (&pair.server, "from client", "from server"),
        ] {
            let mut seen = end.seen.clone();
            seen.sort_by_key(|event| matches!(event, Seen::Pong(_)));
            assert_eq!(
                seen,
                [
                    Seen::Ping(theirs.into()),
                    Seen::Pong(ours.as_bytes().into())
                ]
            );
        }
    }
}

/// R6455-5.5.2-01: while little waits to be written, every Ping of one read gets its own Pong, in
/// order.
#[test]
fn a_few_pings_get_a_pong_each() {
    let mut server = End::server();
    for payload in [b"1", b"2", b"3"] {
        server.receive_frame(PING, payload);
    }
    assert_eq!(payloads(&mut server, PONG), [b"1", b"2", b"3"]);
}

/// R6455-5.5.2-01: the Pong goes out before messages that are queued after the Ping came.
#[test]
fn a_pong_goes_before_later_messages() {
    for role in ROLES {
        let mut end = End::new(role, &timeless());
        end.receive_frame(PING, b"p");
        end.connection.send_text("later").unwrap();
        let order: Vec<_> = end.write_frames().iter().map(|frame| frame.first).collect();
        assert_eq!(order, [PONG, TEXT]);
    }
}

/// R6455-5.5.2-01: a long message that is being cut does not hold the Pong back.
#[test]
fn a_pong_goes_between_the_fragments_of_a_message_in_the_queue() {
    let mut config = timeless();
    config.max_frame_payload = Some(10_000);
    let mut server = End::new(Role::Server, &config);
    server.connection.send_binary(&vec![0; 500_000]).unwrap();
    server.write(1);
    server.receive_frame(PING, b"p");
    let frames = {
        server.write_all();
        server.frames()
    };
    let place = frames.iter().position(|frame| frame.first == PONG).unwrap();
    assert!(
        place <= 10,
        "the Pong was frame {place} of {}",
        frames.len()
    );
}

/// R6455-5.5.3-01: when output is backed up, only the latest Ping is answered.
#[test]
fn only_the_latest_ping_is_answered_when_output_is_backed_up() {
    for role in ROLES {
        let mut end = End::new(role, &timeless());
        end.connection.send_binary(&vec![0; 10_000]).unwrap();
        for payload in ["first", "second", "latest"] {
            end.receive_frame(PING, payload.as_bytes());
        }
        assert_eq!(payloads(&mut end, PONG), [b"latest"]);
        end.receive_frame(PING, b"again");
        assert_eq!(payloads(&mut end, PONG), [b"again"]);
    }
}

/// W2, R6455-5.5.3-01: a million Pings whose answers nobody reads leave a small queue, and when the
/// peer reads again it gets the answer to the last one.
#[test]
fn a_million_unread_pings_leave_one_answer() {
    const PINGS: u32 = 1_000_000;
    let mut connection = Connection::server(&timeless());
    let mut inbox = Inbox::new();
    let mut flood = frame_to(Role::Server, PING, &[0; 125]);
    let body = flood.len() - 125;
    flood[2..body].fill(0); // the key 0, so that the payload can be changed in place
    flood[body..].fill(b'.');
    let mut reported = 0;
    for number in 0..PINGS {
        flood[body..body + 4].copy_from_slice(&number.to_be_bytes());
        inbox.spare(0)[..flood.len()].copy_from_slice(&flood);
        inbox.received(flood.len());
        while connection.poll_event(&mut inbox).unwrap().is_some() {
            reported += 1;
        }
    }
    assert_eq!(reported, PINGS);
    assert!(connection.queued() <= 1024 + 127, "the answers are bounded");

    let mut server = End::server();
    server.connection = connection;
    let pongs = payloads(&mut server, PONG);
    assert!(pongs.len() <= 10);
    assert_eq!(pongs.last().unwrap(), &flood[body..]);
    // The connection goes on as if nothing had happened.
    server.connection.send_text("still here").unwrap();
    server.receive_frame(PING, b"p");
    let order: Vec<_> = server
        .write_frames()
        .iter()
        .map(|frame| frame.first)
        .collect();
    assert_eq!(order, [TEXT, PONG]);
}

/// W2: a flood of Pings does not keep messages from being sent.
#[test]
fn pings_do_not_fill_the_queue() {
    let mut server = End::server();
    for _ in 0..20_000 {
        server.receive_frame(PING, &[1; 125]);
    }
    server.connection.send_text("sent").unwrap();
    assert_eq!(payloads(&mut server, TEXT), [b"sent"]);
}

/// W6, R6455-5.5.3-01: a Pong that answers nothing is reported and gets no reply, a million of them
/// neither.
#[test]
fn unsolicited_pongs_get_no_reply() {
    for role in ROLES {
        let mut end = End::new(role, &timeless());
        end.receive_frame(PONG, b"unasked");
        assert_eq!(end.take_seen(), [Seen::Pong(b"unasked".to_vec())]);
        let flood = frame_to(role, PONG, b"x").repeat(1_000);
        for _ in 0..1_000 {
            end.receive(&flood);
            assert_eq!(end.take_seen().len(), 1_000);
            assert!(!end.connection.wants_write());
        }
        assert_eq!(end.error, None);
    }
}

/// R6455-5.4-01, R6455-5.5.2-01: a Ping between the fragments of a message is reported and answered
/// at once, before the message ends.
#[test]
fn a_ping_between_fragments_is_answered_at_once() {
    for role in ROLES {
        for chunk in CHUNKS {
            let mut end = End::new(role, &timeless());
            end.receive_chunked(&frame_to(role, TEXT & !FIN, b"a"), chunk);
            end.receive_chunked(&frame_to(role, PING, b"p"), chunk);
            assert_eq!(end.take_seen(), [Seen::Ping(b"p".to_vec())]);
            assert_eq!(payloads(&mut end, PONG), [b"p"]);
            end.receive_chunked(&frame_to(role, CONTINUATION, b"b"), chunk);
            assert_eq!(end.take_seen(), [text("ab")]);
        }
    }
}

/// R6455-5.5.1-04: once our Close frame was decided on, Pings are reported and not answered, and no
/// Ping or Pong is sent.
#[test]
fn nothing_is_answered_after_our_close() {
    for role in ROLES {
        for written in [false, true] {
            let mut end = End::new(role, &timeless());
            end.connection.close(CloseCode::NORMAL, "").unwrap();
            if written {
                end.write_all();
            }
            end.receive_frame(PING, b"p");
            assert_eq!(end.take_seen(), [Seen::Ping(b"p".to_vec())]);
            assert_eq!(end.connection.ping(b""), Err(SendError::Closed));
            assert_eq!(end.connection.pong(b""), Err(SendError::Closed));
            end.write_all();
            assert_eq!(end.frames().len(), 1);
            assert_eq!(end.closes().len(), 1);
        }
    }
}

/// R6455-5.5.2-01: a Ping that came before any Close is owed its Pong, also when this end closes,
/// or finds a fault, or the peer closes before the Pong left.
#[test]
fn a_pong_that_is_owed_goes_out_before_the_close() {
    let ends: [(&str, Act); 3] = [
        ("local close", |end| {
            end.connection.close(CloseCode::NORMAL, "").unwrap();
        }),
        ("close of the peer", |end| end.receive_close(1000, "")),
        ("fault", |end| end.receive(&[0x83])),
    ];
    for role in ROLES {
        for (name, finish) in ends {
            let mut end = End::new(role, &timeless());
            end.receive_frame(PING, b"owed");
            finish(&mut end);
            let order: Vec<_> = end.write_frames().iter().map(|frame| frame.first).collect();
            assert_eq!(order, [PONG, CLOSE], "{name}");
        }
    }
}

/// R6455-5.5.2-01, R6455-5.5.1-08: a Ping behind the peer's Close frame is neither reported nor
/// answered.
#[test]
fn a_ping_behind_the_close_of_the_peer_is_dropped() {
    for role in ROLES {
        let mut end = End::new(role, &timeless());
        let mut bytes = frame_to(role, CLOSE, &close_body(1000, ""));
        bytes.extend(frame_to(role, PING, b"late"));
        end.receive(&bytes);
        end.receive_frame(PING, b"later");
        assert_eq!(end.seen, [common::pair::closed(1000, "")]);
        let order: Vec<_> = end.write_frames().iter().map(|frame| frame.first).collect();
        assert_eq!(order, [CLOSE]);
    }
}

/// A Ping that is not all there is not answered yet.
#[test]
fn half_a_ping_is_not_answered() {
    let mut server = End::server();
    let ping = frame_to(Role::Server, PING, b"abc");
    server.receive(&ping[..ping.len() - 1]);
    assert!(!server.connection.wants_write());
    server.receive(&ping[ping.len() - 1..]);
    assert_eq!(payloads(&mut server, PONG), [b"abc"]);
}

/// The halves of a connection answer like the whole, if each event is handed over.
#[test]
fn split_halves_answer_when_told() {
    let (mut receiver, mut sender) = Connection::server(&timeless()).split();
    let mut bytes = frame_to(Role::Server, PING, b"p");
    bytes.extend(frame_to(Role::Server, BINARY, b"b"));
    bytes.extend(frame_to(Role::Server, CLOSE, &close_body(4000, "why")));
    let mut inbox = Inbox::from(&bytes[..]);
    while let Some(event) = receiver.poll_event(&mut inbox).unwrap() {
        sender.answer(&event);
    }
    let mut out = Vec::new();
    while sender.wants_write() {
        let chunk = bytes::Buf::chunk(sender.outgoing()).to_vec();
        bytes::Buf::advance(sender.outgoing(), chunk.len());
        out.extend(chunk);
    }
    assert_eq!(out, b"\x8a\x01p\x88\x02\x0f\xa0");
    assert_eq!(sender.send_text(""), Err(SendError::Closed));
}

/// A fault that the receiving half finds is told by the sending half, once.
#[test]
fn split_halves_tell_a_fault_once() {
    let (mut receiver, mut sender) = Connection::server(&timeless()).split();
    let mut inbox = Inbox::from(&b"\xff"[..]);
    let error = receiver.poll_event(&mut inbox).unwrap_err();
    sender.fail(&error);
    sender.fail(&error);
    let chunk = bytes::Buf::chunk(sender.outgoing()).to_vec();
    assert_eq!(
        (chunk[0], &chunk[2..4]),
        (CLOSE, &1002_u16.to_be_bytes()[..])
    );
    assert_eq!(usize::from(chunk[1]) + 2, chunk.len(), "one frame");
}
