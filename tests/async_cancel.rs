//! Cancel safety: futures of the async adapters that are dropped before they are ready, and made
//! again. Whatever is dropped and when, the peer gets the same bytes and the application the same
//! events.
#![cfg(any(feature = "tokio", feature = "futures"))]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "tests have std, and a panic is how they fail"
)]

mod common;

use common::adapters::Adapter;
use common::executor::{Cancelling, Drops};
use common::hostile::{After, Hostile};
use common::net::{REQUEST, consent};
use common::pair::{
    BINARY, CONTINUATION, FIN, PING, ROLES, Seen, TEXT, close_to, frame_to, own, parse_frames,
    timeless,
};
use fullduplex::asynchronous::{Incoming, Io, WebSocket};
use fullduplex::handshake::OriginPolicy;
use fullduplex::handshake::client::Request;
use fullduplex::handshake::server::{Acceptance, Options, Response};
use fullduplex::{CloseCode, Config, Error, Event, Message, Outcome, Role};

for_each_adapter! {
    events_survive_cancellation,
    messages_survive_cancellation,
    halves_survive_cancellation,
    closing_survives_cancellation,
    a_cancelled_feed_queues_nothing,
    a_cancelled_handshake_drops_the_stream,
}

/// How a run went: what was seen, what was written, and how it ended.
type Run = (Vec<Seen>, Vec<u8>, Option<Outcome>);

/// A queue that is full after a few of the messages here.
fn narrow() -> Config {
    let mut config = timeless();
    config.limits.max_outgoing = 32;
    config
}

/// A stream on which every call has to be made twice, that moves little and is full soon.
fn stream(role: Role, input: &[u8]) -> Hostile {
    let after = match role {
        Role::Client => After::End,
        Role::Server => After::Silence,
    };
    Hostile::new(input, after)
        .halting()
        .with_sizes(11, 7)
        .with_room(20)
}

/// Lets something happen outside: calls that were sent away can be made again, and there is room.
fn help(stream: &Hostile) -> bool {
    stream.stir();
    stream.make_room(13);
    true
}

/// Does the same with each way to drop futures, and demands the same result.
fn drop_everywhere(run: impl Fn(&mut Cancelling) -> Run) {
    let mut cancelling = Cancelling::new(Drops::Never);
    let expected = run(&mut cancelling);
    assert!(expected.2.as_ref().unwrap().clean);
    let polls = cancelling.polls;
    assert!(polls > 20, "there is something to drop: {polls}");
    let at = (0..polls).map(Drops::At);
    for drops in at.chain([Drops::Each(1), Drops::Each(2), Drops::Each(3)]) {
        let (seen, output, outcome) = run(&mut Cancelling::new(drops));
        assert_eq!(seen, expected.0, "{drops:?}");
        assert!(
            output == expected.1,
            "{drops:?}: {:?}",
            parse_frames(&output)
        );
        assert_eq!(outcome, expected.2, "{drops:?}");
    }
}

/// `next_event`, answered on the connection.
fn events_survive_cancellation<A: Adapter>() {
    for role in ROLES {
        let input = [
            frame_to(role, TEXT, b"hello"),
            frame_to(role, PING, b"there?"),
            frame_to(role, TEXT & !FIN, b"in "),
            frame_to(role, PING, b"between"),
            frame_to(role, CONTINUATION, b"pieces"),
            frame_to(role, BINARY, &[2; 200]),
            frame_to(role, BINARY, b""),
            close_to(role, 1000, "bye"),
        ]
        .concat();
        drop_everywhere(|cancelling| {
            let stream = stream(role, &input);
            stream.state().room = usize::MAX; // or Pongs would be dropped: only the latest counts
            let mut socket = A::open(role, &timeless(), &stream);
            let mut seen = Vec::new();
            loop {
                let next = async {
                    Ok::<_, Error>(match socket.next_event().await? {
                        Some((event, connection)) => {
                            match &event {
                                Event::Text(text) => connection.send_text(text).unwrap(),
                                Event::Binary(bytes) => connection.send_binary(bytes).unwrap(),
                                _ => {}
                            }
                            Some(own(event))
                        }
                        None => None,
                    })
                };
                if let Some(result) = cancelling.run(next, || help(&stream)) {
                    match result.unwrap() {
                        Some(event) => seen.push(event),
                        None => break,
                    }
                }
            }
            (seen, stream.output(), socket.outcome())
        });
    }
}

/// Messages of all sizes, and the end.
fn messages(role: Role) -> Vec<u8> {
    let mut input = Vec::new();
    for size in [0, 1, 10, 40, 130] {
        input.extend(frame_to(role, BINARY, &vec![size; usize::from(size)]));
        input.extend(frame_to(
            role,
            TEXT,
            "x".repeat(usize::from(size)).as_bytes(),
        ));
    }
    input.extend(close_to(role, 1000, "bye"));
    input
}

