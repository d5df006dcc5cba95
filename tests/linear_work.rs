//! Work grows as the bytes do (rows F5, H1 and H3 of the attacks): four times the input is four times
//! the processor time of the thread, which is no wall-clock time: it does not grow while others run.
//!
//! The least of several runs counts, and it may be twice what is expected: fresh pages and cold caches
//! cost more than those that a small input finds. Something quadratic takes sixteen times as long.
#![cfg(unix)]
#![allow(
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "tests have std, and a panic is how they fail"
)]

#[cfg(feature = "deflate")]
mod codec;
mod common;
#[cfg(feature = "deflate")]
mod deflated;

use std::time::Duration;

use bytes::Buf;
use common::handshake::{REQUEST, RESPONSE, head, options, push, sample_keys};
use common::pair::{BINARY, CONTINUATION, FIN, PING, PONG, TEXT, frame_to, timeless};
use fullduplex::handshake::client::{self, Request};
use fullduplex::handshake::{Step, server};
use fullduplex::{Config, Connection, Delivery, Inbox, Role};
use rustix::time::{ClockId, clock_gettime};

/// How often a measurement is repeated before it counts as a failure.
const ROUNDS: usize = 15;

/// How much longer the second input is.
const LONGER: usize = 4;

/// What it may cost more.
const MOST: f64 = 2.0 * LONGER as f64;

type Work = Box<dyn FnMut()>;

/// The value of a header, of a size.
type Value = Box<dyn Fn(usize) -> String>;

/// The processor time that this thread has had.
fn now() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap()
}

fn cost(work: &mut Work) -> Duration {
    let start = now();
    work();
    now().saturating_sub(start)
}

/// The least cost of each, measured in turns, until `holds` or [`ROUNDS`] are over.
fn least(mut works: [Work; 2], holds: impl Fn([f64; 2]) -> bool) -> Result<(), [f64; 2]> {
    let mut least = [f64::MAX; 2];
    for round in 0..ROUNDS {
        for (least, work) in least.iter_mut().zip(&mut works) {
            *least = least.min(cost(work).as_secs_f64());
        }
        if round >= 2 && holds(least) {
            return Ok(());
        }
    }
    Err(least)
}

#[track_caller]
fn assert_linear(name: &str, size: usize, make: impl Fn(usize) -> Work) {
    let works = [make(size), make(LONGER * size)];
    if let Err([short, long]) = least(works, |[short, long]| long <= MOST * short) {
        panic!("{name}: {short} s for {size}, {long} s for {LONGER} times that");
    }
}

/// Feeds `wire` to a server's connection in reads of `step` bytes, which may fail at its end only.
fn received(config: &Config, wire: Vec<u8>, step: usize) -> Work {
    let config = config.clone();
    Box::new(move || {
        let mut connection = Connection::server(&config);
        let mut inbox = Inbox::new();
        feed(&mut connection, &mut inbox, &wire, step);
    })
}

fn feed(connection: &mut Connection, inbox: &mut Inbox, mut wire: &[u8], step: usize) {
    while !wire.is_empty() {
        let room = inbox.spare(0);
        let count = room.len().min(wire.len()).min(step);
        room[..count].copy_from_slice(&wire[..count]);
        inbox.received(count);
        wire = &wire[count..];
        while connection.poll_event(inbox).unwrap().is_some() {}
        let outgoing = connection.outgoing();
        outgoing.advance(outgoing.remaining());
    }
}

/// The frames of a message: a first one, others, and the last.
fn fragments(first: u8, payload: &[u8], count: usize) -> Vec<u8> {
    let mut wire = frame_to(Role::Server, first & !FIN, payload);
    wire.extend(frame_to(Role::Server, 0, payload).repeat(count));
    wire.extend(frame_to(Role::Server, CONTINUATION, payload));
    wire
}

fn unlimited() -> Config {
    let mut config = timeless();
    config.limits.max_fragments = u32::MAX;
    config.limits.max_head = usize::MAX;
    config.limits.max_headers = usize::MAX;
    config.limits.max_rejection_body = usize::MAX;
    #[cfg(feature = "deflate")]
    {
        config.deflate = Some(fullduplex::deflate::Deflate::new());
    }
    config
}

