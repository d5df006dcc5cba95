//! permessage-deflate (RFC 7692): its configuration, its negotiation and its codec.
//!
//! Compression is off until a configuration is given a [`Deflate`]. The defaults are chosen for
//! memory: many connections, each of which owns nothing between two messages.
//!
//! # Memory
//!
//! Nothing is allocated before the first compressed message. With `w` the window bits agreed for
//! a direction and `m` the memory level, in octets on a 64-bit machine:
//!
//! | state | octets | held |
//! |---|---|---|
//! | compressor | 134,272 + 4 · 2^w + 7 · 2^(m + 6) | while a message is being sent |
//! | decompressor | 47,552, whatever the window | while a message is being received |
//! | history of what was sent, takeover | at most 2^min(w, 12) | from the first message on |
//! | history of what was received, takeover | at most 2^w | from the first message on |
//! | the same, no takeover | at most 2^min(w, 14) | while a message is being received |
//!
//! Compressors and decompressors are taken from a pool for one message and go back after it; a
//! compressor takes 380,032 octets at the default memory level with 15 window bits. With takeover
//! the connection keeps the end of what it has received, never more than one window, and at most
//! 4 KiB of what it has sent, and primes the next state with that, unless it gets the one back that
//! it had last. There are as many pools as processors, which threads share; each keeps as many
//! states as were in use at the same time, up to 64 of either kind.
//!
//! A server with the default configuration thus holds at most 62.4 KiB per connection in the middle
//! of a compressed message, and nothing between two of them. With takeover both ways the middle of a
//! message costs 83 KiB at 15 window bits, the time between two of them 36 KiB, and less below.
//! Connections that take turns on a thread share its states, also in the middle of sending; a
//! message that is sent in fragments keeps a compressor to itself up to the last one.
//!
//! # Defaults
//!
//! | setting | default | because |
//! |---|---|---|
//! | level | 1 | a message of 1 KiB costs a third of the time of level 6, with takeover a sixth |
//! | memory level | 8 | a pooled compressor is shared, so that its size hardly counts |
//! | own context takeover | off | it costs time, and secrets may leak from one message to another |
//! | peer's context takeover | off for a server, on for a client | a server counts its connections, a client has few and its server chooses |
//! | window bits, both | 15 | smaller ones save little without takeover |
//! | policy | [`Compress::Above`] 128 octets | shorter messages hardly shrink on their own |
//!
//! A client that does not take over its context needs no leave to do so, so its default offer is
//! exactly `permessage-deflate; client_max_window_bits`, which is what browsers send and every
//! server understands.
//!
//! # What takeover costs and gains
//!
//! The compressor that connections share, in KiB, and how many times smaller it makes different JSON
//! messages of about 1 KiB: where one connection has it to itself, and where others have it in
//! between, so that it is primed with 4 KiB for each message. Without takeover the messages get 1.76
//! and 2.26 times smaller.
//!
//! | window bits | KiB at memory level 1 | 5 | 8 | 9 | level 1, alone | primed | level 6, alone | primed |
//! |--:|--:|--:|--:|--:|--:|--:|--:|--:|
//! | 9 | 134 | 147 | 245 | 357 | 1.72 | 1.75 | 2.33 | 2.33 |
//! | 10 | 136 | 149 | 247 | 359 | 1.88 | 1.93 | 2.49 | 2.49 |
//! | 11 | 140 | 153 | 251 | 363 | 2.34 | 2.44 | 3.14 | 3.14 |
//! | 12 | 148 | 161 | 259 | 371 | 2.55 | 2.64 | 3.46 | 3.46 |
//! | 13 | 164 | 177 | 275 | 387 | 2.66 | 2.67 | 3.62 | 3.51 |
//! | 14 | 196 | 209 | 307 | 419 | 2.72 | 2.67 | 3.66 | 3.51 |
//! | 15 | 260 | 273 | 371 | 483 | 2.76 | 2.67 | 3.71 | 3.51 |
//!
//! Between memory levels 5 and 9 nothing changes for messages of this size; memory level 1 loses 7
//! to 16 % at level 6 and nothing at level 1. The peer's takeover costs what its window holds: 512
//! octets at 9 bits, 32 KiB at 15.
//!
//! # Side channel
//!
//! Compression shows in the length of a message what the message shares with its window. Whoever
//! can place text of their own next to a secret, in the same message or, with context takeover, in
//! one before or after it, and sees the lengths on the wire, can guess the secret piece by piece,
//! encrypted or not: the attack known from TLS and HTTP as CRIME and BREACH (RFC 7692, section 8;
//! RFC 7457, section 2.6). Send messages that hold secrets uncompressed ([`Compress::Never`], or
//! per message); without context takeover messages cannot leak each other.
//!
//! # Bounds
//!
//! What is inflated is written into room that the caller provides, so the caller's limit on the
//! message is kept while inflating and not after. Damaged data and a message that ends inside a
//! block are errors; they are answered with close code 1007. Distances that reach beyond the agreed
//! window are only noticed when they reach beyond what is kept.
//!
//! The time that a message takes follows its length on the wire and that of its data. The dearest
//! octets are those of empty final blocks where the peer's context is taken over, as each costs a
//! copy of the window: about half a second per MiB, 60 ms without takeover.
//!
//! # Examples
//!
//! ```
//! use fullduplex::deflate::Deflate;
//! use fullduplex::handshake::extension::parse_extensions;
//!
//! let client = Deflate::new();
//! let server = Deflate::new();
//! let offer = client.offer();
//! assert_eq!(offer, "permessage-deflate; client_max_window_bits");
//!
//! let (theirs, response) = server.accept(&parse_extensions(offer.as_bytes())?).unwrap();
//! let ours = client.check_response(&parse_extensions(response.as_bytes())?)?.unwrap();
//! assert_eq!(ours.send, theirs.receive);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod deflater;
mod history;
mod inflater;
mod negotiation;
mod pool;
mod settings;