fn seen(message: &Message) -> Seen {
    match message {
        Message::Text(text) => Seen::Text(text.to_string()),
        Message::Binary(bytes) => Seen::Binary(bytes.to_vec()),
    }
}

/// How long the frame is that `message` becomes.
fn frame_size(role: Role, message: &Message) -> usize {
    let payload = match message {
        Message::Text(text) => text.len(),
        Message::Binary(bytes) => bytes.len(),
    };
    let mask = if role == Role::Client { 4 } else { 0 };
    2 + if payload < 126 { 0 } else { 2 } + mask + payload
}

/// `recv`, `send`, `feed`, `flush` and `ping` of the whole, each made again when it was dropped. A
/// cancelled `send` or `ping` has queued the whole frame or nothing.
fn messages_survive_cancellation<A: Adapter>() {
    for role in ROLES {
        let input = messages(role);
        drop_everywhere(|cancelling| {
            let stream = stream(role, &input);
            let mut socket = A::open(role, &narrow(), &stream);
            let mut all = Vec::new();
            loop {
                let received = cancelling.run(socket.recv(), || help(&stream));
                let Some(received) = received else { continue };
                let Some(message) = received.unwrap() else {
                    break;
                };
                all.push(seen(&message));
                if all.len() == 10 {
                    break; // the Close frame may come before the answer
                }
                match all.len() % 3 {
                    0 => send(&mut socket, cancelling, &stream, &message),
                    1 => feed(&mut socket, cancelling, &stream, &message),
                    _ => {
                        let size = frame_size(role, &Message::binary(&b"pong?"[..]));
                        let before = sent(&mut socket, &stream);
                        while sent(&mut socket, &stream) == before {
                            if let Some(result) =
                                cancelling.run(socket.ping(b"pong?"), || help(&stream))
                            {
                                result.unwrap();
                            }
                            let grown = sent(&mut socket, &stream) - before;
                            assert!(grown == 0 || grown == size, "{grown} of {size}");
                        }
                        let flush = |cancelling: &mut Cancelling, socket: &mut WebSocket<_>| {
                            cancelling.run(socket.flush(), || help(&stream))
                        };
                        loop {
                            if let Some(result) = flush(cancelling, &mut socket) {
                                break result.unwrap();
                            }
                        }
                        assert_eq!(socket.connection().queued(), 0);
                    }
                }
            }
            let outcome = close(&mut socket, cancelling, &stream);
            assert_eq!(socket.outcome().as_ref(), Some(&outcome));
            (all, stream.output(), Some(outcome))
        });
    }
}

/// What went out or is queued.
fn sent<I: Io<Stream = Hostile>>(socket: &mut WebSocket<I>, stream: &Hostile) -> usize {
    stream.state().output.len() + socket.connection().queued()
}

fn send<I: Io<Stream = Hostile>>(
    socket: &mut WebSocket<I>,
    cancelling: &mut Cancelling,
    stream: &Hostile,
    message: &Message,
) {
    let size = frame_size(socket.connection().role(), message);
    let before = sent(socket, stream);
    loop {
        let result = cancelling.run(socket.send(message.clone()), || help(stream));
        let grown = sent(socket, stream) - before;
        if let Some(result) = result {
            result.unwrap();
            assert_eq!(grown, size);
            assert_eq!(socket.connection().queued(), 0);
            return;
        }
        assert!(grown == 0 || grown == size, "{grown} of {size}");
        if grown > 0 {
            return; // whatever comes next writes it
        }
    }
}

fn feed<I: Io<Stream = Hostile>>(
    socket: &mut WebSocket<I>,
    cancelling: &mut Cancelling,
    stream: &Hostile,
    message: &Message,
) {
    let before = sent(socket, stream);
    loop {
        if let Some(result) = cancelling.run(socket.feed(message.clone()), || help(stream)) {
            return result.unwrap();
        }
        assert_eq!(sent(socket, stream), before);
    }
}

fn close<I: Io<Stream = Hostile>>(
    socket: &mut WebSocket<I>,
    cancelling: &mut Cancelling,
    stream: &Hostile,
) -> Outcome {
    loop {
        let closing = socket.close(CloseCode::NORMAL, "done");
        if let Some(outcome) = cancelling.run(closing, || help(stream)) {
            return outcome.unwrap();
        }
    }
}

