//! The outgoing stream of bytes: payloads that are not copied, and writes that fall short.

#![allow(
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "tests have std, and a panic is how they fail"
)]

mod common;

use bytes::{Buf, Bytes};
use common::pair::{End, PING, ROLES, parse_frames, timeless};
use fullduplex::{CloseCode, Config, Message, Role, SendError};
use proptest::prelude::*;

fn config_with(change: impl FnOnce(&mut Config)) -> Config {
    let mut config = timeless();
    change(&mut config);
    config
}

/// A server writes a large payload from where it is: the very same memory reaches the transport.
#[test]
fn a_server_does_not_copy_a_large_payload() {
    let payload = Bytes::from(vec![0x42; 100_000]);
    let mut server = End::server();
    server.connection.send_text("before").unwrap();
    server
        .connection
        .send(Message::Binary(payload.clone()))
        .unwrap();
    server.connection.send_text("after").unwrap();

    let outgoing = server.connection.outgoing();
    let mut slices = [std::io::IoSlice::new(&[]); 8];
    let count = outgoing.chunks_vectored(&mut slices);
    let slices = &slices[..count];
    assert_eq!(slices.len(), 3);
    assert!(std::ptr::eq(slices[1].as_ptr(), payload.as_ptr()));
    assert_eq!(slices[1].len(), payload.len());

    outgoing.advance("??before".len() + "??????????".len()); // up to the payload, headers included
    assert!(std::ptr::eq(outgoing.chunk().as_ptr(), payload.as_ptr()));
    outgoing.advance(500);
    assert!(std::ptr::eq(
        outgoing.chunk().as_ptr(),
        payload[500..].as_ptr()
    ));
}

/// R6455-10.3-01: a client masks an owned payload where it is, and a shared one in a copy, so that
/// what others hold does not change.
#[test]
fn a_client_never_changes_a_payload_that_others_hold() {
    let kept = Bytes::from(vec![0x42; 50_000]);
    let mut client = End::client();
    client
        .connection
        .send(Message::Binary(kept.clone()))
        .unwrap();
    let owned = Bytes::from(vec![0x43; 50_000]);
    let place = owned.as_ptr();
    client.connection.send(Message::Binary(owned)).unwrap();
    let outgoing = client.connection.outgoing();
    let mut slices = [std::io::IoSlice::new(&[]); 4];
    let count = outgoing.chunks_vectored(&mut slices);
    assert_eq!(count, 2);
    assert!(std::ptr::eq(slices[1].as_ptr(), place), "masked in place");

    let frames = client.write_frames();
    assert!(kept.iter().all(|byte| *byte == 0x42));
    assert!(frames[0].payload.iter().all(|byte| *byte == 0x42));
    assert!(frames[1].payload.iter().all(|byte| *byte == 0x43));
}

/// W4: short writes of every size give the same stream of bytes.
#[test]
fn short_writes_do_not_change_the_stream() {
    for role in ROLES {
        for limit in [None, Some(40_000)] {
            let fill = || {
                let config = config_with(|config| config.max_frame_payload = limit);
                let mut end = End::new(role, &config);
                end.connection.send_text("small").unwrap();
                end.connection.send(vec![1; 20_000]).unwrap();
                end.connection.send(vec![2; 100_000]).unwrap();
                end.connection.ping(b"ping").unwrap();
                end.connection.send_binary(&vec![3; 30_000]).unwrap();
                end.receive_frame(PING, b"pong");
                end.connection.close(CloseCode::NORMAL, "bye").unwrap();
                end
            };
            let whole = fill().write_all();
            assert_eq!(parse_frames(&whole).1, b"");
            for size in [1, 2, 3, 7, 125, 126, 4_096, 65_536] {
                let mut end = fill();
                while !end.write(size).is_empty() {}
                assert!(end.wire == whole, "writes of {size} bytes");
            }
        }
    }
}

/// The memory of the queue is given back although it never ran empty while it was large, however
/// often that happens.
#[test]
fn bursts_that_are_written_in_two_parts_can_go_on_for_ever() {
    let mut server = End::server();
    for _ in 0..600 {
        server.connection.send_binary(&vec![0; 200_000]).unwrap();
        server.write(190_000);
        server.write_all();
        server.wire.clear();
    }
}

