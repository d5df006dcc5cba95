//! Which figures make which table, and what is said about it.

use crate::measure::Sample;
use crate::peers::{LARGE_REFERENCE, LEAN_REFERENCE, REFERENCE};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Of processor time, to the reference; with microseconds beside it.
    Ratio,
    Microseconds,
    /// Of memory.
    KiB,
    Bytes,
}

pub struct Column {
    pub row: &'static str,
    pub title: &'static str,
    pub unit: Unit,
    pub value: fn(&Sample) -> f64,
}

pub struct Table {
    /// The picture's file, without its extension.
    pub name: &'static str,
    pub title: &'static str,
    pub about: &'static str,
    /// What ratios are to.
    pub reference: &'static str,
    pub columns: &'static [Column],
}

const fn column(
    row: &'static str,
    title: &'static str,
    unit: Unit,
    value: fn(&Sample) -> f64,
) -> Column {
    Column {
        row,
        title,
        unit,
        value,
    }
}

const fn ratio(row: &'static str, title: &'static str) -> Column {
    column(row, title, Unit::Ratio, |sample| sample.ratio)
}

const fn microseconds(row: &'static str, title: &'static str) -> Column {
    column(row, title, Unit::Microseconds, |sample| sample.cpu)
}

const fn memory(row: &'static str, title: &'static str) -> Column {
    column(row, title, Unit::KiB, |sample| sample.memory / 1024.0)
}

const fn bytes(row: &'static str, title: &'static str) -> Column {
    column(row, title, Unit::Bytes, |sample| sample.bytes)
}

pub const TABLES: &[Table] = &[
    Table {
        name: "ping-1",
        title: "One message at a time, 1 connection",
        about: "Server and load generator wait for each other: most of it is the kernel's, which \
                puts a process to sleep and wakes it.",
        reference: REFERENCE,
        columns: &[
            ratio("ping-1x16", "16 B"),
            ratio("ping-1x1K", "1 KiB"),
            ratio("ping-1x16K", "16 KiB"),
        ],
    },
    Table {
        name: "ping-64",
        title: "One message at a time, 64 connections",
        about: "One read and one write for each message, whoever does it.",
        reference: REFERENCE,
        columns: &[
            ratio("ping-64x16", "16 B"),
            ratio("ping-64x1K", "1 KiB"),
            ratio("ping-64x1K-text", "1 KiB of text"),
            ratio("ping-64x16K", "16 KiB"),
        ],
    },
    Table {
        name: "ping-500",
        title: "One message at a time, 500 connections",
        about: "As before, but what a connection holds is out of the cache when its turn comes.",
        reference: REFERENCE,
        columns: &[
            ratio("ping-500x16", "16 B"),
            ratio("ping-500x1K", "1 KiB"),
            ratio("ping-500x16K", "16 KiB"),
        ],
    },
    Table {
        name: "pipelined",
        title: "Many messages at a time, 16 connections",
        about: "Each connection sends so many messages at once, and the next when all are echoed. \
                Whoever writes for each message pays for it; `+b` are servers that batch by hand, \
                with `feed` while more is ready and one `flush`.",
        reference: REFERENCE,
        columns: &[
            ratio("pipe-16x64x16", "64 × 16 B"),
            ratio("pipe-16x32x1K", "32 × 1 KiB"),
            ratio("pipe-16x32x16K", "32 × 16 KiB"),
        ],
    },
    Table {
        name: "large",
        title: "Messages of 1 MiB, 4 connections",
        about: "Compared with an echo that has room for 1 MiB in each read.",
        reference: LARGE_REFERENCE,
        columns: &[ratio("large-4x1M", "1 MiB")],
    },
    Table {
        name: "memory",
        title: "Memory of an idle connection",
        about: "KiB that the server's resident memory has grown by for each connection. Idle: \
                10,000 connections, after an echo of 16 bytes on each. After a burst: 500 \
                connections, of which ten at a time sent 32 messages of 1 KiB at once, or \
                messages of 1 MiB, for a hundredth of a second. What all connections share is \
                divided by their number.",
        reference: REFERENCE,
        columns: &[
            memory("idle-10000", "idle"),
            memory("burst-1K", "after 32 × 1 KiB"),
            memory("burst-1M", "after 1 MiB"),
        ],
    },
    Table {
        name: "deflate",
        title: "permessage-deflate",
        about: "1 KiB of JSON, 64 connections, one message at a time, level 1; each message \
                compressed independently by the client. The memory of a connection includes what \
                all share.",
        reference: REFERENCE,
        columns: &[
            microseconds("deflate", "no takeover"),
            bytes("deflate", "sent"),
            memory("deflate", "memory"),
            microseconds("deflate-takeover", "takeover"),
            bytes("deflate-takeover", "sent"),
            memory("deflate-takeover", "memory"),
        ],
    },
    Table {
        name: "handshake",
        title: "Connections opened and closed",
        about: "A TCP connection, a request as a browser sends it (14 header fields), the \
                response, and the end. fastwebsockets and yawc are opened by hyper. web-socket \
                opens none by itself.",
        reference: LEAN_REFERENCE,
        columns: &[ratio("handshake", "opened and closed")],
    },
];