/// The same for halves.
fn halves_survive_cancellation<A: Adapter>() {
    for role in ROLES {
        let input = messages(role);
        drop_everywhere(|cancelling| {
            let stream = stream(role, &input);
            let (mut reader, mut writer) = A::open(role, &narrow(), &stream).split();
            let mut all = Vec::new();
            while all.len() < 10 {
                let next = async {
                    let event = reader.next_event().await.unwrap();
                    own(event.expect("there are ten"))
                };
                let Some(event) = cancelling.run(next, || help(&stream)) else {
                    continue;
                };
                let message = match &event {
                    Seen::Text(text) => Message::text(text.clone()),
                    Seen::Binary(bytes) => Message::binary(bytes.clone()),
                    other => panic!("{other:?}"),
                };
                all.push(event);
                let size = frame_size(role, &message);
                let before = stream.state().output.len() + writer.queued();
                loop {
                    let sending = writer.send(message.clone());
                    let done = cancelling.run(sending, || help(&stream)).is_some();
                    let grown = stream.state().output.len() + writer.queued() - before;
                    assert!(grown == size || (grown == 0 && !done), "{grown} of {size}");
                    if grown > 0 {
                        break;
                    }
                }
            }
            while cancelling
                .run(writer.close(CloseCode::NORMAL, "done"), || help(&stream))
                .is_none()
            {}
            loop {
                if let Some(end) = cancelling.run(reader.recv(), || help(&stream)) {
                    assert_eq!(end.unwrap(), None);
                    break;
                }
            }
            (all, stream.output(), reader.outcome())
        });
    }
}

/// `close` while messages still come, and while some are queued.
fn closing_survives_cancellation<A: Adapter>() {
    for role in ROLES {
        let input = messages(role);
        drop_everywhere(|cancelling| {
            let stream = stream(role, &input);
            let mut socket = A::open(role, &timeless(), &stream);
            for text in ["one", "two", "three"] {
                feed(&mut socket, cancelling, &stream, &Message::text(text));
            }
            let outcome = close(&mut socket, cancelling, &stream);
            let again = close(&mut socket, cancelling, &stream);
            assert_eq!(outcome, again);
            (Vec::new(), stream.output(), Some(outcome))
        });
    }
}

/// A message that waits for room is not queued: neither when the future is dropped nor later.
fn a_cancelled_feed_queues_nothing<A: Adapter>() {
    let stream = Hostile::new(b"", After::Silence).with_room(0);
    let mut socket = A::open(Role::Server, &narrow(), &stream);
    let mut cancelling = Cancelling::new(Drops::Each(1));
    let fits = cancelling.run(socket.feed(vec![1; 40]), || false);
    assert!(fits.unwrap().is_ok());
    assert!(cancelling.run(socket.feed("dropped"), || false).is_none());
    assert!(cancelling.run(socket.send("dropped"), || false).is_none());
    stream.make_room(1000);
    assert!(
        cancelling
            .run(socket.send("sent"), || false)
            .unwrap()
            .is_ok()
    );
    let output = stream.output();
    let (frames, rest) = parse_frames(&output);
    let payloads: Vec<&[u8]> = frames.iter().map(|frame| &frame.payload[..]).collect();
    assert_eq!((payloads, rest), (vec![&[1; 40][..], b"sent"], &b""[..]));
}

/// A handshake cannot be taken up again: its stream goes with its future, whenever that is dropped.
fn a_cancelled_handshake_drops_the_stream<A: Adapter>() {
    let options = Options::new(OriginPolicy::any()).config(timeless());
    let server = async |stream| match A::receive(stream, &options).await {
        Ok(Incoming::Upgrade(upgrade)) => upgrade.accept(Acceptance::new()).await.map(drop),
        Ok(Incoming::Http(http)) => http.respond(&Response::not_found()).await,
        Err(error) => Err(error),
    };
    let client = async |stream| {
        let request = Request::new("ws://example.com/chat").unwrap();
        A::connect_over(stream, request, &timeless())
            .await
            .map(drop)
    };
    let page = b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n";
    let inputs: [(&[u8], After); 4] = [
        (REQUEST.as_bytes(), After::Silence),
        (page, After::End),
        (b"GET / HTTP/0.9\r\n\r\n", After::End),
        (b"", After::End), // for the client
    ];
    for (input, after) in inputs {
        let is_client = input.is_empty();
        let mut polls = 0;
        loop {
            let mut stream = Hostile::new(input, after).halting().with_sizes(50, 50);
            if is_client {
                stream.state().after = After::Silence;
                stream = stream.responding(|request| {
                    let request = String::from_utf8_lossy(request);
                    if request.ends_with("\r\n\r\n") {
                        consent(&request).into_bytes()
                    } else {
                        Vec::new()
                    }
                });
            }
            let mut cancelling = Cancelling::new(Drops::At(polls));
            let handshake = async {
                if is_client {
                    client(stream.clone()).await
                } else {
                    server(stream.clone()).await
                }
            };
            let done = cancelling.run(handshake, || stream.stir()).is_some();
            assert_eq!(stream.users(), 1, "the stream is gone");
            if done {
                break;
            }
            polls += 1;
        }
        assert!(polls > 3, "{polls}");
    }
}
