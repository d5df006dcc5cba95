//! The heads of requests: their grammar, their limits, and what reading them costs (RFC 9112).
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use common::handshake::{
    REQUEST, Served, assert_accepted, assert_refused, head, options, request_with, serve,
    serve_pieces, serve_with,
};
use fullduplex::handshake::HandshakeError;
use fullduplex::handshake::HandshakeError::{
    InvalidHeader, UnexpectedBody, UnsupportedVersion, UpgradeRequired,
};

const HOST: &str = "Host";
const KEY: &str = "Sec-WebSocket-Key";
const VERSION: &str = "Sec-WebSocket-Version";
const EXTENSIONS: &str = "Sec-WebSocket-Extensions";

/// R6455-4.2.1-08, H9: whatever is not HTTP/1.1 to the letter.
#[test]
fn syntax_errors_are_refused() {
    use fullduplex::handshake::Syntax::{
        BareLineFeed, Folding, HeaderName, HeaderValue, StartLine,
    };
    for (line, syntax) in [
        ("X: a\r\n b", Folding),
        ("X: a\r\n\tb", Folding),
        (" X: a", Folding),
        ("X: a\nY: b", BareLineFeed),
        ("X: a\rY: b", HeaderValue),
        ("X: a\0b", HeaderValue),
        ("X: a\x7fb", HeaderValue),
        ("X: a\x1bb", HeaderValue),
        ("X : a", HeaderName),
        ("X\t: a", HeaderName),
        (": a", HeaderName),
        ("X", HeaderName),
        ("X y: a", HeaderName),
        ("Xé: a", HeaderName),
        ("X\0: a", HeaderName),
        ("\"X\": a", HeaderName),
    ] {
        let malformed = HandshakeError::Malformed(syntax);
        assert_refused(&request_with("X", &[line]), &malformed, 400);
    }
    for line in [
        "GET /chat",
        "GET  /chat HTTP/1.1",
        "GET /chat  HTTP/1.1",
        "GET /a b HTTP/1.1",
        "GET",
        " GET /chat HTTP/1.1",
        "G(T /chat HTTP/1.1",
        "GET /\x01 HTTP/1.1",
        "\rGET / HTTP/1.1",
        "GET\t/chat\tHTTP/1.1",
        "HTTP/1.1 101 Switching Protocols",
    ] {
        let outcome = serve(&request_with("GET", &[line]));
        let refused = matches!(
            outcome,
            Served::Failed(HandshakeError::Malformed(StartLine) | HandshakeError::HttpVersion)
        );
        assert!(refused, "{line:?}: {outcome:?}");
    }
    let bare = String::from_utf8(head(REQUEST))
        .unwrap()
        .replace("\r\n", "\n");
    assert_refused(
        bare.as_bytes(),
        &HandshakeError::Malformed(BareLineFeed),
        400,
    );
}

/// A TLS handshake on a port without TLS, or another protocol, is not waited for.
#[test]
fn what_cannot_become_a_request_is_refused_at_its_first_byte() {
    let start_line = HandshakeError::Malformed(fullduplex::handshake::Syntax::StartLine);
    for byte in 0..=255_u8 {
        let outcome = serve(&[byte]);
        match byte {
            b'\n' => assert!(matches!(outcome, Served::Failed(_)), "{outcome:?}"),
            b'\r' => assert_eq!(outcome, Served::Pending),
            _ if byte.is_ascii_alphanumeric() => assert_eq!(outcome, Served::Pending, "{byte}"),
            b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~' => {
                assert_eq!(outcome, Served::Pending, "{byte}");
            }
            _ => assert_eq!(outcome, Served::Failed(start_line.clone()), "{byte}"),
        }
    }
    assert_refused(
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        &start_line,
        400,
    );
}

/// RFC 9112, 2.2: empty lines before the request are skipped; they count as part of the head.
#[test]
fn empty_lines_before_the_request_are_skipped() {
    for lines in [1, 2, 5] {
        let bytes = ["\r\n".repeat(lines).as_bytes(), &head(REQUEST)].concat();
        assert_accepted(&bytes);
    }
    let flood = "\r\n".repeat(8 * 1024);
    assert_refused(flood.as_bytes(), &HandshakeError::HeadTooLarge, 431);
}

/// [`REQUEST`] made as long as `length` by a header.
fn padded(length: usize) -> Vec<u8> {
    let short = request_with("X-Padding", &["X-Padding: "]).len();
    let padding = format!("X-Padding: {}", "a".repeat(length - short));
    request_with("X-Padding", &[&padding])
}

/// H1: one below the limit, at the limit, one above.
#[test]
fn the_head_is_limited_in_bytes() {
    let limit = 16 * 1024;
    for length in [limit - 1, limit] {
        assert_eq!(padded(length).len(), length);
        assert_accepted(&padded(length));
    }
    assert_refused(&padded(limit + 1), &HandshakeError::HeadTooLarge, 431);

    let mut config = fullduplex::Config::default();
    config.limits.max_head = 200;
    let options = options().config(config);
    assert!(matches!(
        serve_with(&options, &padded(200)),
        Served::Upgrade { .. }
    ));
    let too_large = Served::Failed(HandshakeError::HeadTooLarge);
    assert_eq!(serve_with(&options, &padded(201)), too_large);
}

