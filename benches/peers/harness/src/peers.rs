//! Who takes part.

/// Where a peer takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Everywhere,
    /// Where many messages are under way: it batches by hand what others batch by themselves.
    Pipelined,
    /// Where one message at a time is under way, too: its buffers are larger than by default.
    Tuned,
    /// Where messages are large: its reads are.
    Large,
    /// Where memory is measured, or connections are short: it holds as little as possible.
    Memory,
    /// Where messages are compressed, and whether it can keep the context between them.
    Deflate {
        takeover: bool,
    },
}

/// What opens its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    Itself,
    /// A few lines of ours, and hyper where opening is what is measured.
    Hyper,
    /// A few lines of ours.
    Others,
}

#[derive(Clone, Copy, Debug)]
pub struct Peer {
    pub name: &'static str,
    pub program: &'static str,
    pub arguments: &'static [&'static str],
    /// Knows no protocol.
    pub raw: bool,
    /// A thread for each connection, so that it takes no part where connections are many.
    pub threads: bool,
    pub part: Part,
    pub opening: Opening,
}

const fn peer(name: &'static str, program: &'static str) -> Peer {
    Peer {
        name,
        program,
        arguments: &[],
        raw: false,
        threads: false,
        part: Part::Everywhere,
        opening: Opening::Itself,
    }
}

impl Peer {
    const fn raw(self) -> Self {
        Self { raw: true, ..self }
    }

    const fn threads(self) -> Self {
        Self {
            threads: true,
            ..self
        }
    }

    const fn only(self, part: Part, arguments: &'static [&'static str]) -> Self {
        Self {
            arguments,
            part,
            ..self
        }
    }

    const fn opened_by(self, opening: Opening) -> Self {
        Self { opening, ..self }
    }
}

/// What everybody is compared with.
pub const REFERENCE: &str = "raw tokio";
/// The same in rows of large messages.
pub const LARGE_REFERENCE: &str = "raw tokio, 1 MiB reads";
/// The same where connections are short: to clear a buffer for each would be most of it.
pub const LEAN_REFERENCE: &str = "raw tokio, no buffer";

const BATCH: &[&str] = &["--batch"];

pub const PEERS: &[Peer] = &[
    peer(REFERENCE, "raw_tokio").raw(),
    peer(LARGE_REFERENCE, "raw_tokio")
        .raw()
        .only(Part::Large, &["--read", "1048576"]),
    peer(LEAN_REFERENCE, "raw_tokio_lean")
        .raw()
        .only(Part::Memory, &[]),
    peer("raw epoll", "raw_epoll").raw(),
    peer("raw blocking", "raw_blocking").raw().threads(),
    peer("fullduplex mio", "fullduplex_mio"),
    peer("fullduplex tokio", "fullduplex_tokio"),
    peer("fullduplex tokio, feed", "fullduplex_tokio").only(Part::Everywhere, BATCH),
    peer("fullduplex blocking", "fullduplex_blocking").threads(),
    peer("fullduplex mio", "fullduplex_mio_deflate").only(DEFLATE, &[]),
    peer("fullduplex tokio", "fullduplex_tokio_deflate").only(DEFLATE, &[]),
    peer("fastwebsockets", "fastwebsockets-server").opened_by(Opening::Hyper),
    peer("sockudo-ws", "sockudo-ws-server"),
    peer("sockudo-ws+b", "sockudo-ws-server").only(Part::Pipelined, BATCH),
    peer("sockudo-ws", "sockudo-ws-server").only(DEFLATE, &[]),
    peer("soketto", "soketto-server"),
    peer("soketto+b", "soketto-server").only(Part::Pipelined, BATCH),
    peer("soketto", "soketto-server").only(Part::Deflate { takeover: false }, &[]),
    peer("tokio-tungstenite", "tokio-tungstenite-server"),
    peer("tokio-tungstenite+b", "tokio-tungstenite-server").only(Part::Pipelined, BATCH),
    peer("tokio-websockets", "tokio-websockets-server"),
    peer("tokio-websockets+b", "tokio-websockets-server").only(Part::Pipelined, BATCH),
    peer("tungstenite", "tungstenite-server").threads(),
    peer("web-socket", "web-socket-server").opened_by(Opening::Others),
    peer("yawc", "yawc-server").opened_by(Opening::Hyper),
    peer("yawc, large buffers", "yawc-server").only(Part::Tuned, &["--tuned"]),
    peer("yawc+b, large buffers", "yawc-server").only(Part::Pipelined, &["--batch", "--tuned"]),
    peer("yawc", "yawc-server").only(DEFLATE, &[]),
];

const DEFLATE: Part = Part::Deflate { takeover: true };
