//! Two connections that talk to each other over a link that cuts everything anywhere.

use std::collections::VecDeque;

use bytes::Buf;
use fullduplex::deflate::{Compress, ContextTakeover, Deflate, Level, WindowBits};
use fullduplex::handshake::OriginPolicy;
use fullduplex::handshake::client::{Exchange, Request};
use fullduplex::handshake::server::{
    Acceptance, HttpRequest, Incoming, Options as Accepting, Upgrade,
};
use fullduplex::{
    CloseCode, Config, Connection, Delivery, Event, Inbox, MaskKeys, Message, MessageKind,
    SendError,
};

use super::{Options, Script};

/// What one end was asked to send and the other has not received.
#[derive(Default)]
struct Sent {
    messages: VecDeque<(MessageKind, Vec<u8>)>,
    /// The message that is being sent in fragments.
    open: Option<(MessageKind, Vec<u8>)>,
    pings: VecDeque<u8>,
}

struct End {
    connection: Connection,
    /// How many long messages it may still send: they take most of the time.
    long: usize,
    inbox: Inbox,
    sent: Sent,
    pings: u8,
    /// What has come of a message in pieces.
    pieces: Vec<u8>,
    last_pong: Option<u8>,
    closed: bool,
}

/// What one end sends, in whatever form and however it is cut on the way, the other receives: the
/// same messages, in the same order, and the same Pings; and both end clean.
///
/// Input: options (bit 0: compression; 1 and 2: the contexts of the client and of the server are
/// not taken over; 3: all is compressed; 4: in pieces; 5: short frames; 6: short queues; 7: inboxes
/// are parked), window sizes, level and seed, then what happens; see [`step`].
///
/// # Panics
///
/// If that does not hold.
pub fn roundtrip_split(data: &[u8]) {
    let mut script = Script(data);
    let (Some(options), Some(bits), Some(seed)) = (script.next(), script.next(), script.next())
    else {
        return;
    };
    let options = Options(options);
    let mut ends = connect(&options, bits, seed).map(|connection| End {
        connection,
        long: 1,
        inbox: Inbox::new(),
        sent: Sent::default(),
        pings: 0,
        pieces: Vec::new(),
        last_pong: None,
        closed: false,
    });
    while let Some(byte) = script.next() {
        step(&mut ends, byte, &mut script, &options);
    }
    finish(&mut ends, &options);
}

fn connect(options: &Options, bits: u8, seed: u8) -> [Connection; 2] {
    let off = |off| {
        if off {
            ContextTakeover::Off
        } else {
            ContextTakeover::On
        }
    };
    let (client_off, server_off) = (off(options.bit(1)), off(options.bit(2)));
    let deflate = |own: u8, peer: u8, takeover, peer_takeover| {
        let window = |bits: u8| WindowBits::new(8 + (bits & 7)).unwrap_or_default();
        let level = Level::new(seed % 9 + 1).unwrap_or(Level::FASTEST);
        let mut deflate = Deflate::new()
            .level(level)
            .max_window_bits(window(own))
            .peer_max_window_bits(window(peer))
            .takeover(takeover)
            .peer_takeover(peer_takeover);
        if options.bit(3) {
            deflate = deflate.compress(Compress::Always);
        }
        deflate
    };
    let mut client = Config::default();
    if options.bit(4) {
        client.delivery = Delivery::Pieces;
    }
    if options.bit(5) {
        client.max_frame_payload = Some(usize::from(seed) + 1);
    }
    if options.bit(6) {
        client.limits.max_outgoing = 300;
    }
    let mut server = client.clone();
    let keys = MaskKeys::seeded([seed; 32]);
    if !options.bit(0) {
        return [
            Connection::client(&client, keys),
            Connection::server(&server),
        ];
    }
    client.deflate = Some(deflate(bits, bits >> 3, client_off, server_off));
    server.deflate = Some(deflate(bits >> 3, bits, server_off, client_off));
    negotiate(client, server, keys)
}

fn negotiate(client: Config, server: Config, keys: MaskKeys) -> [Connection; 2] {
    let request = Request::new("ws://example.com/").expect("a plain URL");
    let exchange = Exchange::upgrade(request, client, keys);
    let request = HttpRequest::new("GET", exchange.path(), exchange.headers().clone());
    let options = Accepting::new(OriginPolicy::any()).config(server);
    let Ok(Incoming::Upgrade(upgrade)) = Upgrade::negotiate(request, options) else {
        panic!("a plain request is refused");
    };
    let answer = upgrade.answer(Acceptance::new()).expect("no subprotocol");
    let established = exchange.judge(answer.status, answer.headers);
    let established = established.expect("a plain answer");
    [established.connection, answer.connection]
}

