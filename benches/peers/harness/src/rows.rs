//! What is measured.

use crate::peers::{self, Part, Peer};
use crate::traffic::Kind;

#[derive(Clone, Copy, Debug)]
pub struct Echo {
    pub connections: usize,
    pub depth: usize,
    pub size: usize,
    pub kind: Kind,
}

#[derive(Clone, Copy, Debug)]
pub enum What {
    Echo(Echo),
}

#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub name: &'static str,
    pub what: What,
}

const fn echo(name: &'static str, connections: usize, depth: usize, size: usize) -> Row {
    Row {
        name,
        what: What::Echo(Echo {
            connections,
            depth,
            size,
            kind: Kind::Binary,
        }),
    }
}

const fn text(row: Row) -> Row {
    let What::Echo(echo) = row.what;
    let kind = Kind::Text;
    Row {
        what: What::Echo(Echo { kind, ..echo }),
        ..row
    }
}

pub const ROWS: &[Row] = &[
    echo("ping-1x16", 1, 1, 16),
    echo("ping-1x1K", 1, 1, 1024),
    echo("ping-1x16K", 1, 1, 16 * 1024),
    echo("ping-64x16", 64, 1, 16),
    echo("ping-64x1K", 64, 1, 1024),
    text(echo("ping-64x1K-text", 64, 1, 1024)),
    echo("ping-64x16K", 64, 1, 16 * 1024),
    echo("ping-500x16", 500, 1, 16),
    echo("ping-500x1K", 500, 1, 1024),
    echo("ping-500x16K", 500, 1, 16 * 1024),
    echo("pipe-16x64x16", 16, 64, 16),
    echo("pipe-16x32x1K", 16, 32, 1024),
    echo("pipe-16x32x16K", 16, 32, 16 * 1024),
    echo("large-4x1M", 4, 1, 1024 * 1024),
];

/// A thread for each connection is for few connections.
const MOST_THREADS: usize = 100;

impl Row {
    /// The peer that all others are compared with.
    pub fn reference(&self) -> &'static str {
        if self.is_large() {
            peers::LARGE_REFERENCE
        } else {
            peers::REFERENCE
        }
    }

    fn is_large(&self) -> bool {
        let What::Echo(echo) = self.what;
        echo.size > 64 * 1024
    }

    pub fn admits(&self, peer: &Peer) -> bool {
        let What::Echo(echo) = self.what;
        let fits = match peer.part {
            Part::Everywhere => true,
            Part::Pipelined => echo.depth > 1,
            Part::Large => self.is_large(),
        };
        fits && (!peer.threads || echo.connections <= MOST_THREADS)
    }
}
