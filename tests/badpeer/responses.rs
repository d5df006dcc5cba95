//! Responses to an opening handshake that are no consent.

/// What the server answers, and what the client has to say about it.
pub(crate) struct BadResponse {
    pub name: &'static str,
    pub ids: &'static str,
    /// Made of the lines of the server's consent, without the empty one at their end.
    pub answer: fn(&str) -> String,
    pub said: &'static str,
}

macro_rules! bad {
    ($ids:literal, $name:literal, $said:literal, $answer:expr) => {
        BadResponse {
            name: $name,
            ids: $ids,
            answer: $answer,
            said: $said,
        }
    };
}

fn finish(lines: impl Into<String>) -> String {
    lines.into() + "\r\n"
}

/// The consent with `by` for what `line` starts with.
fn replace(consent: &str, start: &str, by: &str) -> String {
    let lines = consent
        .lines()
        .map(|line| if line.starts_with(start) { by } else { line });
    let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    finish(lines.join("\r\n") + "\r\n")
}

/// The consent with one more line.
fn add(consent: &str, line: &str) -> String {
    finish(format!("{consent}{line}\r\n"))
}

const ACCEPT: &str = "Sec-WebSocket-Accept";

pub(crate) const RESPONSES: &[BadResponse] = &[
    // The status (R6455-4.1-18, R6455-4.1-24, H5).
    bad!("R6455-4.1-18 H5", "200", "status 200", |ok| replace(
        ok,
        "HTTP",
        "HTTP/1.1 200 OK"
    )),
    bad!("R6455-4.1-18 H5", "204", "status 204", |ok| replace(
        ok,
        "HTTP",
        "HTTP/1.1 204 No"
    )),
    bad!("R6455-4.1-18", "a page", "status 200", |_| finish(
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
    )),
    bad!("R6455-4.1-18 H15", "a redirect", "status 302", |_| finish(
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n"
    )),
    bad!("R6455-4.1-18", "401", "status 401", |_| finish(
        "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\n"
    )),
    bad!("R6455-4.4-01", "426", "status 426", |_| finish(
        "HTTP/1.1 426 No\r\nSec-WebSocket-Version: 8\r\nContent-Length: 0\r\n"
    )),
    bad!("R6455-4.1-18", "503", "status 503", |_| finish(
        "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n"
    ) + "busy"),
    bad!("R6455-4.1-18", "nine interim responses", "interim", |ok| {
        finish("HTTP/1.1 103 Early Hints\r\n").repeat(9) + &finish(ok)
    }),
    bad!(
        "R6455-4.1-24 H5",
        "status 1010",
        "malformed HTTP head",
        |ok| { replace(ok, "HTTP", "HTTP/1.1 1010 Switching Protocols") }
    ),
    bad!(
        "R6455-4.1-24 H5",
        "status 101x",
        "malformed HTTP head",
        |ok| { replace(ok, "HTTP", "HTTP/1.1 101x Switching Protocols") }
    ),
    bad!("R6455-4.1-24 H5", "HTTP/1.0", "not HTTP/1.1", |ok| {
        replace(ok, "HTTP", "HTTP/1.0 101 Switching Protocols")
    }),
    bad!("R6455-4.1-24 H5", "HTTP/2", "not HTTP/1.1", |ok| {
        replace(ok, "HTTP", "HTTP/2 101 Switching Protocols")
    }),
    bad!(
        "R6455-4.1-24",
        "a status line that is none",
        "malformed HTTP head",
        |ok| { replace(ok, "HTTP", "ICY 200 OK") }
    ),
    bad!(
        "R6455-4.1-24",
        "a frame for a response",
        "malformed HTTP head",
        |_| { "\u{1}\u{2}hi".into() }
    ),
    bad!(
        "R6455-4.1-24",
        "an empty line first",
        "malformed HTTP head",
        |ok| { finish(format!("\r\n{ok}")) }
    ),
    // Upgrade (R6455-4.1-19).
    bad!(
        "R6455-4.1-19",
        "no upgrade",
        "header Upgrade is missing",
        |ok| { replace(ok, "Upgrade", "") }
    ),
    bad!(
        "R6455-4.1-19",
        "an empty upgrade",
        "header Upgrade has",
        |ok| { replace(ok, "Upgrade", "Upgrade:") }
    ),
    bad!(
        "R6455-4.1-19",
        "an upgrade to h2c",
        "header Upgrade has",
        |ok| { replace(ok, "Upgrade", "Upgrade: h2c") }
    ),
    bad!(
        "R6455-4.1-19",
        "an upgrade to several",
        "header Upgrade has",
        |ok| { replace(ok, "Upgrade", "Upgrade: websocket, h2c") }
    ),
    bad!(
        "R6455-4.1-19",
        "two upgrades",
        "header Upgrade is repeated",
        |ok| { add(ok, "Upgrade: websocket") }
    ),
    // Connection (R6455-4.1-20).
    bad!(
        "R6455-4.1-20",
        "no connection",
        "header Connection is missing",
        |ok| { replace(ok, "Connection", "") }
    ),
    bad!(
        "R6455-4.1-20",
        "a connection to keep alive",
        "header Connection has",
        |ok| { replace(ok, "Connection", "Connection: keep-alive") }
    ),
    bad!(
        "R6455-4.1-20",
        "a connection to upgradeX",
        "header Connection has",
        |ok| { replace(ok, "Connection", "Connection: upgradeX") }
    ),
    // The proof (R6455-4.1-21).
    bad!(
        "R6455-4.1-21 H8",
        "no proof",
        "header Sec-WebSocket-Accept is missing",
        |ok| { replace(ok, ACCEPT, "") }
    ),
    bad!(
        "R6455-4.1-21 H8",
        "an empty proof",
        "wrong Sec-WebSocket-Accept",
        |ok| { replace(ok, ACCEPT, "Sec-WebSocket-Accept:") }
    ),
    bad!(
        "R6455-4.1-21 H8",
        "another's proof",
        "wrong Sec-WebSocket-Accept",
        |ok| {
            replace(
                ok,
                ACCEPT,
                "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
            )
        }
    ),
    bad!(
        "R6455-4.1-21 H8",
        "a proof in lower case",
        "wrong Sec-WebSocket-Accept",
        |ok| {
            let line = ok.lines().find(|line| line.starts_with(ACCEPT)).unwrap();
            let lower = line
                .to_lowercase()
                .replacen("sec-websocket-accept", ACCEPT, 1);
            replace(ok, ACCEPT, &lower)
        }
    ),
    bad!(
        "R6455-4.1-21 R6455-11.3-01",
        "two proofs",
        "header Sec-WebSocket-Accept is repeated",
        |ok| {
            let line = ok.lines().find(|line| line.starts_with(ACCEPT)).unwrap();
            add(ok, line)
        }
    ),
    // What was not offered (R6455-4.1-22, R6455-4.1-23).
    bad!(
        "R6455-4.1-22",
        "an extension",
        "extension was not offered",
        |ok| { add(ok, "Sec-WebSocket-Extensions: permessage-deflate") }
    ),
    bad!(
        "R6455-4.1-22",
        "an unknown extension",
        "extension was not offered",
        |ok| { add(ok, "Sec-WebSocket-Extensions: x-snappy") }
    ),
    bad!(
        "R6455-4.1-22 R6455-11.3-01",
        "two extensions",
        "header Sec-WebSocket-Extensions is repeated",
        |ok| {
            add(
                ok,
                "Sec-WebSocket-Extensions: a\r\nSec-WebSocket-Extensions: b",
            )
        }
    ),
    bad!(
        "R6455-4.3-01",
        "an extension that is none",
        "header Sec-WebSocket-Extensions has",
        |ok| { add(ok, "Sec-WebSocket-Extensions: a;") }
    ),
    bad!(
        "R6455-4.1-23",
        "a subprotocol",
        "subprotocol was not offered",
        |ok| { add(ok, "Sec-WebSocket-Protocol: chat") }
    ),
    bad!(
        "R6455-4.1-23",
        "an empty subprotocol",
        "subprotocol was not offered",
        |ok| { add(ok, "Sec-WebSocket-Protocol:") }
    ),
    bad!(
        "R6455-4.1-23 R6455-11.3-01",
        "two subprotocols",
        "header Sec-WebSocket-Protocol is repeated",
        |ok| { add(ok, "Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: b") }
    ),
    // The grammar (R6455-4.1-24, H9).
    bad!(
        "R6455-4.1-24 H9",
        "a folded header",
        "malformed HTTP head",
        |ok| add(ok, "X: a\r\n b")
    ),
    bad!(
        "R6455-4.1-24 H9",
        "a line feed alone",
        "malformed HTTP head",
        |ok| add(ok, "X: a\nY: b")
    ),
    bad!(
        "R6455-4.1-24 H9",
        "a NUL in a value",
        "malformed HTTP head",
        |ok| add(ok, "X: a\0b")
    ),
    bad!(
        "R6455-4.1-24 H9",
        "a space before a colon",
        "malformed HTTP head",
        |ok| add(ok, "X : a")
    ),
    bad!(
        "R6455-4.1-24 H9",
        "a header without a colon",
        "malformed HTTP head",
        |ok| add(ok, "X")
    ),
    bad!(
        "R6455-4.1-24 H9",
        "line feeds only",
        "malformed HTTP head",
        |ok| { finish(ok).replace('\r', "") }
    ),
    // Limits (H1, H2).
    bad!(
        "H1",
        "a head of 16 KiB and more",
        "head larger than the limit",
        |ok| { add(ok, &format!("X: {}", "x".repeat(16 * 1024))) }
    ),
    bad!(
        "H1",
        "an endless line",
        "head larger than the limit",
        |_| { format!("HTTP/1.1 101 {}", "x".repeat(1 << 20)) }
    ),
    bad!(
        "H2",
        "101 header lines",
        "more header lines than the limit",
        |ok| { add(ok, &["X: y"; 98].join("\r\n")) }
    ),
];