/// What the next byte says: bit 3 says who acts, the upper four bits how much.
fn step(ends: &mut [End; 2], byte: u8, script: &mut Script<'_>, options: &Options) {
    let acting = usize::from(byte >> 3 & 1);
    let much = byte >> 4;
    let end = &mut ends[acting];
    let (kind, payload) = match byte & 7 {
        0 => (MessageKind::Text, text(script.take(much.into()))),
        1 => (MessageKind::Binary, script.take(much.into()).to_vec()),
        2 if end.long == 0 || much == 15 && options.bit(5) => return,
        2 => {
            end.long -= 1;
            (MessageKind::Binary, long(much))
        }
        3 => {
            let kind = [MessageKind::Text, MessageKind::Binary][usize::from(much & 1)];
            let payload = match kind {
                MessageKind::Text => text(script.take(usize::from(much >> 2) + 1)),
                MessageKind::Binary => script.take(usize::from(much >> 2) + 1).to_vec(),
            };
            end.fragment(kind, &payload, much & 2 != 0);
            return;
        }
        4 => {
            let told = end.connection.ping(&[end.pings]);
            if told.is_ok() {
                end.sent.pings.push_back(end.pings);
                end.pings = end.pings.wrapping_add(1);
            } else {
                assert_eq!(told, Err(SendError::Full));
            }
            return;
        }
        5 => {
            let most = usize::from(script.next().unwrap_or_default()) + 1;
            transfer(ends, acting, most, usize::MAX, options);
            return;
        }
        6 => {
            let much = usize::from(much);
            let size = (much + 1).max(end.connection.queued() / 64);
            while transfer(ends, acting, usize::MAX, size, options) {}
            return;
        }
        _ => {
            let message = Message::binary(script.take(much.into()).to_vec());
            end.send_owned(&message, much & 1 == 0);
            return;
        }
    };
    if !end.send(kind, &payload) {
        // There is room when all has been written.
        while transfer(ends, acting, usize::MAX, usize::MAX, options) {}
        assert!(ends[acting].send(kind, &payload), "no room after all");
    }
}

fn text(bytes: &[u8]) -> Vec<u8> {
    let mut text = String::from_utf8_lossy(bytes).into_owned();
    text.push('é');
    text.into()
}

fn long(much: u8) -> Vec<u8> {
    const LENGTHS: [usize; 8] = [126, 127, 140, 160, 200, 250, 300, 600];
    let length = match much {
        15 => 66_000,
        _ => LENGTHS[usize::from(much & 7)],
    };
    let pattern = |place: usize| match much & 8 {
        0 => place % 251,
        _ => place.wrapping_mul(place) >> 4 & 0xff,
    };
    let bytes = (0..length).map(pattern);
    bytes.map(|byte| u8::try_from(byte).unwrap_or(0)).collect()
}

impl End {
    /// Sends a message, or tells that there is no room for it.
    fn send(&mut self, kind: MessageKind, payload: &[u8]) -> bool {
        let told = match kind {
            MessageKind::Text => {
                let text = str::from_utf8(payload).expect("text");
                self.connection.send_text(text)
            }
            MessageKind::Binary => self.connection.send_binary(payload),
        };
        match told {
            Ok(()) => self.sent.messages.push_back((kind, payload.to_vec())),
            Err(SendError::Full) => return false,
            Err(error) => {
                assert_eq!(error, SendError::MessageOpen);
                assert!(self.sent.open.is_some());
            }
        }
        true
    }

    fn send_owned(&mut self, message: &Message, compress: bool) {
        let compress = if compress {
            Compress::Always
        } else {
            Compress::Never
        };
        match self.connection.send_with(message.clone(), compress) {
            Ok(()) => {
                let payload = message.as_bytes().to_vec();
                self.sent.messages.push_back((message.kind(), payload));
            }
            Err(unsent) => {
                assert_eq!(unsent.message, *message);
                let open = self.sent.open.is_some();
                assert!(open || unsent.error == SendError::Full);
            }
        }
    }

