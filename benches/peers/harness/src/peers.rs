//! Who takes part.

/// Which rows a peer takes part in beyond its nature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Everywhere,
    /// Where many messages are under way: it batches by hand what others batch by themselves.
    Pipelined,
    /// Where messages are large: its reads are.
    Large,
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
}

const fn peer(name: &'static str, program: &'static str) -> Peer {
    Peer {
        name,
        program,
        arguments: &[],
        raw: false,
        threads: false,
        part: Part::Everywhere,
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

    const fn batch(self) -> Self {
        Self {
            arguments: &["--batch"],
            part: Part::Pipelined,
            ..self
        }
    }

    const fn large(self) -> Self {
        Self {
            arguments: &["--read", "1048576"],
            part: Part::Large,
            ..self
        }
    }

    pub fn is_ours(&self) -> bool {
        self.name.starts_with("fullduplex")
    }
}

/// What everybody is compared with, and in rows of large messages.
pub const REFERENCE: &str = "raw_tokio";
pub const LARGE_REFERENCE: &str = "raw_tokio_1M";

pub const PEERS: &[Peer] = &[
    peer(REFERENCE, "raw_tokio").raw(),
    peer(LARGE_REFERENCE, "raw_tokio").raw().large(),
    peer("raw_epoll", "raw_epoll").raw(),
    peer("raw_blocking", "raw_blocking").raw().threads(),
    peer("fullduplex mio", "fullduplex_mio"),
    peer("fullduplex tokio", "fullduplex_tokio"),
    peer("fullduplex tokio+feed", "fullduplex_tokio").batch(),
    peer("fullduplex blocking", "fullduplex_blocking").threads(),
    peer("fastwebsockets", "fastwebsockets-server"),
    peer("tokio-tungstenite", "tokio-tungstenite-server"),
    peer("tokio-tungstenite+b", "tokio-tungstenite-server").batch(),
];
