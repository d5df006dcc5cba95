//! Connections whose opening handshake agreed on permessage-deflate, in memory.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "each test crate uses its own part, and a helper that panics fails the test"
)]

use bytes::Buf;
use fullduplex::deflate::{Compress, ContextTakeover, Deflate, Level};
use fullduplex::handshake::client::{self, Request};
use fullduplex::handshake::server::{self, Acceptance, Incoming, Options};
use fullduplex::handshake::{OriginPolicy, Step};
use fullduplex::{Config, Connection, Event, Inbox, MaskKeys, ReceiveError, Role};

use crate::common::feed::{Feed, Seen, Sent, Trace, frame, sent_frames};

pub const ON: ContextTakeover = ContextTakeover::On;
pub const OFF: ContextTakeover = ContextTakeover::Off;

/// How many bytes are read at once; every protocol test runs for each.
pub const CHUNKS: [usize; 4] = [1, 2, 7, usize::MAX];

/// The examples of RFC 7692, section 7.2.3: "Hello" in several ways.
pub const HELLO: &[u8] = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
/// "Hello" by reference to the "Hello" before it.
pub const HELLO_AGAIN: &[u8] = b"\xf2\x00\x11\x00\x00";
pub const HELLO_STORED: &[u8] = b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00";
pub const HELLO_FINAL: &[u8] = b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00";
pub const HELLO_TWO_BLOCKS: &[u8] = b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00";

/// The first byte of a frame that starts a compressed message: FIN, RSV1 and an opcode.
pub const TEXT: u8 = 0xc1;
pub const BINARY: u8 = 0xc2;

/// How both ends of a connection are configured: the one under test, and its peer.
#[derive(Clone, Debug)]
pub struct Terms {
    pub ours: Config,
    pub theirs: Config,
}

impl Terms {
    /// Both ends compress everything; we take over our context or not, and so does the peer.
    pub fn new(own: ContextTakeover, peer: ContextTakeover) -> Self {
        let deflate = Deflate::new().compress(Compress::Always);
        Self::of(
            deflate.clone().takeover(own).peer_takeover(peer),
            deflate.takeover(peer).peer_takeover(own),
        )
    }

    pub fn of(ours: Deflate, theirs: Deflate) -> Self {
        let config = |deflate| {
            let mut config = Config::default();
            config.deflate = Some(deflate);
            config
        };
        Self {
            ours: config(ours),
            theirs: config(theirs),
        }
    }

    /// As [`new`](Self::new), at the level whose output the RFC's examples show.
    pub fn balanced(own: ContextTakeover, peer: ContextTakeover) -> Self {
        let mut terms = Self::new(own, peer);
        terms.tune(|deflate| deflate.level(Level::BALANCED));
        terms
    }

    /// Changes how our end compresses.
    pub fn tune(&mut self, tune: impl FnOnce(Deflate) -> Deflate) {
        self.ours.deflate = self.ours.deflate.take().map(tune);
    }

    /// The end under test, which has `role`.
    pub fn open(&self, role: Role) -> Feed {
        self.open_both(role).0
    }

    /// The end under test, which has `role`, and its peer.
    pub fn open_both(&self, role: Role) -> (Feed, Feed) {
        let (client, server) = match role {
            Role::Client => (&self.ours, &self.theirs),
            Role::Server => (&self.theirs, &self.ours),
        };
        let (client, server) = handshake(client, server);
        let [client, server] = [client, server].map(feed);
        match role {
            Role::Client => (client, server),
            Role::Server => (server, client),
        }
    }

    /// Feeds `bytes` in reads of every size, demands one outcome and returns it.
    #[track_caller]
    pub fn trace(&self, role: Role, bytes: &[u8]) -> Trace {
        let traces = CHUNKS.map(|chunk| {
            let mut feed = self.open(role);
            for read in bytes.chunks(chunk.min(bytes.len()).max(1)) {
                feed.push(read);
            }
            Trace {
                outgoing: feed.take_outgoing(),
                events: feed.events,
                error: feed.error,
            }
        });
        let [one, two, seven, all] = traces;
        for (chunk, cut) in [(1, one), (2, two), (7, seven)] {
            assert_eq!(cut, all, "{role:?}: reads of {chunk} (left) and one read");
        }
        all
    }

    /// `bytes` are legal, and `events` are what they say.
    #[track_caller]
    pub fn assert_receives(&self, role: Role, bytes: &[u8], events: &[Seen]) {
        let trace = self.trace(role, bytes);
        assert_eq!(trace.error, None, "{role:?}");
        assert_eq!(trace.events, events, "{role:?}");
    }