    /// Sends a fragment, its text cut inside the last character if it is not the last.
    fn fragment(&mut self, kind: MessageKind, payload: &[u8], fin: bool) {
        let mut parts = vec![(payload, fin)];
        if kind == MessageKind::Text {
            let (start, end) = payload.split_at(payload.len() - 1);
            parts = vec![(start, false), (end, fin)];
        }
        for (part, fin) in parts {
            match self.connection.send_fragment(kind, part, fin) {
                Ok(()) => {
                    let open = self.sent.open.take();
                    let (kind, mut bytes) = open.unwrap_or((kind, Vec::new()));
                    bytes.extend(part);
                    if fin {
                        self.sent.messages.push_back((kind, bytes));
                    } else {
                        self.sent.open = Some((kind, bytes));
                    }
                }
                Err(SendError::WrongKind) => {
                    assert!(self.sent.open.as_ref().is_some_and(|open| open.0 != kind));
                    return;
                }
                // A text whose other half there was no room for goes on with the wrong bytes.
                Err(error) => {
                    assert!(matches!(error, SendError::Full | SendError::InvalidUtf8(_)));
                    return;
                }
            }
        }
    }

    fn receive(&mut self, peer: &mut Sent) {
        loop {
            let event = self.connection.poll_event(&mut self.inbox);
            let (kind, payload) = match event.expect("a legal stream") {
                None => return,
                Some(Event::Text(text)) => (MessageKind::Text, text.as_bytes().to_vec()),
                Some(Event::Binary(binary)) => (MessageKind::Binary, binary.to_vec()),
                Some(Event::Piece(piece)) => {
                    assert_eq!(piece.is_first(), self.pieces.is_empty());
                    self.pieces.extend(piece.as_bytes());
                    if !piece.is_last() {
                        continue;
                    }
                    (piece.kind(), core::mem::take(&mut self.pieces))
                }
                Some(Event::Ping(payload)) => {
                    let number = peer.pings.pop_front().expect("a Ping that nobody sent");
                    assert_eq!(payload, [number]);
                    continue;
                }
                Some(Event::Pong(payload)) => {
                    self.last_pong = payload.first().copied();
                    continue;
                }
                Some(Event::Close(frame)) => {
                    assert_eq!(frame.code, CloseCode::NORMAL);
                    self.closed = true;
                    continue;
                }
                Some(other) => panic!("{other:?}"),
            };
            let sent = peer.messages.pop_front().expect("more than was sent");
            assert_eq!(kind, sent.0);
            assert!(payload == sent.1, "{} of {}", payload.len(), sent.1.len());
        }
    }
}

/// Moves up to `most` bytes from one end to the other, in reads of `size`. Tells whether there were
/// any.
fn transfer(ends: &mut [End; 2], from: usize, most: usize, size: usize, options: &Options) -> bool {
    let [client, server] = ends;
    let (from, to) = match from {
        0 => (client, server),
        _ => (server, client),
    };
    let mut left = most;
    while left > 0 && from.connection.wants_write() {
        let outgoing = from.connection.outgoing();
        let chunk = outgoing.chunk();
        let room = to.inbox.spare(0);
        let count = chunk.len().min(room.len()).min(left).min(size);
        room[..count].copy_from_slice(&chunk[..count]);
        outgoing.advance(count);
        to.inbox.received(count);
        left -= count;
        to.receive(&mut from.sent);
        if options.bit(7) {
            let parked = to.connection.park(&mut to.inbox);
            to.inbox.resume(parked);
        }
    }
    left < most
}

/// All arrives, and then both close.
fn finish(ends: &mut [End; 2], options: &Options) {
    let quiet = |ends: &mut [End; 2]| {
        let mut moved = true;
        while moved {
            moved = transfer(ends, 0, usize::MAX, usize::MAX, options);
            moved |= transfer(ends, 1, usize::MAX, usize::MAX, options);
        }
    };
    quiet(ends);
    for end in &mut *ends {
        if let Some((kind, bytes)) = end.sent.open.take() {
            // What completes a text that was cut inside its last character.
            for rest in [&b""[..], b"\xa9"] {
                if end.connection.send_fragment(kind, rest, true).is_ok() {
                    let message = [&bytes, rest].concat();
                    end.sent.messages.push_back((kind, message));
                    break;
                }
            }
        }
    }
    quiet(ends);
    for end in &mut *ends {
        assert!(end.sent.messages.is_empty() && end.sent.pings.is_empty());
        if let Some(last) = end.pings.checked_sub(1) {
            assert_eq!(end.last_pong, Some(last), "the last Ping has no answer");
        }
        assert_eq!(end.connection.queued(), 0);
    }
    let told = ends[0].connection.close(CloseCode::NORMAL, "done");
    assert_eq!(told, Ok(()));
    quiet(ends);
    for end in ends {
        assert!(end.closed);
        end.connection.received_eof();
        assert!(
            end.connection
                .outcome()
                .is_some_and(|outcome| outcome.clean)
        );
    }
}
