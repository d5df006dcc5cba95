//! Text that is not UTF-8, and compressed messages that do not inflate to what is allowed.

use fullduplex::Role;

use crate::common::feed::header;
use crate::common::pair::{CONTINUATION, FIN, PING, TEXT, frame_to};
use crate::frames::{Violation, violation};

const START: u8 = TEXT & !FIN;

pub(crate) fn violations(role: Role) -> Vec<Violation> {
    let ids = "R6455-5.6-01 R6455-8.1-01 U1";
    let mut all = Vec::new();
    for (text, name) in [
        (&b"\xff"[..], "ff"),
        (b"\xfe", "fe"),
        (b"a\x80", "a continuation byte"),
        (b"\xbf\xbf", "two continuation bytes"),
        (b"\xc0\x80", "an overlong NUL"),
        (b"\xc1\xbf", "an overlong DEL"),
        (b"\xe0\x80\xaf", "a slash in three bytes"),
        (b"\xe0\x9f\xbf", "the last overlong three bytes"),
        (b"\xf0\x80\x80\x80", "an overlong NUL in four bytes"),
        (b"\xf0\x8f\xbf\xbf", "the last overlong four bytes"),
        (b"\xed\xa0\x80", "the first surrogate"),
        (b"\xed\xbf\xbf", "the last surrogate"),
        (b"\xed\xa0\xbd\xed\xb8\x80", "a pair of surrogates"),
        (b"\xf4\x90\x80\x80", "the first scalar past the last"),
        (b"\xf5\x80\x80\x80", "f5"),
        (b"\xf8\x88\x80\x80\x80", "five bytes"),
        (b"\xfc\x84\x80\x80\x80\x80", "six bytes"),
        (b"ok\xc3(", "a lead without its continuation"),
        (b"\xe2(\xa1", "a bad second byte of three"),
        (b"\xe2\x82(", "a bad third byte of three"),
        (b"\xf0\x9f\x98(", "a bad fourth byte of four"),
        (b"cut \xc3", "one byte of two at the end"),
        (b"cut \xe2\x82", "two bytes of three at the end"),
        (b"cut \xf0\x9f\x98", "three bytes of four at the end"),
        (b"gr\xfc\xdfe", "Latin-1"),
        (b"\xff\xfea\0", "UTF-16"),
    ] {
        let name = format!("text with {name}");
        all.push(violation(ids, 1007, name, frame_to(role, TEXT, text)));
    }
    let start = frame_to(role, START, b"\xe2\x82");
    for (name, bytes) in [
        (
            "a fragment with ff",
            frame_to(role, START, b"more may come \xff"),
        ),
        (
            "a character that does not go on in the next fragment",
            [&start[..], &frame_to(role, CONTINUATION, b"(")].concat(),
        ),
        (
            "a character that goes on as another kind of message would",
            [&start[..], &frame_to(role, CONTINUATION, b"\xe2\x82\xac")].concat(),
        ),
        (
            "a character that the last fragment does not end",
            [&start[..], &frame_to(role, CONTINUATION, b"")].concat(),
        ),
        (
            "a character with a Ping in it that does not go on",
            [
                &start[..],
                &frame_to(role, PING, b"\xac"),
                &frame_to(role, CONTINUATION, b"a"),
            ]
            .concat(),
        ),
        (
            "a surrogate in two fragments",
            [
                frame_to(role, START, b"\xed"),
                frame_to(role, CONTINUATION, b"\xa0\x80"),
            ]
            .concat(),
        ),
        ("ff as the first of many bytes that do not come", {
            let frame = frame_to(role, TEXT, &[0xff; 1000]);
            frame[..=header(role, TEXT, 1000).len()].to_vec()
        }),
    ] {
        all.push(violation(ids, 1007, name, bytes));
    }
    all
}

/// For a connection that agreed on permessage-deflate.
#[cfg(feature = "deflate")]
pub(crate) fn compressed(role: Role) -> Vec<Violation> {
    use std::io::Write;

    use flate2::{Compression, write::DeflateEncoder};

    use crate::common::pair::{BINARY, CLOSE, PONG, close_body};

    const RSV1: u8 = 0x40;
    const HELLO: &[u8] = b"\xf2\x48\xcd\xc9\xc9\x07\x00";

    /// What a sender makes of `data`; the end is marked, which is one of the ways to end.
    fn deflate(data: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(data).unwrap();
        [&encoder.finish().unwrap()[..], &[0]].concat()
    }

    let text = |payload: &[u8]| frame_to(role, TEXT | RSV1, payload);
    let mut all = Vec::new();
    for (name, bytes) in [
        (
            "RSV1 on a continuation of what is compressed",
            [
                frame_to(role, START | RSV1, &HELLO[..3]),
                frame_to(role, CONTINUATION | RSV1, &HELLO[3..]),
            ]
            .concat(),
        ),
        (
            "RSV1 on a continuation of what is not compressed",
            [
                frame_to(role, START, b"a"),
                frame_to(role, CONTINUATION | RSV1, HELLO),
            ]
            .concat(),
        ),
        ("RSV1 on a Ping", frame_to(role, PING | RSV1, b"a")),
        ("RSV1 on a Pong", frame_to(role, PONG | RSV1, b"a")),
        (
            "RSV1 on a Close frame",
            frame_to(role, CLOSE | RSV1, &close_body(1000, "")),
        ),
        (
            "RSV2 beside RSV1",
            frame_to(role, TEXT | RSV1 | 0x20, HELLO),
        ),
        (
            "RSV3 where RSV1 is allowed",
            frame_to(role, TEXT | 0x10, b"a"),
        ),
        (
            "a compressed message in a compressed message",
            [frame_to(role, START | RSV1, &HELLO[..3]), text(HELLO)].concat(),
        ),
    ] {
        let ids = "R7692-6-01 D9";
        let name = format!("with deflate: {name}");
        all.push(violation(ids, 1002, name, bytes));
    }
    for (name, payload) in [
        ("a block of the reserved kind", &b"\x07\x00"[..]),
        ("a stored block whose length is not itself", {
            b"\x00\x05\x00\xfa\xfeHello\x00"
        }),
        ("a stored block that is cut", b"\x00\x50\x00\xaf\xffHello"),
        ("a block that is cut", &HELLO[..4]),
        ("a distance beyond the start", b"\xf2\x00\x11\x00\x00"),
        (
            "bytes behind the last block",
            b"\xf3\x48\xcd\xc9\xc9\x07\x00\xff\xff",
        ),
        ("ff", b"\xff\xff\xff\xff"),
    ] {
        let name = format!("compressed: {name}");
        all.push(violation("R7692-7.2.2-03 D6", 1007, name, text(payload)));
    }
    for (name, plain) in [("ff", &b"\xff"[..]), ("half a character", b"\xe2\x82")] {
        let name = format!("compressed text with {name}");
        all.push(violation(
            "R7692-6-03 U1",
            1007,
            name,
            text(&deflate(plain)),
        ));
    }
    let bomb = deflate(&vec![0; (16 << 20) + 1]);
    let half = bomb.len() / 2;
    let bomb_ids = "R7692-7.2.2-04 D1";
    let name = "a bomb of one byte too many";
    let whole = frame_to(role, BINARY | RSV1, &bomb);
    all.push(violation(bomb_ids, 1009, name, whole));
    let parts = [
        frame_to(role, BINARY & !FIN | RSV1, &bomb[..half]),
        frame_to(role, CONTINUATION, &bomb[half..]),
    ];
    let name = "a bomb in two fragments";
    all.push(violation(bomb_ids, 1009, name, parts.concat()));
    all
}
