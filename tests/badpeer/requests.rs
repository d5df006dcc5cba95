//! Requests that are no opening handshake, and what a server has to answer.

use crate::common::handshake::{REQUEST, head, replaced, request_with};

/// What is sent, and the status and headers that have to come back.
pub(crate) struct BadRequest {
    pub name: String,
    pub ids: &'static str,
    pub bytes: Vec<u8>,
    pub status: u16,
    /// Beside `Connection: close`, which all have.
    pub fields: &'static [(&'static str, &'static str)],
}

type Fields = &'static [(&'static str, &'static str)];

const NONE: Fields = &[];
const VERSION: Fields = &[
    ("Sec-WebSocket-Version", "13"),
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
];
const UPGRADE: Fields = &[("Upgrade", "websocket"), ("Connection", "Upgrade")];
const ALLOW: Fields = &[("Allow", "GET")];

fn bad(
    ids: &'static str,
    (status, fields): (u16, Fields),
    name: impl Into<String>,
    bytes: Vec<u8>,
) -> BadRequest {
    BadRequest {
        name: name.into(),
        ids,
        bytes,
        status,
        fields,
    }
}

pub(crate) fn requests() -> Vec<BadRequest> {
    [
        request_lines(),
        addresses(),
        upgrades(),
        bodies_and_early_data(),
        syntax(),
        heads_too_large(),
        lists(),
        origins(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn request_lines() -> Vec<BadRequest> {
    let mut all = Vec::new();
    for method in [
        "POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "PATCH", "get",
    ] {
        let line = format!("{method} /chat HTTP/1.1");
        let name = format!("method {method}");
        let bytes = request_with("GET", &[&line]);
        all.push(bad("R6455-4.2.1-01 H9", (405, ALLOW), name, bytes));
    }
    for version in ["HTTP/1.0", "HTTP/0.9", "HTTP/1.2", "HTTP/2.0", "http/1.1"] {
        let line = format!("GET /chat {version}");
        let name = format!("version {version}");
        let bytes = request_with("GET", &[&line]);
        all.push(bad("R6455-4.2.1-01 H9", (505, NONE), name, bytes));
    }
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    all.push(bad("H5", (505, NONE), "the preface of HTTP/2", preface));
    for target in [
        "chat",
        "ws://example.com/chat",
        "/chat#fragment",
        "http://user@example.com/",
        "http:///chat",
        "/\u{e9}",
    ] {
        let line = format!("GET {target} HTTP/1.1");
        let name = format!("target {target}");
        let bytes = request_with("GET", &[&line]);
        all.push(bad("R6455-4.2.1-06", (400, NONE), name, bytes));
    }
    all
}

/// `Host`.
fn addresses() -> Vec<BadRequest> {
    let ids = "R6455-4.2.1-02 H11";
    let mut all = Vec::new();
    for (name, lines) in [
        ("no host", &[][..]),
        ("two hosts", &["Host: example.com", "Host: example.com"]),
        ("an empty host", &["Host:"]),
        ("a list of hosts", &["Host: a, b"]),
        ("a host with a user", &["Host: user@example.com"]),
        ("a host with a path", &["Host: example.com/chat"]),
        ("a host with port 65536", &["Host: example.com:65536"]),
        ("half an IPv6 address", &["Host: [::1"]),
    ] {
        all.push(bad(ids, (400, NONE), name, request_with("Host", lines)));
    }
    let mut wild = request_with("Host", &["Host: a\u{1}\u{1}"]);
    for byte in &mut wild {
        if *byte == 1 {
            *byte = 0xff;
        }
    }
    all.push(bad(ids, (400, NONE), "a host of bytes 0xff", wild));
    all
}

/// What makes a request a handshake.
fn upgrades() -> Vec<BadRequest> {
    let mut all = Vec::new();
    for (name, lines) in [
        ("no upgrade", &[][..]),
        ("an empty upgrade", &["Upgrade:"]),
        ("an upgrade to h2c", &["Upgrade: h2c"]),
        ("an upgrade to websockets", &["Upgrade: websockets"]),
    ] {
        let bytes = request_with("Upgrade", lines);
        all.push(bad("R6455-4.2.1-03", (426, UPGRADE), name, bytes));
    }
    for (name, lines) in [
        ("no connection", &[][..]),
        ("a connection to keep alive", &["Connection: keep-alive"]),
        ("a connection to upgradeX", &["Connection: upgradeX"]),
        ("a connection to close", &["Connection: close"]),
    ] {
        let bytes = request_with("Connection", lines);
        all.push(bad("R6455-4.2.1-03 H9", (400, NONE), name, bytes));
    }
    let sample = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    for (name, lines) in [
        ("no key", &[][..]),
        ("two keys", &[sample, sample]),
        ("an empty key", &["Sec-WebSocket-Key:"]),
        ("a key of 3 bytes", &["Sec-WebSocket-Key: AAAA"]),
        (
            "a key of 15 bytes",
            &["Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA"],
        ),
        (
            "a key of 18 bytes",
            &["Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAAA"],
        ),
        (
            "a key without padding",
            &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ"],
        ),
        (
            "a key with too little padding",
            &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ="],
        ),
        (
            "a key in the alphabet for URLs",
            &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j-_=="],
        ),
        (
            "a key with a space in it",
            &["Sec-WebSocket-Key: dGhlIHNhbXBs ZSBub25jZQ=="],
        ),
    ] {
        let bytes = request_with("Sec-WebSocket-Key", lines);
        all.push(bad("R6455-4.2.1-04 H8", (400, NONE), name, bytes));
    }
    let version = |lines: &[&str]| request_with("Sec-WebSocket-Version", lines);
    let ids = "R6455-4.2.1-05 R6455-11.3-01";
    all.push(bad(ids, (400, NONE), "no version", version(&[])));
    let twice = version(&["Sec-WebSocket-Version: 13"; 2]);
    all.push(bad(ids, (400, NONE), "two versions", twice));
    for other in ["0", "7", "8", "14", "1337", "013", "13, 8", "+13", "x", ""] {
        let name = format!("version {other:?}");
        let bytes = version(&[&format!("Sec-WebSocket-Version: {other}")]);
        let ids = "R6455-4.2.2-02 RIANA-02 H5";
        all.push(bad(ids, (426, VERSION), name, bytes));
    }
    // To a proxy it looks like a WebSocket, and what follows like a request of its own.
    let mut smuggled = version(&["Sec-WebSocket-Version: 1337"]);
    smuggled.extend(head(REQUEST));
    let name = "a request smuggled behind another version";
    all.push(bad("H5", (426, VERSION), name, smuggled));
    all
}

fn bodies_and_early_data() -> Vec<BadRequest> {
    let mut all = Vec::new();
    for lines in [
        &["Content-Length: 5"][..],
        &["Content-Length: +0"],
        &["Content-Length: -1"],
        &["Content-Length: 0 ,0"],
        &["Content-Length: 0", "Content-Length: 0"],
        &["Content-Length: 18446744073709551616"],
        &["Transfer-Encoding: chunked"],
        &["Transfer-Encoding: identity"],
        &["Content-Length: 0", "Transfer-Encoding: chunked"],
    ] {
        let mut bytes = request_with("Content-Length", lines);
        bytes.extend(b"hello");
        let name = format!("a body by {}", lines.join(" and "));
        all.push(bad("R6455-4.2.1-08 H6", (400, NONE), name, bytes));
    }
    for (name, early) in [
        ("a frame", &b"\x81\x82\0\0\0\0hi"[..]),
        ("a byte", b"\x81"),
        ("a request", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ] {
        let name = format!("{name} behind the request");
        let bytes = [&head(REQUEST)[..], early].concat();
        all.push(bad("R6455-4.2.2-07 H7", (400, NONE), name, bytes));
    }
    all
}

/// What is not HTTP/1.1.
fn syntax() -> Vec<BadRequest> {
    let ids = "R6455-4.2.1-08 H9 H11";
    let mut all = Vec::new();
    for (name, line) in [
        ("a folded header", "X: a\r\n b"),
        ("a header that starts with a space", " X: a"),
        ("a line feed alone", "X: a\nY: b"),
        ("a carriage return alone", "X: a\rY: b"),
        ("a NUL in a value", "X: a\0b"),
        ("a DEL in a value", "X: a\u{7f}b"),
        ("a space before the colon", "Host : a"),
        ("a space in a name", "X Y: a"),
        ("a header without a name", ": a"),
        ("a header without a colon", "X"),
        ("a NUL in a name", "X\0: a"),
    ] {
        all.push(bad(ids, (400, NONE), name, request_with("X", &[line])));
    }
    for (name, line) in [
        ("two spaces in the request line", "GET  /chat HTTP/1.1"),
        ("a request line without a target", "GET HTTP/1.1"),
        ("a request line of one word", "nonsense"),
        ("a space before the method", " GET /chat HTTP/1.1"),
        ("a method that is no token", "G{}T /chat HTTP/1.1"),
    ] {
        let bytes = request_with("GET", &[line]);
        all.push(bad(ids, (400, NONE), name, bytes));
    }
    let bare = String::from_utf8(head(REQUEST)).unwrap().replace('\r', "");
    for (name, bytes) in [
        ("line feeds without carriage returns", bare.into_bytes()),
        (
            "the start of TLS",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(),
        ),
        ("a masked frame", b"\x81\x85\0\0\0\0hello\r\n\r\n".to_vec()),
        ("nothing but NULs", vec![0; 100]),
    ] {
        all.push(bad(ids, (400, NONE), name, bytes));
    }
    all
}

fn heads_too_large() -> Vec<BadRequest> {
    let long = format!("X: {}", "x".repeat(16 * 1024));
    let line = format!("GET /{} HTTP/1.1", "x".repeat(16 * 1024));
    let mut late = vec![REQUEST[0]];
    late.extend(["X: y"; 101]);
    late.extend(&REQUEST[1..]);
    [
        ("a header line of 16 KiB", request_with("X", &[&long])),
        ("a target of 16 KiB", request_with("GET", &[&line])),
        ("an endless line", vec![b'A'; 17 * 1024]),
        ("101 header lines", request_with("X", &["X: y"; 96])),
        ("101 header lines before the upgrade", head(late)),
        (
            "10,000 header lines",
            request_with("X", &vec!["X: y"; 10_000]),
        ),
        ("16 MiB of head", vec![b'G'; 16 << 20]),
    ]
    .into_iter()
    .map(|(name, bytes)| bad("H1 H2", (431, NONE), name, bytes))
    .collect()
}

/// Extensions and subprotocols.
fn lists() -> Vec<BadRequest> {
    let mut all = Vec::new();
    let mut add = |header: &str, name: &str, value: &str| {
        let name = format!("{header} with {name}");
        let line = format!("{header}: {value}");
        let bytes = head(replaced(&REQUEST, header, &[&line]));
        let ids = "R6455-4.3-01 R6455-9.1-01 H3";
        all.push(bad(ids, (400, NONE), name, bytes));
    };
    let header = "Sec-WebSocket-Extensions";
    add(header, "nothing", "");
    add(header, "a comma", ",");
    add(header, "two words", "a b");
    add(header, "an open parameter", "a;");
    add(header, "a parameter without a name", "a;=1");
    add(header, "an open quote", "a;b=\"");
    add(header, "a quoted space", "a;b=\"c d\"");
    add(header, "no extension", ";a");
    let escapes = format!("a;b=\"{}", "\\\\".repeat(7_500));
    add(header, "15,000 backslashes", &escapes);
    add(header, "8,000 commas", &",".repeat(8_000));
    let header = "Sec-WebSocket-Protocol";
    add(header, "nothing", "");
    add(header, "a comma", ",");
    add(header, "two words", "a b");
    add(header, "a parameter", "a;b");
    add(header, "a quoted name", "\"a\"");
    let spaces = format!("b{}x", " ".repeat(15_000));
    add(header, "15,000 spaces in a name", &spaces);
    all
}

/// The examples let pages of their own host connect.
fn origins() -> Vec<BadRequest> {
    let mut all = Vec::new();
    for origin in [
        "http://evil.test",
        "null",
        "http://example.com.evil.test",
        "http://evil-example.com",
        "http://example.com:8080",
        "http://example.com/",
        "http://example.com, http://evil.test",
        "http://user@example.com",
        "example.com",
        "file://",
        "",
    ] {
        let name = format!("origin {origin:?}");
        let bytes = request_with("Origin", &[&format!("Origin: {origin}")]);
        let ids = "R6455-10.2-01 R6455-4.2.2-03 H10";
        all.push(bad(ids, (403, NONE), name, bytes));
    }
    all
}