/// Gives a server the request `bytes` in reads of `step`, whatever comes of it.
fn served(bytes: Vec<u8>, step: usize) -> Work {
    let options = options().config(unlimited());
    Box::new(move || {
        let mut handshake = server::Handshake::new(options.clone());
        let mut inbox = Inbox::new();
        for piece in bytes.chunks(step) {
            push(&mut inbox, piece);
            match handshake.advance(&mut inbox) {
                Ok(Step::Continue(next)) => handshake = next,
                Ok(Step::Done(_)) | Err(_) => return,
            }
        }
        panic!("it waits for more");
    })
}

/// Gives a client the response `bytes` in reads of `step`, whatever comes of it.
fn met(bytes: Vec<u8>, step: usize) -> Work {
    Box::new(move || {
        let request = Request::new("ws://example.com/").unwrap();
        let mut handshake = client::Handshake::new(request, unlimited(), sample_keys());
        let mut inbox = Inbox::new();
        for piece in bytes.chunks(step) {
            push(&mut inbox, piece);
            match handshake.advance(&mut inbox) {
                Ok(Step::Continue(next)) => handshake = next,
                Ok(Step::Done(_)) | Err(_) => return,
            }
        }
        panic!("it waits for more");
    })
}

fn with(lines: &[&str], more: &[String]) -> Vec<u8> {
    let more = more.iter().map(String::as_str);
    head(lines.iter().copied().chain(more))
}

/// F1, F2, F4, F5, W6: frames of all kinds, in reads of all sizes.
#[test]
fn work_grows_as_the_bytes_do() {
    let config = unlimited();
    let mut pieces = unlimited();
    pieces.delivery = Delivery::Pieces;
    for (name, payload) in [("empty", &b""[..]), ("tiny", b"a")] {
        for first in [TEXT, BINARY] {
            for config in [&config, &pieces] {
                assert_linear(&format!("{name} fragments, {first:#x}"), 4_000, |n| {
                    received(config, fragments(first, payload, n), usize::MAX)
                });
            }
        }
        for first in [TEXT, BINARY, PING, PONG] {
            assert_linear(&format!("{name} messages, {first:#x}"), 4_000, |n| {
                let frame = frame_to(Role::Server, first, payload);
                received(&config, frame.repeat(n), usize::MAX)
            });
        }
    }
    assert_linear("fragments with Pings in between", 2_000, |n| {
        let mut wire = frame_to(Role::Server, TEXT & !FIN, b"a");
        let both = [
            frame_to(Role::Server, 0, b"a"),
            frame_to(Role::Server, PING, b"a"),
        ];
        wire.extend(both.concat().repeat(n));
        received(&config, wire, usize::MAX)
    });
    for first in [TEXT, BINARY] {
        for config in [&config, &pieces] {
            for step in [1, 100] {
                assert_linear(
                    &format!("{first:#x} in reads of {step}"),
                    8_000 * step,
                    |n| received(config, frame_to(Role::Server, first, &vec![b'a'; n]), step),
                );
            }
        }
    }
}

/// F5: between 32 and 64 KiB of a frame the block grew with each read, however little came.
#[test]
fn the_block_does_not_grow_for_each_byte() {
    for first in [TEXT, BINARY] {
        assert_linear(&format!("{first:#x} byte by byte"), 30_000, |n| {
            let frame = frame_to(Role::Server, first, &vec![b'a'; 200_000]);
            received(&unlimited(), frame[..n].to_vec(), 1)
        });
    }
}

/// H1, H2: heads in one read and byte by byte, of a few long lines or of many short ones.
#[test]
fn the_work_on_a_head_grows_as_the_head_does() {
    for (name, line) in [
        ("X: y", "X: y".to_owned()),
        ("long", format!("X: {}", "y".repeat(500))),
    ] {
        for step in [1, usize::MAX] {
            let count = 20_000 / line.len();
            assert_linear(&format!("{name} in reads of {step}"), count, |n| {
                served(with(&REQUEST, &vec![line.clone(); n]), step)
            });
            assert_linear(
                &format!("{name} in reads of {step}, response"),
                count,
                |n| met(with(&RESPONSE, &vec![line.clone(); n]), step),
            );
        }
    }
}