/// H1: what is beyond the limit is not even looked at.
#[test]
fn a_head_of_sixteen_mebibytes_fails_at_the_limit() {
    let bytes = padded(16 << 20);
    let too_large = Served::Failed(HandshakeError::HeadTooLarge);
    assert_eq!(serve_pieces(&options(), &[&bytes]), too_large);
    assert_eq!(serve_pieces(&options(), &[&bytes[..16 * 1024]]), too_large);
    assert_eq!(
        serve_pieces(&options(), &[&bytes[..16 * 1024 - 1]]),
        Served::Pending
    );
}

/// H2: the last of 100 headers is still seen, and with 101 nothing is.
#[test]
fn the_headers_are_limited_in_number() {
    let many = |count: usize| {
        let (line, fields) = REQUEST.split_first().unwrap();
        let fillers = vec!["X: y"; count - fields.len()];
        head([&[*line], &fillers[..], fields].concat())
    };
    for count in [31, 32, 33, 99, 100] {
        assert_eq!(assert_accepted(&many(count)).headers().len(), count);
    }
    assert_refused(&many(101), &HandshakeError::TooManyHeaders, 431);
    assert_refused(&many(1000), &HandshakeError::TooManyHeaders, 431);
}

/// H3: on a head of a mebibyte, anything that takes more than linear time would not come back.
#[test]
fn long_lists_take_linear_time() {
    let mut config = fullduplex::Config::default();
    config.limits.max_head = 2 << 20;
    let options = options().config(config);
    let long = 1 << 20;
    let outcome = |value: &str, header: &str| {
        let line = format!("{header}: {value}");
        serve_pieces(&options, &[&request_with(header, &[&line])])
    };
    let invalid = |name| Served::Failed(InvalidHeader(name));
    let protocol = "Sec-WebSocket-Protocol";
    let spaces = " ".repeat(long);
    assert_eq!(outcome(&format!("b{spaces}x"), protocol), invalid(protocol));
    assert_eq!(outcome(&",".repeat(long), protocol), invalid(protocol));
    let many = outcome(&"a,".repeat(long / 2), protocol);
    assert!(matches!(many, Served::Upgrade { .. }));
    let quoted = format!("a;b=\"{}", "\\\\".repeat(long / 2));
    assert_eq!(outcome(&quoted, EXTENSIONS), invalid(EXTENSIONS));
    assert_eq!(
        outcome(&format!("a{spaces}x"), EXTENSIONS),
        invalid(EXTENSIONS)
    );
    assert_eq!(outcome(&",".repeat(long), EXTENSIONS), invalid(EXTENSIONS));
    for names in [
        "constructor, __proto__; toString=1".to_owned(),
        "a;b;c,".repeat(long / 6),
    ] {
        let ignored = outcome(&names, EXTENSIONS);
        assert!(matches!(ignored, Served::Upgrade { .. }));
    }
    assert!(matches!(
        outcome(&",".repeat(long), "Connection"),
        Served::Failed(_)
    ));
    assert!(matches!(
        outcome(&",".repeat(long), "Upgrade"),
        Served::Failed(_)
    ));
}

/// H11: bytes that are no text stay bytes, in any header, and never stop the server.
#[test]
fn header_values_may_be_any_bytes() {
    for byte in 0..=255_u8 {
        for (name, error) in [
            ("X", None),
            ("Cookie", None),
            (HOST, Some(InvalidHeader(HOST))),
            ("Origin", Some(HandshakeError::OriginNotAllowed)),
            ("Upgrade", Some(UpgradeRequired)),
            ("Connection", Some(InvalidHeader("Connection"))),
            (KEY, Some(InvalidHeader(KEY))),
            (VERSION, Some(UnsupportedVersion)),
            (EXTENSIONS, Some(InvalidHeader(EXTENSIONS))),
            (
                "Sec-WebSocket-Protocol",
                Some(InvalidHeader("Sec-WebSocket-Protocol")),
            ),
            ("Content-Length", Some(UnexpectedBody)),
            ("Transfer-Encoding", Some(UnexpectedBody)),
        ] {
            let mut bytes = request_with(name, &[&format!("{name}: <@>")]);
            let at = bytes.windows(3).position(|part| part == b"<@>").unwrap();
            bytes[at + 1] = byte;
            let outcome = serve_pieces(&options(), &[&bytes]);
            let is_text = matches!(byte, b'\t' | b' '..=b'~' | 0x80..);
            match (&outcome, &error) {
                (Served::Upgrade { request, .. }, None) if is_text => {
                    assert_eq!(request.headers().get(name), Some(&[b'<', byte, b'>'][..]));
                }
                (Served::Failed(HandshakeError::Malformed(_)), _) if !is_text => {}
                (Served::Failed(actual), Some(expected)) if actual == expected => {}
                // The origin `<x>` is graphic text and welcome to this policy.
                (Served::Upgrade { .. }, _) if name == "Origin" && byte.is_ascii_graphic() => {}
                _ => panic!("{name} with {byte:#x}: {outcome:?}"),
            }
        }
    }
    let long = format!("X: {}", "x".repeat(15 * 1024));
    assert_accepted(&request_with("X", &[&long]));
    assert_accepted(&request_with("X", &["X:"]));
}

#[test]
fn a_stream_that_ends_early_is_reported() {
    let bytes = head(REQUEST);
    assert_eq!(serve(b""), Served::Pending);
    for end in 1..bytes.len() {
        assert_eq!(serve_pieces(&options(), &[&bytes[..end]]), Served::Pending);
    }
}