    /// `bytes` fail the connection with `error`, after `events`: the one Close frame has `code`.
    #[track_caller]
    pub fn assert_fails(
        &self,
        role: Role,
        bytes: &[u8],
        events: &[Seen],
        error: impl Into<ReceiveError>,
        code: u16,
    ) {
        let trace = self.trace(role, bytes);
        assert_eq!(trace.error, Some(error.into()), "{role:?}");
        assert_eq!(trace.events, events, "{role:?}");
        let frames = sent_frames(role, &trace.outgoing);
        let closes = frames.iter().filter(|frame| frame.first == 0x88);
        let codes: Vec<_> = closes.map(|frame| frame.payload[..2].to_vec()).collect();
        assert_eq!(codes, [code.to_be_bytes()], "{role:?}");
        assert_eq!(frames.last().unwrap().first, 0x88, "{role:?}");
    }

    /// How many bytes it takes until the connection fails, if it does.
    pub fn fails_after(&self, role: Role, bytes: &[u8]) -> Option<usize> {
        let mut feed = self.open(role);
        (1..=bytes.len()).find(|end| {
            feed.push(&bytes[end - 1..*end]);
            feed.error.is_some()
        })
    }
}

/// Both directions with and without context takeover.
pub fn all_terms() -> [Terms; 4] {
    [(ON, ON), (ON, OFF), (OFF, ON), (OFF, OFF)].map(|(own, peer)| Terms::new(own, peer))
}

/// An opening handshake in memory: the client's and the server's end, which have agreed.
pub fn handshake(client: &Config, server: &Config) -> (Connection, Connection) {
    fn pass(bytes: &mut impl Buf, inbox: &mut Inbox) {
        let count = bytes.remaining();
        bytes.copy_to_slice(&mut inbox.spare(count)[..count]);
        inbox.received(count);
    }
    let (mut to_server, mut to_client) = (Inbox::new(), Inbox::new());
    let request = Request::new("ws://example.com/").unwrap();
    let keys = MaskKeys::seeded([7; 32]);
    let mut handshake = client::Handshake::new(request, client.clone(), keys);
    pass(handshake.outgoing(), &mut to_server);
    let options = Options::new(OriginPolicy::any()).config(server.clone());
    let step = server::Handshake::new(options).advance(&mut to_server);
    let Ok(Step::Done(Incoming::Upgrade(upgrade))) = step else {
        panic!("the request is refused: {step:?}");
    };
    let mut server = upgrade.accept(Acceptance::new()).unwrap();
    pass(server.outgoing(), &mut to_client);
    let step = handshake.advance(&mut to_client);
    let Ok(Step::Done(established)) = step else {
        panic!("the response is refused: {step:?}");
    };
    let agreed = established.headers.text("Sec-WebSocket-Extensions");
    assert!(agreed.is_some_and(|agreed| agreed.starts_with("permessage-deflate")));
    (established.connection, server)
}

pub fn feed(connection: Connection) -> Feed {
    Feed {
        connection,
        inbox: Inbox::new(),
        events: Vec::new(),
        error: None,
    }
}

/// What `feed` has written since the last call, as frames.
pub fn take_frames(feed: &mut Feed) -> Vec<Sent> {
    let bytes = feed.take_outgoing();
    sent_frames(feed.connection.role(), &bytes)
}

/// First bytes and payloads of what `feed` has written since the last call.
pub fn take_sent(feed: &mut Feed) -> Vec<(u8, Vec<u8>)> {
    let frames = take_frames(feed).into_iter();
    frames.map(|sent| (sent.first, sent.payload)).collect()
}

/// Frames to an end in `role`, one after the other.
pub fn frames(role: Role, frames: &[(u8, &[u8])]) -> Vec<u8> {
    let bytes = frames
        .iter()
        .map(|(first, payload)| frame(role, *first, payload));
    bytes.collect::<Vec<_>>().concat()
}

/// Receives what is there and drops it, as an application does that keeps nothing; returns how many
/// bytes of payload the events had, and the largest.
pub fn drain(connection: &mut Connection, inbox: &mut Inbox) -> Result<(u64, usize), ReceiveError> {
    let (mut total, mut largest) = (0, 0);
    while let Some(event) = connection.poll_event(inbox)? {
        let length = match &event {
            Event::Text(text) => text.len(),
            Event::Binary(bytes) => bytes.len(),
            Event::Piece(piece) => piece.as_bytes().len(),
            _ => 0,
        };
        total += length as u64;
        largest = largest.max(length);
    }
    Ok((total, largest))
}