/// H3: lists in headers, odd ones too, in one line or in many.
#[test]
fn the_work_on_lists_grows_as_the_lists_do() {
    let many = |unit: &'static str| move |n: usize| unit.repeat(n);
    let lists: [(&str, Value); 12] = [
        ("spaces", Box::new(|n| format!("b{}x", " ".repeat(n)))),
        ("commas", Box::new(many(","))),
        ("tokens", Box::new(many("a,"))),
        ("long token", Box::new(many("a"))),
        (
            "escapes",
            Box::new(|n| format!("a;b=\"{}", "\\\\".repeat(n))),
        ),
        (
            "quoted",
            Box::new(|n| format!("a;b=\"{}\"", "\\c".repeat(n))),
        ),
        ("extensions", Box::new(many("a;b;c,"))),
        ("parameters", Box::new(|n| format!("a{}", ";b=1".repeat(n)))),
        (
            "names",
            Box::new(|n| {
                let names = (0..n).map(|i| format!(";p{i}"));
                format!("permessage-deflate{}", names.collect::<String>())
            }),
        ),
        (
            "the same",
            Box::new(|n| format!("permessage-deflate{}", ";client_max_window_bits".repeat(n))),
        ),
        ("offers", Box::new(many("permessage-deflate;x,"))),
        ("good offers", Box::new(many("permessage-deflate,"))),
    ];
    for (name, value) in &lists {
        for header in [
            "Sec-WebSocket-Extensions",
            "Sec-WebSocket-Protocol",
            "Connection",
            "Upgrade",
        ] {
            let lines = |n| [format!("{header}: {}", value(n))];
            assert_linear(&format!("{name} in {header}"), 4_000, |n| {
                served(with(&REQUEST, &lines(n)), usize::MAX)
            });
            assert_linear(&format!("{name} in {header} of a response"), 4_000, |n| {
                met(with(&RESPONSE, &lines(n)), usize::MAX)
            });
        }
    }
    for header in [
        "Sec-WebSocket-Extensions: a",
        "Sec-WebSocket-Protocol: a",
        "Upgrade: a",
    ] {
        assert_linear(&format!("lines of {header}"), 1_000, |n| {
            served(with(&REQUEST, &vec![header.to_owned(); n]), usize::MAX)
        });
    }
}

/// F5: the body of a refusal, in chunks of one byte and in reads of one.
#[test]
fn the_work_on_a_refusal_grows_as_its_body_does() {
    for step in [1, usize::MAX] {
        assert_linear(&format!("chunks in reads of {step}"), 2_000, |n| {
            let mut bytes = b"HTTP/1.1 403 no\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
            bytes.extend(b"1\r\nx\r\n".repeat(n));
            bytes.extend(b"0\r\n\r\n");
            met(bytes, step)
        });
        assert_linear(&format!("a body in reads of {step}"), 8_000, |n| {
            let mut bytes = format!("HTTP/1.1 403 no\r\nContent-Length: {n}\r\n\r\n").into_bytes();
            bytes.extend(vec![b'x'; n]);
            met(bytes, step)
        });
        assert_linear(&format!("interim responses in reads of {step}"), 500, |n| {
            let mut bytes = b"HTTP/1.1 100 wait\r\n\r\n".repeat(n);
            bytes.extend(head(RESPONSE));
            met(bytes, step)
        });
    }
}

/// F5, W1: what is queued is written in linear time, too, however little is taken at a time.
#[test]
fn the_work_of_writing_grows_as_the_output_does() {
    for role in [Role::Client, Role::Server] {
        for (size, take) in [(0, 1), (1, 1), (100, 7), (100, usize::MAX)] {
            assert_linear(&format!("{role:?}, {size}, {take}"), 3_000, |n| {
                let mut config = unlimited();
                config.limits.max_outgoing = usize::MAX;
                Box::new(move || {
                    let mut connection = match role {
                        Role::Client => Connection::client(&config, sample_keys()),
                        Role::Server => Connection::server(&config),
                    };
                    for _ in 0..n {
                        connection.send_binary(&vec![7; size]).unwrap();
                    }
                    while connection.wants_write() {
                        let outgoing = connection.outgoing();
                        outgoing.advance(outgoing.remaining().min(take));
                    }
                })
            });
        }
    }
}

