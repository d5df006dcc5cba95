//! What is measured.

use crate::Result;
use crate::peers::{self, Opening, PEERS, Part, Peer};
use crate::traffic::Kind;

#[derive(Clone, Copy, Debug)]
pub struct Echo {
    pub connections: usize,
    /// How many messages a connection sends at once, before it waits for their echoes.
    pub depth: usize,
    pub size: usize,
    pub kind: Kind,
}

#[derive(Clone, Copy, Debug)]
pub enum What {
    /// Processor time of echoes.
    Echo(Echo),
    /// Memory of connections that are idle, after an echo each.
    Idle { connections: usize },
    /// Memory of connections that are idle again, after a burst.
    Burst(Echo),
    /// Processor time of echoes of compressed messages.
    Deflate { takeover: bool },
    /// Processor time of connections that are opened and closed.
    Handshake,
}

#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub name: &'static str,
    pub what: What,
}

const fn binary(connections: usize, depth: usize, size: usize) -> Echo {
    Echo {
        connections,
        depth,
        size,
        kind: Kind::Binary,
    }
}

const fn row(name: &'static str, what: What) -> Row {
    Row { name, what }
}

const fn echo(name: &'static str, connections: usize, depth: usize, size: usize) -> Row {
    row(name, What::Echo(binary(connections, depth, size)))
}

const K: usize = 1024;

pub const ROWS: &[Row] = &[
    echo("ping-1x16", 1, 1, 16),
    echo("ping-1x1K", 1, 1, K),
    echo("ping-1x16K", 1, 1, 16 * K),
    echo("ping-64x16", 64, 1, 16),
    echo("ping-64x1K", 64, 1, K),
    row(
        "ping-64x1K-text",
        What::Echo(Echo {
            kind: Kind::Text,
            ..binary(64, 1, K)
        }),
    ),
    echo("ping-64x16K", 64, 1, 16 * K),
    echo("ping-500x16", 500, 1, 16),
    echo("ping-500x1K", 500, 1, K),
    echo("ping-500x16K", 500, 1, 16 * K),
    echo("pipe-16x64x16", 16, 64, 16),
    echo("pipe-16x32x1K", 16, 32, K),
    echo("pipe-16x32x16K", 16, 32, 16 * K),
    echo("large-4x1M", 4, 1, K * K),
    row(
        "idle-10000",
        What::Idle {
            connections: 10_000,
        },
    ),
    row("burst-1K", What::Burst(binary(500, 32, K))),
    row("burst-1M", What::Burst(binary(500, 1, K * K))),
    row("deflate", What::Deflate { takeover: false }),
    row("deflate-takeover", What::Deflate { takeover: true }),
    row("handshake", What::Handshake),
];

/// A thread for each connection is for few connections.
const MOST_THREADS: usize = 100;

impl Row {
    /// The peer that all others are compared with.
    pub fn reference(&self) -> &'static str {
        match self.what {
            What::Echo(echo) if echo.is_large() => peers::LARGE_REFERENCE,
            What::Handshake => peers::LEAN_REFERENCE,
            _ => peers::REFERENCE,
        }
    }

    /// Whether the reference runs beside each peer, which has a ratio to it then.
    pub fn is_paired(&self) -> bool {
        matches!(self.what, What::Echo(_) | What::Handshake)
    }

    pub fn reference_peer(&self) -> Result<&'static Peer> {
        let named = |peer: &&Peer| peer.name == self.reference();
        Ok(PEERS.iter().find(named).ok_or("no reference")?)
    }

    /// Memory is much the same each time.
    pub fn most_rounds(&self) -> usize {
        match self.what {
            What::Idle { .. } | What::Burst(_) => 3,
            _ => usize::MAX,
        }
    }

    pub fn admits(&self, peer: &Peer) -> bool {
        let part = peer.part;
        let common = part == Part::Everywhere;
        match self.what {
            What::Echo(echo) => {
                let batches = part == Part::Pipelined && echo.depth > 1;
                let is_tuned = part == Part::Tuned && echo.depth == 1;
                let reads_much = part == Part::Large && echo.is_large();
                let fits = !peer.threads || echo.connections <= MOST_THREADS;
                (common || batches || is_tuned || reads_much) && fits
            }
            What::Idle { .. } => {
                (common || matches!(part, Part::Tuned | Part::Memory)) && !peer.threads
            }
            What::Burst(echo) => {
                let batches = part == Part::Pipelined && echo.depth > 1;
                common || batches || part == Part::Memory
            }
            What::Deflate { takeover } => {
                matches!(part, Part::Deflate { takeover: can } if can || !takeover)
            }
            What::Handshake => (common || part == Part::Memory) && peer.opening != Opening::Others,
        }
    }
}

impl Echo {
    fn is_large(&self) -> bool {
        self.size > 64 * K
    }
}