pub use negotiation::NegotiationError;
pub use settings::{Compress, ContextTakeover, Level, MemoryLevel, WindowBits};

/// The codec, for the connection, the tests and the fuzz targets of this crate.
///
/// It is no part of the stable interface.
#[doc(hidden)]
pub mod codec {
    pub use super::deflater::{Deflater, End};
    pub use super::inflater::{Finish, Inflater};

    /// Drops the states that are kept for later.
    pub fn clear_pools() {
        super::pool::clear();
    }
}

/// The empty stored block's lengths, with which every flush ends and which are not transmitted at
/// the end of a message (RFC 7692, section 7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// How permessage-deflate is to be negotiated and used; the same type for both roles.
///
/// "Own" is the direction in which this endpoint compresses, "peer" the one in which it inflates.
/// The module's documentation gives the reason for each default.
///
/// ```
/// use fullduplex::deflate::{ContextTakeover, Deflate, Level, WindowBits};
///
/// let config = Deflate::new()
///     .level(Level::SMALLEST)
///     .takeover(ContextTakeover::On)
///     .peer_takeover(ContextTakeover::Off)
///     .peer_max_window_bits(WindowBits::new(12).unwrap());
/// assert_eq!(
///     config.offer(),
///     "permessage-deflate; server_no_context_takeover; server_max_window_bits=12; \
///      client_max_window_bits"
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deflate {
    level: Level,
    memory_level: MemoryLevel,
    compress: Compress,
    takeover: Option<ContextTakeover>,
    peer_takeover: Option<ContextTakeover>,
    max_window_bits: WindowBits,
    peer_max_window_bits: WindowBits,
}

impl Default for Deflate {
    fn default() -> Self {
        Self::new()
    }
}

impl Deflate {
    /// The defaults, which the module's documentation explains.
    pub const fn new() -> Self {
        Self {
            level: Level::FASTEST,
            memory_level: MemoryLevel::DEFAULT,
            compress: Compress::Above(128),
            takeover: None,
            peer_takeover: None,
            max_window_bits: WindowBits::MAX,
            peer_max_window_bits: WindowBits::MAX,
        }
    }

    /// Trades time for size when compressing.
    #[must_use]
    pub const fn level(self, level: Level) -> Self {
        Self { level, ..self }
    }

    /// Trades memory for size and time when compressing.
    #[must_use]
    pub const fn memory_level(self, memory_level: MemoryLevel) -> Self {
        Self {
            memory_level,
            ..self
        }
    }

