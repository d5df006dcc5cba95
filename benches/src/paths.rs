//! The paths of the core that are measured: what time they take, how many instructions, how many
//! allocations.
//!
//! A path runs in rounds of as many messages as fill a read, so that neither the harness nor the
//! copy that stands for a read is what is measured. Nothing here depends on time, on addresses or
//! on random numbers that make a difference.

use std::hint::black_box;

use bytes::{Buf, Bytes};
use fullduplex::deflate::{Compress, Deflate};
use fullduplex::frame::Opcode;
use fullduplex::{Config, Connection, Event, Inbox, MaskKeys, Role};

use crate::handshakes::{self, REQUEST, lanes, longer_request, options};
use crate::{Lane, batch, detach, echo, json, look, stream, texts};

/// Runs a path for as many messages as it likes and tells how many.
pub type Round = Box<dyn FnMut() -> usize>;

type Prepare = Box<dyn FnOnce() -> Round>;

/// One path.
pub struct Path {
    pub name: String,
    /// Bytes of payload in a message.
    pub payload: usize,
    /// Makes it ready to run.
    pub prepare: Prepare,
}

/// Reads of no size that anything is a multiple of.
const ODD: usize = 997;

const SIZES: [usize; 6] = [16, 125, 1024, 16 * 1024, 256 * 1024, 1024 * 1024];

/// All paths.
pub fn paths() -> Vec<Path> {
    let mut paths = Vec::new();
    let mut add = |name: &str, payload, prepare| {
        let name = name.to_owned();
        paths.push(Path {
            name,
            payload,
            prepare,
        });
    };
    for size in SIZES {
        let mut add = |name: &str, prepare| add(&format!("{name}/{size}"), size, prepare);
        let binary = || vec![b'x'; size];
        let [ascii, mixed] = texts(size);
        add("decode/lent", whole(Opcode::Binary, binary(), look));
        add("decode/detached", whole(Opcode::Binary, binary(), detach));
        add("decode/text", whole(Opcode::Text, ascii.clone(), look));
        add(
            "decode/text-detached",
            whole(Opcode::Text, ascii.clone(), detach),
        );
        add(
            "decode/mixed-text",
            whole(Opcode::Text, mixed.clone(), look),
        );
        add("decode/odd-reads", pieces(Opcode::Binary, binary(), 1, ODD));
        add(
            "decode/text-odd-reads",
            pieces(Opcode::Text, ascii.clone(), 1, ODD),
        );
        add(
            "decode/mixed-text-odd-reads",
            pieces(Opcode::Text, mixed, 1, ODD),
        );
        add("decode/by-a-client", by_a_client(binary()));
        add("encode/server", encode(server, Opcode::Binary, size));
        add("encode/client", encode(client, Opcode::Binary, size));
        add("encode/server-text", encode(server, Opcode::Text, size));
        add("echo", whole(Opcode::Binary, binary(), echo));
        add("copy-for-the-read", copy(size));
        if size == 1024 || size == 16 * 1024 {
            let whole_reads = usize::MAX;
            add(
                "decode/4-fragments",
                pieces(Opcode::Binary, binary(), 4, whole_reads),
            );
            add(
                "decode/text-4-fragments",
                pieces(Opcode::Text, ascii, 4, whole_reads),
            );
        }
    }
    add(
        "encode/client-seeded/16",
        16,
        encode(seeded, Opcode::Binary, 16),
    );
    add(
        "encode/server-owned/65536",
        64 * 1024,
        encode_owned(64 * 1024),
    );
    add("ping-answered/16", 16, ping(16));
    add(
        "handshake/server",
        REQUEST.len(),
        accept(REQUEST.to_vec(), REQUEST.len()),
    );
    for times in [1, 2, 4, 8] {
        let request = longer_request(times);
        let size = request.len();
        add(
            &format!("handshake/server-in-pieces-of-7/{size}"),
            size,
            accept(request, 7),
        );
    }
    add("handshake/client", REQUEST.len(), Box::new(establish));
    add("deflate/compress/1024", 1024, Box::new(compress));
    add("deflate/inflate/1024", 1024, Box::new(inflate));
    paths
}