/// D1, D2, F5: what is compressed, by what it inflates to, and what inflates to nothing by its length.
///
/// Found by this test: room for half of what had been inflated before was zeroed for each fragment of
/// one byte, so that a megabyte of them kept a processor busy for minutes.
#[cfg(feature = "deflate")]
#[test]
fn the_work_of_inflating_grows_as_the_message_does() {
    use deflated::{OFF, ON, Terms};

    let works = |name: &str, size: usize, wire: &dyn Fn(usize) -> Vec<u8>| {
        for peer in [ON, OFF] {
            let mut terms = Terms::new(OFF, peer);
            terms.ours.limits.max_fragments = u32::MAX;
            terms.ours.timeouts = common::pair::no_timeouts();
            assert_linear(&format!("{name}, {peer:?}"), size, |n| {
                let (terms, wire) = (terms.clone(), wire(n));
                Box::new(move || {
                    let mut end = terms.open(Role::Server);
                    feed(&mut end.connection, &mut end.inbox, &wire, usize::MAX);
                })
            });
        }
    };
    for first in [0xc1, 0xc2] {
        works(&format!("zeros, {first:#x}"), 400_000, &|n| {
            let zeros = codec::send(&mut codec::deflater(OFF), &vec![0; n]);
            frame_to(Role::Server, first, &zeros)
        });
        works(&format!("zeros in bytes, {first:#x}"), 100_000, &|n| {
            let zeros = codec::send(&mut codec::deflater(OFF), &vec![0; n]);
            let mut wire = frame_to(Role::Server, first & !FIN, b"");
            for byte in zeros {
                wire.extend(frame_to(Role::Server, 0, &[byte]));
            }
            wire.extend(frame_to(Role::Server, CONTINUATION, b""));
            wire
        });
        works(&format!("messages, {first:#x}"), 100, &|n| {
            frame_to(Role::Server, first, deflated::HELLO).repeat(n)
        });
        works(&format!("empty messages, {first:#x}"), 1_000, &|n| {
            frame_to(Role::Server, first, b"\0").repeat(n)
        });
        works(&format!("blocks without data, {first:#x}"), 2_000, &|n| {
            let mut payload = b"\0\0\0\xff\xff".repeat(n);
            payload.push(0);
            frame_to(Role::Server, first, &payload)
        });
    }
}

/// F4, F5: of the frames that cost most for their length, no byte costs many times what one of an
/// ordinary message does.
#[test]
fn no_byte_of_a_flood_costs_much_more_than_others() {
    const BYTES: usize = 60_000;
    /// In a build for tests; an empty frame has a quarter of the bytes of an ordinary one.
    const TIMES: f64 = 20.0;
    let config = unlimited();
    let ordinary = frame_to(Role::Server, BINARY, &[b'x'; 16]);
    let floods = [
        frame_to(Role::Server, TEXT, b""),
        frame_to(Role::Server, BINARY, b""),
        frame_to(Role::Server, TEXT, b"a"),
        frame_to(Role::Server, PING, b""),
        frame_to(Role::Server, PONG, b""),
        frame_to(Role::Server, PING, &[7; 125]),
    ]
    .map(|frame| frame.repeat(BYTES / frame.len()));
    let fragmented = [b"".as_slice(), b"a"]
        .into_iter()
        .flat_map(|payload| [TEXT, BINARY].map(|first| fragments(first, payload, BYTES / 6)));
    for (index, flood) in floods.into_iter().chain(fragmented).enumerate() {
        let length = flood.len() as f64;
        let usual = ordinary.repeat(BYTES / ordinary.len());
        let share = length / usual.len() as f64 * TIMES;
        let works = [
            received(&config, usual, usize::MAX),
            received(&config, flood, usize::MAX),
        ];
        if let Err(costs) = least(works, |[usual, flood]| flood <= share * usual) {
            panic!("flood {index}: {costs:?} s");
        }
    }
}