    /// Which messages are compressed, where a message does not say so itself.
    #[must_use]
    pub const fn compress(self, compress: Compress) -> Self {
        Self { compress, ..self }
    }

    /// Whether a message is compressed with reference to those that were sent before it.
    ///
    /// A server announces [`ContextTakeover::Off`] in its response and a client that asks for it
    /// explicitly hints at it in its offer, so that the peer can save its window.
    #[must_use]
    pub const fn takeover(self, takeover: ContextTakeover) -> Self {
        Self {
            takeover: Some(takeover),
            ..self
        }
    }

    /// Whether the peer may do so; if not, it is told (RFC 7692, section 7.1.1).
    ///
    /// A client that sets this to [`ContextTakeover::Off`] fails the handshake if the server
    /// accepts the extension without this condition.
    #[must_use]
    pub const fn peer_takeover(self, takeover: ContextTakeover) -> Self {
        Self {
            peer_takeover: Some(takeover),
            ..self
        }
    }

    /// The largest window that this endpoint compresses with.
    ///
    /// 8 is taken for 9, the backend's smallest: an endpoint that compresses does not promise 8.
    #[must_use]
    pub const fn max_window_bits(self, bits: WindowBits) -> Self {
        Self {
            max_window_bits: bits.at_least_nine(),
            ..self
        }
    }

    /// The largest window that the peer may compress with (RFC 7692, section 7.1.2).
    ///
    /// Below 15 this is a condition: a server declines offers of clients that cannot be told, and a
    /// client fails the handshake if the server accepts the extension without it.
    #[must_use]
    pub const fn peer_max_window_bits(self, bits: WindowBits) -> Self {
        Self {
            peer_max_window_bits: bits,
            ..self
        }
    }

    /// Whether this policy compresses a message with a payload of `length` octets.
    pub const fn compresses(&self, length: usize) -> bool {
        self.compress.applies(length)
    }

    /// A compressor for what the handshake agreed.
    #[doc(hidden)]
    pub fn deflater(&self, agreement: &Agreement) -> codec::Deflater {
        codec::Deflater::new(agreement, self.level, self.memory_level)
    }
}

/// What the handshake agreed, as one endpoint sees it. Both roles share the type.
///
/// ```
/// use fullduplex::deflate::{Agreement, ContextTakeover, Direction, WindowBits};
///
/// let small = Direction::new(WindowBits::new(10).unwrap(), ContextTakeover::On);
/// let agreement = Agreement::new(Direction::default(), small);
/// assert_eq!(agreement.receive.window_bits.size(), 1024);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Agreement {
    /// The direction in which this endpoint compresses.
    pub send: Direction,
    /// The direction in which it inflates.
    pub receive: Direction,
}

impl Agreement {
    /// An agreement reached by other means than [`Deflate::accept`] and
    /// [`Deflate::check_response`].
    pub const fn new(send: Direction, receive: Direction) -> Self {
        Self { send, receive }
    }
}

/// What is agreed for one direction; by default a full window that is taken over.
///
/// ```
/// use fullduplex::deflate::{ContextTakeover, Direction, WindowBits};
///
/// assert_eq!(Direction::default().window_bits, WindowBits::MAX);
/// assert_eq!(Direction::default().takeover, ContextTakeover::On);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Direction {
    /// The size of the window with which the sender compresses.
    pub window_bits: WindowBits,
    /// Whether the window outlives a message.
    pub takeover: ContextTakeover,
}

impl Direction {
    /// A direction with this window.
    pub const fn new(window_bits: WindowBits, takeover: ContextTakeover) -> Self {
        Self {
            window_bits,
            takeover,
        }
    }
}

/// Why a compressed message could not be read or written.
///
/// ```
/// use fullduplex::deflate::DeflateError;
///
/// assert_eq!(DeflateError::Truncated.to_string(), "compressed message ends inside a block");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeflateError {
    /// The payload is not DEFLATE data (RFC 7692, section 7.2.2; RFC 1951).
    #[error("compressed message is corrupt")]
    Corrupt,
    /// The payload does not end on the empty stored block that a flush leaves behind, nor on a
    /// final block (RFC 7692, section 7.2.1).
    #[error("compressed message ends inside a block")]
    Truncated,
    /// The compressor refused to work, which no input can make it do.
    #[error("compressor is in an inconsistent state")]
    Backend,
}