/// Many messages at once, and what is to be done with each.
fn whole(
    opcode: Opcode,
    payload: impl Into<Vec<u8>>,
    act: impl Fn(&mut Connection, Event<'_>) + Copy + 'static,
) -> Prepare {
    read(Role::Server, opcode, payload.into(), 1, usize::MAX, act)
}

fn by_a_client(payload: Vec<u8>) -> Prepare {
    read(Role::Client, Opcode::Binary, payload, 1, usize::MAX, look)
}

/// Messages in frames and reads that are not theirs alone.
fn pieces(
    opcode: Opcode,
    payload: impl Into<Vec<u8>>,
    fragments: usize,
    read_size: usize,
) -> Prepare {
    read(
        Role::Server,
        opcode,
        payload.into(),
        fragments,
        read_size,
        look,
    )
}

fn read(
    role: Role,
    opcode: Opcode,
    payload: Vec<u8>,
    fragments: usize,
    read_size: usize,
    act: impl Fn(&mut Connection, Event<'_>) + Copy + 'static,
) -> Prepare {
    Box::new(move || {
        let count = batch(payload.len());
        let bytes = stream(role, opcode, &payload, fragments, count);
        let mut lane = Lane::new(role);
        Box::new(move || {
            let events = if read_size < bytes.len() {
                lane.receive_in_pieces(black_box(&bytes), read_size, act)
            } else {
                lane.receive(black_box(&bytes), act)
            };
            lane.flush();
            assert_eq!(events, count);
            count
        })
    })
}

fn server() -> Connection {
    Connection::server(&Config::default())
}

fn client() -> Connection {
    Connection::client(&Config::default(), MaskKeys::thread())
}

fn seeded() -> Connection {
    Connection::client(&Config::default(), MaskKeys::seeded([7; 32]))
}

fn copy(size: usize) -> Prepare {
    Box::new(move || {
        let count = batch(size);
        let bytes = stream(Role::Server, Opcode::Binary, &vec![b'x'; size], 1, count);
        let mut room = vec![0; bytes.len()];
        Box::new(move || {
            black_box(&mut room[..]).copy_from_slice(black_box(&bytes));
            count
        })
    })
}

fn encode(connection: fn() -> Connection, opcode: Opcode, size: usize) -> Prepare {
    Box::new(move || {
        let text = "x".repeat(size);
        let mut lane = Lane {
            connection: connection(),
            inbox: Inbox::new(),
        };
        Box::new(move || {
            for _ in 0..batch(size) {
                let text = black_box(&text[..]);
                match opcode {
                    Opcode::Text => lane.connection.send_text(text).unwrap(),
                    _ => lane.connection.send_binary(text.as_bytes()).unwrap(),
                }
            }
            lane.flush();
            batch(size)
        })
    })
}

fn encode_owned(size: usize) -> Prepare {
    Box::new(move || {
        let payload = Bytes::from(vec![b'x'; size]);
        let mut connection = server();
        Box::new(move || {
            for _ in 0..8 {
                connection.send(black_box(&payload).clone()).unwrap();
            }
            let outgoing = connection.outgoing();
            outgoing.advance(outgoing.remaining());
            8
        })
    })
}

/// Pings that are answered one by one, since several at once have one answer.
fn ping(size: usize) -> Prepare {
    Box::new(move || {
        let frame = stream(Role::Server, Opcode::Ping, &vec![b'x'; size], 1, 1);
        let mut lane = Lane::new(Role::Server);
        Box::new(move || {
            for _ in 0..100 {
                assert_eq!(lane.receive(black_box(&frame), look), 1);
                assert_eq!(lane.flush(), 2 + size);
            }
            100
        })
    })
}

/// Accepts a request that comes in pieces of `size` bytes.
fn accept(request: Vec<u8>, size: usize) -> Prepare {
    Box::new(move || {
        let options = options();
        let mut inbox = Inbox::new();
        Box::new(move || {
            for _ in 0..20 {
                let options = options.clone();
                let request = black_box(&request[..]);
                black_box(handshakes::accept_pieces(
                    &mut inbox, request, size, options,
                ));
            }
            20
        })
    })
}

fn establish() -> Round {
    const URL: &str = "ws://chat.example.com/chat/rooms/4711?resume=1";
    let answer = handshakes::answer(URL);
    let mut inbox = Inbox::new();
    Box::new(move || {
        for _ in 0..20 {
            black_box(handshakes::establish(URL, &mut inbox, black_box(&answer)));
        }
        20
    })
}

/// A client and a server that compress everything, without context takeover.
fn compressing() -> (Lane, Lane) {
    let mut config = Config::default();
    config.deflate = Some(Deflate::new().compress(Compress::Always));
    lanes(config.clone(), config)
}

fn compress() -> Round {
    let messages: Vec<String> = (0..20).map(json::message).collect();
    let (_, mut server) = compressing();
    Box::new(move || {
        for message in &messages {
            server.connection.send_text(black_box(message)).unwrap();
            server.flush();
        }
        messages.len()
    })
}

fn inflate() -> Round {
    let (mut client, mut server) = compressing();
    server.flush();
    let frames = (0..20).map(|number| {
        server.connection.send_text(&json::message(number)).unwrap();
        let mut frame = vec![0; server.connection.outgoing().remaining()];
        server.connection.outgoing().copy_to_slice(&mut frame);
        frame
    });
    let frames: Vec<_> = frames.collect();
    Box::new(move || {
        for frame in &frames {
            assert_eq!(client.receive(black_box(frame), look), 1);
        }
        frames.len()
    })
}
