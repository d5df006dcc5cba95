//! What an application chooses: role, limits, deadlines, delivery.

use core::time::Duration;

/// Which end of the connection this is. The roles differ in masking, in who ends the transport
/// first, and in a few close codes.
///
/// ```
/// use fullduplex::Role;
///
/// assert_ne!(Role::Client, Role::Server);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a connection has two ends")]
pub enum Role {
    /// Opened the connection; masks what it sends.
    Client,
    /// Accepted the connection; never masks.
    Server,
}

/// Everything a connection can be told before it starts.
///
/// The defaults suit a server that faces the internet. Each field says why its default is what it
/// is.
///
/// ```
/// use fullduplex::Config;
///
/// let mut config = Config::default();
/// config.limits.max_message = 64 * 1024; // this service exchanges small messages only
/// config.timeouts.idle = Some(std::time::Duration::from_secs(600));
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Config {
    /// Bounds on memory and work.
    pub limits: Limits,
    /// Deadlines and keepalive.
    pub timeouts: Timeouts,
    /// Whether messages are delivered whole or in pieces.
    pub delivery: Delivery,
    /// Messages with more payload than this are sent in several frames, between which control
    /// frames can go. `None`, the default, sends each message as one frame: fragments cost a header
    /// each and the peers' limits on their number.
    pub max_frame_payload: Option<usize>,
    /// Whether and how messages are compressed, if the peer agrees (RFC 7692). `None`, the default,
    /// neither offers nor accepts compression, which has a side channel and costs memory.
    #[cfg(feature = "deflate")]
    pub deflate: Option<crate::deflate::Deflate>,
}

/// Bounds on what a peer, or a fast application, can make a connection hold or do.
///
/// Every bound is inclusive: exactly the limit passes, one more fails. With the type's maximum a
/// bound is off; memory still follows the bytes that have come and never a length that a peer
/// merely declares.
///
/// In the worst case a connection holds twice [`max_message`](Self::max_message) plus 64 KiB of what
/// it received, and of what is to be sent twice the sum of [`max_outgoing`](Self::max_outgoing) and
/// one message of the application: buffers grow by doubling. At the moment of growing, half of that
/// comes on top. A peer reaches the first part only by sending as much, and the second only where
/// the application sends it as much.
///
/// ```
/// use fullduplex::Limits;
///
/// assert_eq!(Limits::default().max_message, 16 * 1024 * 1024);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The largest payload of a received frame, in bytes. Default 18 MiB: a message may come as one
    /// frame, and one that is compressed in vain is up to an eighth longer, so a smaller default
    /// would be a hidden limit on messages.
    pub max_frame: u64,
    /// The largest received message, in bytes, after decompression. Default 16 MiB: large enough
    /// for what real applications send, Autobahn's largest case included, and small enough that a
    /// thousand attackers fill a server's memory only by sending 16 GB. Exceeding it fails the
    /// connection with 1009.
    pub max_message: u64,
    /// The most frames a received message may be cut into. Default 131,072: a message of the
    /// default size in pieces of 128 bytes, less than any sender is known to cut. Fragments take no
    /// memory of their own; the limit bounds the work that empty ones cause. Exceeding it fails the
    /// connection with 1008.
    pub max_fragments: u32,
    /// The outgoing queue's high-water mark in bytes. At or above it, sending is refused until the
    /// transport has taken some. Default 1 MiB: more than a socket buffer, so that the transport
    /// never runs dry, and little enough for a peer that stops reading.
    pub max_outgoing: usize,
    /// The largest HTTP head of an opening handshake, in bytes. Default 16 KiB: twice what common
    /// HTTP servers take, since cookies and tokens ride on it.
    pub max_head: usize,
    /// The most header lines of an opening handshake. Default 100, as HTTP servers have it;
    /// browsers send about 15.
    pub max_headers: usize,
    /// How much of the body of a refused handshake a client keeps, in bytes. Default 64 KiB: enough
    /// for an error page or a JSON explanation.
    pub max_rejection_body: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_frame: 18 * 1024 * 1024,
            max_message: 16 * 1024 * 1024,
            max_fragments: 128 * 1024,
            max_outgoing: 1024 * 1024,
            max_head: 16 * 1024,
            max_headers: 100,
            max_rejection_body: 64 * 1024,
        }
    }
}

/// Deadlines. They act only where the driver calls
/// [`handle_timeout`](crate::Connection::handle_timeout), as every adapter does.
///
/// ```
/// use fullduplex::Timeouts;
/// use std::time::Duration;
///
/// assert_eq!(Timeouts::default().close, Some(Duration::from_secs(5)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// For the way to the server, where an adapter goes it: TCP with whichever of the host's
    /// addresses answers, the tunnel of a proxy, TLS. Looking up the name is not counted where the
    /// system's resolver cannot be stopped. Default 10 s: a lost packet or two are sent again within
    /// it.
    pub connect: Option<Duration>,
    /// For the whole opening handshake. Default 10 s: a slow mobile network needs two or three, and
    /// a peer that dribbles bytes holds a socket no longer than this.
    pub handshake: Option<Duration>,
    /// Detects a peer that is gone. On by default.
    pub keepalive: Option<Keepalive>,
    /// Closes a connection (1001) over which no message has gone either way for so long. Control
    /// frames do not count. Off by default: only the application knows what idle means.
    pub idle: Option<Duration>,
    /// From our Close frame to the end of the transport. Default 5 s: a live peer answers in a round
    /// trip, and a dead one must not hold resources.
    pub close: Option<Duration>,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Some(Duration::from_secs(10)),
            handshake: Some(Duration::from_secs(10)),
            keepalive: Some(Keepalive::default()),
            idle: None,
            close: Some(Duration::from_secs(5)),
        }
    }
}

/// When a silent peer is asked for a sign of life, and how long it may take to give one.
///
/// ```
/// use fullduplex::Keepalive;
/// use std::time::Duration;
///
/// assert_eq!(Keepalive::default().interval, Duration::from_secs(20));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "an interval and a deadline are all there is to it"
)]
pub struct Keepalive {
    /// A Ping is sent after so long without a received byte. Default 20 s: proxies commonly cut
    /// tunnels that were silent for 60 s, some for 30.
    pub interval: Duration,
    /// The connection fails when nothing at all has come for so long after the Ping left. Default
    /// 20 s: a busy network may queue for seconds, and detection within a minute is what most
    /// services want.
    pub timeout: Duration,
}

impl Default for Keepalive {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(20),
            timeout: Duration::from_secs(20),
        }
    }
}

/// How received messages reach the application.
///
/// ```
/// use fullduplex::Delivery;
///
/// assert_eq!(Delivery::default(), Delivery::Whole);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Delivery {
    /// As [`Event::Text`](crate::Event::Text) and [`Event::Binary`](crate::Event::Binary), once the
    /// last fragment is there.
    #[default]
    Whole,
    /// As [`Event::Piece`](crate::Event::Piece), whatever has arrived, so that memory stays bounded
    /// for messages of any length. [`Limits::max_message`] still applies.
    Pieces,
}
