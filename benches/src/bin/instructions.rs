//! Runs one path of the core so often, for counting instructions; see `instructions.py`.
//!
//! Without arguments it lists the paths. Nothing here depends on time, on addresses or on random
//! numbers that differ from run to run.

use std::env;
use std::hint::black_box;
use std::process::ExitCode;

use bytes::{Buf, Bytes};
use fullduplex::deflate::{Compress, Deflate};
use fullduplex::frame::Opcode;
use fullduplex::{Config, Connection, Event, Inbox, MaskKeys, Role};
use fullduplex_benches::handshakes::{self, REQUEST, lanes, options};
use fullduplex_benches::{Lane, batch, detach, echo, json, look, stream, texts};

/// Runs a path for as many messages as it likes and tells how many.
type Round = Box<dyn FnMut() -> usize>;

/// What a path is called, and what makes it ready to run.
type Path = (String, Box<dyn FnOnce() -> Round>);

/// Reads of no size that anything is a multiple of.
const ODD: usize = 997;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let mut paths = paths();
    let (name, rounds) = match &arguments[..] {
        [] => {
            paths.iter().for_each(|(name, _)| println!("{name}"));
            return ExitCode::SUCCESS;
        }
        [name, rounds] => (name, rounds.parse::<u32>()),
        _ => return usage(),
    };
    let (Some(at), Ok(rounds)) = (paths.iter().position(|(path, _)| path == name), rounds) else {
        return usage();
    };
    let (_, prepare) = paths.swap_remove(at);
    let mut round = prepare();
    let messages: usize = (0..rounds).map(|_| round()).sum();
    println!("{messages}");
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    eprintln!("usage: instructions [PATH ROUNDS]");
    ExitCode::FAILURE
}

fn paths() -> Vec<Path> {
    let mut paths = Vec::new();
    let mut add = |name: String, prepare: Box<dyn FnOnce() -> Round>| paths.push((name, prepare));
    for size in [16, 125, 1024, 16 * 1024, 1024 * 1024] {
        add(
            format!("decode/lent/{size}"),
            whole(Role::Server, size, look),
        );
    }
    for size in [16, 1024, 16 * 1024] {
        add(
            format!("decode/detached/{size}"),
            whole(Role::Server, size, detach),
        );
    }
    for size in [16, 1024] {
        add(
            format!("decode/by-a-client/{size}"),
            whole(Role::Client, size, look),
        );
    }
    for size in [16, 125, 1024, 16 * 1024] {
        for (kind, text) in texts(size) {
            add(format!("decode/{kind}-text/{size}"), text_whole(text));
        }
    }
    for (kind, opcode) in [("binary", Opcode::Binary), ("text", Opcode::Text)] {
        add(
            format!("decode/{kind}-in-4-fragments/1024"),
            pieces(opcode, 1024, 4, usize::MAX),
        );
        for size in [16, 1024, 16 * 1024] {
            add(
                format!("decode/{kind}-in-odd-reads/{size}"),
                pieces(opcode, size, 1, ODD),
            );
        }
    }
    for size in [16, 125, 1024, 16 * 1024] {
        add(
            format!("encode/server/{size}"),
            encode(server, Opcode::Binary, size),
        );
        add(
            format!("encode/client/{size}"),
            encode(client, Opcode::Binary, size),
        );
    }
    add(
        "encode/server-text/16".into(),
        encode(server, Opcode::Text, 16),
    );
    add(
        "encode/client-by-thread-keys/16".into(),
        encode(thread_client, Opcode::Binary, 16),
    );
    add("encode/server-owned/65536".into(), encode_owned(64 * 1024));
    for size in [16, 1024] {
        add(format!("echo/{size}"), whole(Role::Server, size, echo));
    }
    add("ping-answered/16".into(), ping(16));
    add("handshake/server".into(), accept(REQUEST.len()));
    add("handshake/server-in-pieces-of-7".into(), accept(7));
    add("handshake/client".into(), Box::new(establish));
    add("deflate/compress/1024".into(), Box::new(compress));
    add("deflate/inflate/1024".into(), Box::new(inflate));
    paths
}

/// Many messages of `size` bytes at once, and what is to be done with each.
fn whole(
    role: Role,
    size: usize,
    act: impl Fn(&mut Connection, Event<'_>) + Copy + 'static,
) -> Box<dyn FnOnce() -> Round> {
    read(role, Opcode::Binary, vec![b'x'; size], 1, usize::MAX, act)
}

fn text_whole(text: String) -> Box<dyn FnOnce() -> Round> {
    read(Role::Server, Opcode::Text, text.into(), 1, usize::MAX, look)
}

/// Messages in frames and reads that are not theirs alone.
fn pieces(
    opcode: Opcode,
    size: usize,
    fragments: usize,
    read_size: usize,
) -> Box<dyn FnOnce() -> Round> {
    read(
        Role::Server,
        opcode,
        vec![b'x'; size],
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
) -> Box<dyn FnOnce() -> Round> {
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
    Connection::client(&Config::default(), MaskKeys::seeded([7; 32]))
}

fn thread_client() -> Connection {
    Connection::client(&Config::default(), MaskKeys::thread())
}

fn encode(
    connection: fn() -> Connection,
    opcode: Opcode,
    size: usize,
) -> Box<dyn FnOnce() -> Round> {
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

fn encode_owned(size: usize) -> Box<dyn FnOnce() -> Round> {
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
fn ping(size: usize) -> Box<dyn FnOnce() -> Round> {
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

fn accept(size: usize) -> Box<dyn FnOnce() -> Round> {
    Box::new(move || {
        let options = options();
        let mut inbox = Inbox::new();
        Box::new(move || {
            for _ in 0..20 {
                let request = black_box(&REQUEST[..]);
                let options = options.clone();
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