/// What an application does to the queue.
#[derive(Clone, Debug)]
enum Operation {
    Copied(usize),
    Owned(usize),
    Shared(usize),
    Ping(usize),
    Answer(usize),
    Advance(usize),
    AdvanceVectored(usize),
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let size = prop_oneof![0..40_usize, 16_380..16_390_usize, 60_000..140_000_usize];
    let operation = prop_oneof![
        size.clone().prop_map(Operation::Copied),
        size.clone().prop_map(Operation::Owned),
        size.clone().prop_map(Operation::Shared),
        (0..=125_usize).prop_map(Operation::Ping),
        (0..=125_usize).prop_map(Operation::Answer),
        size.clone().prop_map(Operation::Advance),
        size.prop_map(Operation::AdvanceVectored),
    ];
    prop::collection::vec(operation, 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    /// W4: copied, owned and shared payloads, control frames and partial writes in any order give
    /// exactly the frames that were queued, in order, and no byte is lost or repeated.
    #[test]
    fn any_interleaving_gives_the_frames_that_were_queued(
        operations in operations(),
        is_client in any::<bool>(),
        limit in prop_oneof![Just(None), (1_000..50_000_usize).prop_map(Some)],
    ) {
        let role = if is_client { Role::Client } else { Role::Server };
        let config = config_with(|config| config.max_frame_payload = limit);
        let mut end = End::new(role, &config);
        let mut messages = Vec::new();
        let mut pings = Vec::new();
        for (index, operation) in operations.into_iter().enumerate() {
            let fill = u8::try_from(index).unwrap();
            let payload = |size| vec![fill; size];
            match operation {
                Operation::Copied(size) => {
                    if end.connection.send_binary(&payload(size)).is_ok() {
                        messages.push(payload(size));
                    }
                }
                Operation::Owned(size) => {
                    if end.connection.send(payload(size)).is_ok() {
                        messages.push(payload(size));
                    }
                }
                Operation::Shared(size) => {
                    let bytes = Bytes::from(payload(size));
                    if end.connection.send(Message::Binary(bytes.clone())).is_ok() {
                        messages.push(payload(size));
                    }
                    drop(bytes);
                }
                Operation::Ping(size) => {
                    if end.connection.ping(&payload(size)).is_ok() {
                        pings.push(payload(size));
                    }
                }
                Operation::Answer(size) => end.receive_frame(PING, &payload(size)),
                Operation::Advance(size) => {
                    end.write(size.max(1));
                }
                Operation::AdvanceVectored(size) => write_vectored(&mut end, size),
            }
        }
        end.write_all();
        let mut joined = Vec::new();
        for frame in end.frames() {
            match frame.first & 0x0f {
                0x2 => joined.push(frame.payload),
                0x0 => joined.last_mut().unwrap().extend(frame.payload),
                0x9 => prop_assert_eq!(frame.payload, pings.remove(0)),
                opcode => prop_assert_eq!(opcode, 0xa),
            }
        }
        prop_assert!(pings.is_empty());
        prop_assert!(joined == messages);
        prop_assert_eq!(end.connection.queued(), 0);
    }
}

/// A vectored write that takes up to `size` bytes, which may end inside any slice.
fn write_vectored(end: &mut End, size: usize) {
    let outgoing = end.connection.outgoing();
    let mut slices = [std::io::IoSlice::new(&[]); 3];
    let count = outgoing.chunks_vectored(&mut slices);
    let mut bytes: Vec<u8> = slices[..count]
        .iter()
        .flat_map(|slice| slice.to_vec())
        .collect();
    bytes.truncate(size);
    outgoing.advance(bytes.len());
    end.wire.extend(bytes);
}

/// W1: a message that was refused says why, in the words of the error that it comes with.
#[test]
fn a_refused_message_says_why() {
    let mut config = timeless();
    config.limits.max_outgoing = 0;
    let mut server = End::new(Role::Server, &config);
    let full = server.connection.send(Message::text("kept")).unwrap_err();
    server.receive_eof();
    let closed = server.connection.send(Message::text("kept")).unwrap_err();
    for (unsent, error) in [(full, SendError::Full), (closed, SendError::Closed)] {
        assert_eq!(unsent.to_string(), error.to_string());
        let source = std::error::Error::source(&unsent).unwrap();
        assert_eq!(source.downcast_ref(), Some(&error));
        assert_eq!(SendError::from(unsent), error);
    }
}
