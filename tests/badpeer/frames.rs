//! Frames that break a rule, after the opening handshake. `role` is that of the end they are sent to.

use fullduplex::Role;

use crate::common::feed::header;
use crate::common::pair::{
    BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, TEXT, close_body, close_to, frame_to,
};

/// What is sent, and the code of the Close frame that has to come back.
pub(crate) struct Violation {
    pub name: String,
    /// The rules and the attacks of which it is an example.
    pub ids: &'static str,
    pub bytes: Vec<u8>,
    pub code: u16,
}

pub(crate) fn violation(
    ids: &'static str,
    code: u16,
    name: impl Into<String>,
    bytes: Vec<u8>,
) -> Violation {
    Violation {
        name: name.into(),
        ids,
        bytes,
        code,
    }
}

const MIB: u64 = 1 << 20;
/// Fragments of text and binary messages, the first of which has the kind.
const TEXT_START: u8 = TEXT & !FIN;
const BINARY_START: u8 = BINARY & !FIN;
const MIDDLE: u8 = CONTINUATION & !FIN;

pub(crate) fn violations(role: Role) -> Vec<Violation> {
    [
        first_bytes(role),
        masks(role),
        lengths(role),
        sizes(role),
        fragments(role),
        controls(role),
        closes(role),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Reserved bits and opcodes.
fn first_bytes(role: Role) -> Vec<Violation> {
    let frame = |first| frame_to(role, first, b"payload");
    let mut all = Vec::new();
    for (bits, name) in [
        (0x40, "RSV1 without extension"),
        (0x20, "RSV2"),
        (0x10, "RSV3"),
        (0x70, "all reserved bits"),
    ] {
        for (first, kind) in [
            (TEXT, "text"),
            (BINARY, "binary"),
            (TEXT_START, "a first fragment"),
            (PING, "a Ping"),
            (PONG, "a Pong"),
            (CLOSE, "a Close frame"),
        ] {
            let name = format!("{name} on {kind}");
            all.push(violation(
                "R6455-5.2-01 F6",
                1002,
                name,
                frame(first | bits),
            ));
        }
        let continued = [frame(BINARY_START), frame(CONTINUATION | bits)].concat();
        let name = format!("{name} on a continuation");
        all.push(violation("R6455-5.2-01 F6", 1002, name, continued));
    }
    for opcode in [3, 4, 5, 6, 7, 0xb, 0xc, 0xd, 0xe, 0xf] {
        for (fin, part) in [(FIN, "a frame"), (0, "a fragment")] {
            let name = format!("{part} with opcode {opcode:#x}");
            let ids = "R6455-5.2-02 RIANA-01 F6";
            all.push(violation(ids, 1002, name, frame(fin | opcode)));
        }
    }
    for (first, name) in [
        (0x83, "no more than an unknown opcode"),
        (0xa1, "no more than a reserved bit"),
        (0x09, "no more than a fragmented Ping"),
    ] {
        all.push(violation("R6455-5.2-02 F6", 1002, name, vec![first]));
    }
    all
}

/// What a client has to do and a server must not.
fn masks(role: Role) -> Vec<Violation> {
    let (other, what) = match role {
        Role::Server => (Role::Client, "without a mask"),
        Role::Client => (Role::Server, "with a mask"),
    };
    let mut all = Vec::new();
    for (first, name) in [
        (TEXT, "text"),
        (BINARY, "binary"),
        (TEXT_START, "a first fragment"),
        (CLOSE, "a Close frame"),
        (PING, "a Ping"),
        (PONG, "a Pong"),
    ] {
        for payload in [&b""[..], &close_body(1000, "payload")] {
            let size = if payload.is_empty() { "empty, " } else { "" };
            let bytes = frame_to(other, first, payload);
            let name = format!("{name} {size}{what}");
            all.push(violation("R6455-5.1-01 R6455-5.1-02 F7", 1002, name, bytes));
        }
    }
    let continued = [
        frame_to(role, TEXT_START, b"a"),
        frame_to(other, CONTINUATION, b"b"),
    ];
    let name = format!("a continuation {what}");
    all.push(violation("R6455-5.1-02 F7", 1002, name, continued.concat()));
    let start = frame_to(other, BINARY, &[0; 300])[..2].to_vec();
    let name = format!("no more than two bytes of a frame {what}");
    all.push(violation("R6455-5.1-02 F7", 1002, name, start));
    all
}

/// A header whose length is written as `extended` says.
fn long_header(role: Role, first: u8, extended: &[u8]) -> Vec<u8> {
    let code = if extended.len() == 2 { 126 } else { 127 };
    let mask = frame_to(role, first, b"")[1];
    let mut bytes = vec![first, mask | code];
    bytes.extend(extended);
    if role == Role::Server {
        bytes.extend([0; 4]);
    }
    bytes
}

/// Lengths that are written in more bytes than they need, or negative.
fn lengths(role: Role) -> Vec<Violation> {
    let mut all = Vec::new();
    for length in [0_u16, 1, 5, 125] {
        let bytes = long_header(role, BINARY, &length.to_be_bytes());
        let name = format!("{length} in 16 bits");
        all.push(violation("R6455-5.2-03 L4", 1002, name, bytes));
    }
    for length in [0, 1, 125, 126, 65_535_u64] {
        let bytes = long_header(role, TEXT, &length.to_be_bytes());
        let name = format!("{length} in 64 bits");
        all.push(violation("R6455-5.2-03 L4", 1002, name, bytes));
    }
    let continued = [
        frame_to(role, TEXT_START, b"a"),
        long_header(role, CONTINUATION, &[0, 9]),
    ];
    let name = "a continuation of 9 bytes in 16 bits";
    all.push(violation("R6455-5.2-03 L4", 1002, name, continued.concat()));
    for (length, name) in [
        (1 << 63, "the smallest negative length"),
        ((1 << 63) | 1, "the top bit and one byte"),
        (u64::MAX, "a length of minus one"),
        (0xffff_ffff_ffff_eb0e, "the length that stopped actix"),
    ] {
        let mut bytes = long_header(role, BINARY, &length.to_be_bytes());
        bytes.truncate(10); // nothing more is needed to know
        all.push(violation("R6455-5.2-04 L1 L2", 1002, name, bytes));
    }
    all
}

/// More than the limits allow.
fn sizes(role: Role) -> Vec<Violation> {
    let mut all = Vec::new();
    for (length, name) in [
        (16 * MIB + 1, "a message one byte too long"),
        (
            18 * MIB,
            "a frame of the longest length in a longer message",
        ),
        (18 * MIB + 1, "a frame one byte too long"),
        (1 << 32, "4 GiB"),
        ((1 << 32) + 5, "4 GiB and 5 bytes"),
        ((1 << 63) - 1, "the longest length"),
    ] {
        let bytes = header(role, BINARY, length);
        all.push(violation("R6455-10.4-01 L2 L3 L5", 1009, name, bytes));
    }
    let start = frame_to(role, BINARY_START, b"x");
    for (between, name) in [
        (Vec::new(), "fragments that are too long together"),
        (
            frame_to(role, PING, b"?"),
            "fragments that are too long together, and a Ping",
        ),
        (
            frame_to(role, MIDDLE, b""),
            "fragments that are too long together, one of them empty",
        ),
    ] {
        let bytes = [&start[..], &between, &header(role, CONTINUATION, 16 * MIB)].concat();
        all.push(violation("R6455-10.4-01 F3", 1009, name, bytes));
    }
    for (fragment, name) in [
        (&b""[..], "too many empty fragments"),
        (b"x", "too many fragments"),
    ] {
        let more = frame_to(role, MIDDLE, fragment).repeat(128 * 1024);
        let bytes = [&start[..], &more].concat();
        all.push(violation("R6455-5.4-04 F1 F2", 1008, name, bytes));
    }
    all
}

/// Fragments out of order (R6455-5.4-02).
fn fragments(role: Role) -> Vec<Violation> {
    let frame = |first: u8| frame_to(role, first, b"part");
    let ping = || frame_to(role, PING, b"?");
    let empty = |first| frame_to(role, first, b"");
    [
        ("a continuation of nothing", frame(CONTINUATION)),
        ("an empty continuation of nothing", empty(CONTINUATION)),
        ("a continuation of nothing, to be continued", frame(MIDDLE)),
        (
            "a continuation after a Ping",
            [ping(), frame(CONTINUATION)].concat(),
        ),
        ("text in text", [frame(TEXT_START), frame(TEXT)].concat()),
        (
            "binary in text",
            [frame(TEXT_START), frame(BINARY)].concat(),
        ),
        (
            "text in binary",
            [frame(BINARY_START), frame(TEXT)].concat(),
        ),
        (
            "binary in binary",
            [frame(BINARY_START), frame(BINARY)].concat(),
        ),
        (
            "a first fragment after a first fragment",
            [frame(TEXT_START), frame(TEXT_START)].concat(),
        ),
        (
            "a message in a message after a middle fragment",
            [frame(TEXT_START), frame(MIDDLE), frame(TEXT)].concat(),
        ),
        (
            "a message in a message after a Ping",
            [frame(BINARY_START), ping(), frame(BINARY)].concat(),
        ),
        (
            "a message in a message that is empty so far",
            [empty(TEXT_START), frame(TEXT)].concat(),
        ),
        (
            "an empty message in a message",
            [frame(TEXT_START), empty(TEXT)].concat(),
        ),
    ]
    .into_iter()
    .map(|(name, bytes)| violation("R6455-5.4-02 F6", 1002, name, bytes))
    .collect()
}

/// Control frames that are fragmented or too long.
fn controls(role: Role) -> Vec<Violation> {
    let mut all = Vec::new();
    for (first, name) in [(PING, "Ping"), (PONG, "Pong"), (CLOSE, "Close frame")] {
        let body = close_body(1000, &"x".repeat(124));
        for (what, bytes) in [
            ("fragmented", frame_to(role, first & !FIN, &body[..9])),
            ("fragmented and empty", frame_to(role, first & !FIN, b"")),
            (
                "in two fragments",
                [
                    frame_to(role, first & !FIN, &body[..9]),
                    frame_to(role, CONTINUATION, &body[9..20]),
                ]
                .concat(),
            ),
            ("of 126 bytes", frame_to(role, first, &body)),
            ("of 126 bytes, no more than a header", {
                frame_to(role, first, &body)[..2].to_vec()
            }),
            ("of 9 bytes in 16 bits", long_header(role, first, &[0, 9])),
            ("of 70,000 bytes", header(role, first, 70_000)),
            (
                "of 126 bytes between fragments",
                [
                    frame_to(role, TEXT_START, b"a"),
                    frame_to(role, first, &body),
                ]
                .concat(),
            ),
        ] {
            let name = format!("a {name} {what}");
            all.push(violation("R6455-5.5-01 F6", 1002, name, bytes));
        }
    }
    all
}

/// What a Close frame must not say.
fn closes(role: Role) -> Vec<Violation> {
    let mut all = vec![
        violation(
            "R6455-5.5.1-01 U2",
            1002,
            "a Close frame of one byte",
            frame_to(role, CLOSE, b"\x03"),
        ),
        violation(
            "R6455-5.5.1-01 U2",
            1002,
            "a Close frame of one byte between fragments",
            [
                frame_to(role, TEXT_START, b"a"),
                frame_to(role, CLOSE, b"\x03"),
            ]
            .concat(),
        ),
    ];
    for code in [
        0, 1, 99, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 9999, 65_535,
    ] {
        let name = format!("close code {code}");
        let ids = "R6455-7.4.1-01 R6455-7.4.2-01 RIANA-04 U2";
        all.push(violation(ids, 1002, name, close_to(role, code, "why")));
    }
    for (reason, name) in [
        (&b"\xff\xfe"[..], "bytes that never occur"),
        (b"\x80", "a continuation byte"),
        (b"ok \xc0\xaf", "an overlong slash"),
        (b"\xed\xa0\x80", "a surrogate"),
        (b"\xf4\x90\x80\x80", "more than Unicode has"),
        (b"cut \xe2\x82", "half a character"),
    ] {
        let body = [&[0x03, 0xe8], reason].concat();
        let name = format!("a close reason with {name}");
        let ids = "R6455-5.5.1-02 R6455-8.1-01 U2";
        all.push(violation(ids, 1007, name, frame_to(role, CLOSE, &body)));
    }
    all
}
