//! The way through a proxy: what is asked of it, and what is made of its answers.
//!
//! R6455-4.1-04: a client with a proxy has it open a tunnel. R6455-4.1-03: the proxy is told names.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

mod common;

use core::time::Duration;

use bytes::Buf;
use common::handshake::{drain, one_outcome, push};
use fullduplex::handshake::client::{Proxy, ProxyError, SocksReply, Tunnel};
use fullduplex::handshake::{HandshakeError, Step, Syntax, Url};
use fullduplex::{Inbox, Limits};

const OK: &[u8] = b"HTTP/1.1 200 Connection established\r\n\r\n";

fn proxy(url: &str) -> Proxy {
    url.parse().unwrap()
}

fn url(text: &str) -> Url {
    text.parse().unwrap()
}

fn tunnel(through: &str, to: &str) -> Tunnel {
    Tunnel::new(&proxy(through), &url(to), Limits::default(), None)
}

/// What came of a proxy's answers, and what it was sent.
#[derive(Debug, PartialEq)]
struct Told {
    sent: Vec<u8>,
    end: End,
}

#[derive(Debug, PartialEq)]
enum End {
    /// Open, with these bytes behind the answer.
    Open(Vec<u8>),
    Failed(ProxyError),
    /// More is awaited; the error if none comes.
    Waiting(ProxyError),
}

/// Writes whatever is to be written, and then hands over the next piece of `answer`.
fn run(mut tunnel: Tunnel, pieces: &[&[u8]]) -> Told {
    let mut inbox = Inbox::new();
    let mut sent = drain(tunnel.outgoing());
    for (index, piece) in pieces.iter().enumerate() {
        push(&mut inbox, piece);
        tunnel = match tunnel.advance(&mut inbox) {
            Ok(Step::Continue(tunnel)) => tunnel,
            Ok(Step::Done(())) => {
                let left = [inbox.unread(), &pieces[index + 1..].concat()].concat();
                let end = End::Open(left);
                return Told { sent, end };
            }
            Err(error) => {
                let end = End::Failed(error);
                return Told { sent, end };
            }
        };
        sent.extend(drain(tunnel.outgoing()));
    }
    tunnel.received_eof();
    let end = End::Waiting(
        tunnel
            .advance(&mut inbox)
            .expect_err("the stream has ended"),
    );
    Told { sent, end }
}

/// The outcome of an HTTP proxy's answer, the same however it is cut.
#[track_caller]
fn http(answer: &[u8]) -> End {
    one_outcome(answer, |pieces| {
        run(tunnel("http://p", "ws://a.example/"), pieces).end
    })
}

/// The outcome of a SOCKS proxy's `answers`, which come one after the other, whole and byte by byte.
#[track_caller]
fn socks(through: &str, to: &str, answers: &[&[u8]]) -> Told {
    let whole = run(tunnel(through, to), answers);
    let bytes: Vec<_> = answers.iter().flat_map(|answer| answer.chunks(1)).collect();
    assert_eq!(run(tunnel(through, to), &bytes), whole);
    whole
}

/// H4: whatever the URL, it is one request with these lines.
#[test]
fn the_request_of_http() {
    for (through, to, request) in [
        (
            "http://p",
            "ws://a.example/x?y",
            "CONNECT a.example:80 HTTP/1.1\r\nHost: a.example:80\r\n\r\n",
        ),
        (
            "http://p",
            "wss://[2001:db8::1]/",
            "CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: [2001:db8::1]:443\r\n\r\n",
        ),
        (
            "http://Aladdin:open%20sesame@p",
            "wss://a.example:8443/",
            "CONNECT a.example:8443 HTTP/1.1\r\nHost: a.example:8443\r\n\
             Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n",
        ),
    ] {
        let mut tunnel = tunnel(through, to);
        assert!(!format!("{tunnel:?}").contains("QWxh"));
        let sent = drain(tunnel.outgoing());
        assert_eq!(
            sent.escape_ascii().to_string(),
            request.escape_default().to_string()
        );
    }
}

#[test]
fn any_2xx_opens_the_tunnel() {
    for answer in [
        "HTTP/1.1 200 Connection established\r\n\r\n",
        "HTTP/1.0 200 OK\r\n\r\n",
        "HTTP/1.1 299 \r\nVia: 1.1 p\r\n\r\n",
        // RFC 9110, 9.3.6: such fields mean nothing here.
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    ] {
        assert_eq!(http(answer.as_bytes()), End::Open(Vec::new()), "{answer}");
    }
}

/// Bytes behind the answer are the server's. Before TLS it has nothing to say.
#[test]
fn bytes_behind_the_answer() {
    let early = [OK, b"early"].concat();
    assert_eq!(http(&early), End::Open(b"early".to_vec()));
    let told = run(tunnel("http://p", "wss://a.example/"), &[&early]);
    assert_eq!(told.end, End::Failed(ProxyError::EarlyData));
    let told = run(tunnel("http://p", "wss://a.example/"), &[OK]);
    assert_eq!(told.end, End::Open(Vec::new()));
}

#[test]
fn a_refusal_is_kept_with_headers_and_body() {
    for (answer, status, body) in [
        (
            "HTTP/1.1 407 X\r\nProxy-Authenticate: Basic\r\nContent-Length: 2\r\n\r\nno",
            407,
            "no",
        ),
        (
            "HTTP/1.1 403 X\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
            403,
            "no",
        ),
        ("HTTP/1.1 502 X\r\nContent-Length: 0\r\n\r\n", 502, ""),
        (
            "HTTP/1.1 302 X\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
            302,
            "",
        ),
        ("HTTP/1.1 101 X\r\nContent-Length: 0\r\n\r\n", 101, ""),
    ] {
        let End::Failed(ProxyError::Refused(rejection)) = http(answer.as_bytes()) else {
            panic!("{answer} is a refusal");
        };
        assert_eq!(
            (rejection.status, &rejection.body[..]),
            (status, body.as_bytes())
        );
        assert!(!rejection.truncated);
        let asks = rejection.headers.get("Proxy-Authenticate").is_some();
        assert_eq!(asks, status == 407);
    }
}

/// A body may end with the stream; one that is cut off is still a refusal.
#[test]
fn the_end_of_the_stream_in_a_refusal() {
    for (answer, truncated) in [
        ("HTTP/1.1 403 X\r\n\r\nno", false),
        ("HTTP/1.1 403 X\r\nContent-Length: 3\r\n\r\nno", true),
    ] {
        match http(answer.as_bytes()) {
            End::Waiting(ProxyError::Refused(rejection)) => {
                assert_eq!(
                    (rejection.truncated, &rejection.body[..]),
                    (truncated, &b"no"[..])
                );
            }
            other => panic!("{answer} gives {other:?}"),
        }
    }
}

/// The body of a refusal is kept up to the limit.
#[test]
fn a_large_refusal_is_cut() {
    let limit = Limits::default().max_rejection_body;
    for (length, truncated) in [(limit, false), (limit + 1, true)] {
        let head = format!("HTTP/1.1 403 X\r\nContent-Length: {length}\r\n\r\n");
        let answer = [head.into_bytes(), vec![b'a'; length]].concat();
        let End::Failed(ProxyError::Refused(rejection)) = http(&answer) else {
            panic!("a refusal");
        };
        assert_eq!(
            (rejection.body.len(), rejection.truncated),
            (limit, truncated)
        );
    }
}

#[test]
fn invalid_answers_of_http() {
    let many = format!("HTTP/1.1 200 X\r\n{}\r\n", "A: b\r\n".repeat(101));
    let interim = "HTTP/1.1 100 X\r\n\r\n".repeat(9);
    for (answer, error) in [
        ("\x05\x00", HandshakeError::Malformed(Syntax::StartLine)),
        (
            "SSH-2.0-x\r\n",
            HandshakeError::Malformed(Syntax::StartLine),
        ),
        ("HTTP/2 200\r\n\r\n", HandshakeError::HttpVersion),
        (
            "HTTP/1.1 200 X\n\n",
            HandshakeError::Malformed(Syntax::BareLineFeed),
        ),
        (
            "HTTP/1.1 200 X\r\nA : b\r\n\r\n",
            HandshakeError::Malformed(Syntax::HeaderName),
        ),
        (&many, HandshakeError::TooManyHeaders),
        (&interim, HandshakeError::TooManyInterimResponses),
    ] {
        let expected = End::Failed(ProxyError::Http(error));
        assert_eq!(http(answer.as_bytes()), expected, "{answer:.60}");
    }
}

/// A head of exactly the limit passes, one more byte does not.
#[test]
fn the_head_is_bounded() {
    let limit = Limits::default().max_head;
    for (length, passes) in [(limit, true), (limit + 1, false)] {
        let start = "HTTP/1.1 200 X\r\nA: ";
        let filler = "a".repeat(length - start.len() - 4);
        let answer = format!("{start}{filler}\r\n\r\n");
        let expected = if passes {
            End::Open(Vec::new())
        } else {
            End::Failed(ProxyError::Http(HandshakeError::HeadTooLarge))
        };
        assert_eq!(http(answer.as_bytes()), expected);
    }
}

#[test]
fn a_proxy_that_goes_away() {
    for answer in [&b""[..], b"HTTP/1.1 200 Con"] {
        let told = run(tunnel("http://p", "ws://a.example/"), &[answer]);
        assert_eq!(told.end, End::Waiting(ProxyError::ConnectionClosed));
    }
    for answer in [&b""[..], b"\x05", b"\x05\x00"] {
        let told = run(tunnel("socks5://p", "ws://a.example/"), &[answer]);
        assert_eq!(told.end, End::Waiting(ProxyError::ConnectionClosed));
    }
}

/// Consent to half a request is none.
#[test]
fn an_answer_before_the_end_of_the_request() {
    for (through, answer) in [("http://p", OK), ("socks5://p", b"\x05\x00")] {
        let mut tunnel = tunnel(through, "ws://a.example/");
        tunnel.outgoing().advance(1);
        let mut inbox = Inbox::from(answer);
        assert_eq!(
            tunnel.advance(&mut inbox).err(),
            Some(ProxyError::EarlyData)
        );
    }
}

/// The deadline does not move with what comes.
#[test]
fn a_proxy_that_stalls() {
    let second = Duration::from_secs(1);
    for (through, start) in [("http://p", &OK[..9]), ("socks5://p", b"\x05\x00\x05")] {
        let mut inbox = Inbox::new();
        let proxy = proxy(through);
        let url = url("ws://a.example/");
        let mut tunnel = Tunnel::new(&proxy, &url, Limits::default(), Some(10 * second));
        assert_eq!(tunnel.poll_timeout(), Some(Duration::ZERO));
        tunnel.handle_timeout(second).unwrap();
        for byte in start {
            drain(tunnel.outgoing());
            push(&mut inbox, &[*byte]);
            let Ok(Step::Continue(same)) = tunnel.advance(&mut inbox) else {
                panic!("more is to come");
            };
            tunnel = same;
            assert_eq!(tunnel.poll_timeout(), Some(11 * second));
            tunnel.handle_timeout(10 * second).unwrap();
        }
        assert_eq!(
            tunnel.handle_timeout(11 * second),
            Err(ProxyError::TimedOut)
        );
    }
}

/// A refusal whose body stalls is a refusal all the same.
#[test]
fn a_refusal_that_stalls() {
    let mut tunnel = Tunnel::new(
        &proxy("http://p"),
        &url("ws://a.example/"),
        Limits::default(),
        Some(Duration::from_secs(1)),
    );
    tunnel.handle_timeout(Duration::ZERO).unwrap();
    drain(tunnel.outgoing());
    let mut inbox = Inbox::from(&b"HTTP/1.1 403 X\r\n\r\nno"[..]);
    let Ok(Step::Continue(mut tunnel)) = tunnel.advance(&mut inbox) else {
        panic!("more is to come");
    };
    match tunnel.handle_timeout(Duration::from_secs(1)) {
        Err(ProxyError::Refused(rejection)) => assert!(rejection.truncated),
        other => panic!("{other:?}"),
    }
}

/// RFC 1928, 3, 4 and 6: names stay names, addresses go as such.
#[test]
fn the_dialogue_of_socks() {
    let v6 = [
        &[5, 1, 0, 4, 0x20, 1, 0xd, 0xb8][..],
        &[0; 11],
        &[1, 1, 0xbb],
    ]
    .concat();
    for (to, request) in [
        (
            "ws://a.example/",
            b"\x05\x01\x00\x03\x09a.example\x00\x50".to_vec(),
        ),
        (
            "ws://127.0.0.1:9001/",
            b"\x05\x01\x00\x01\x7f\x00\x00\x01\x23\x29".to_vec(),
        ),
        ("wss://[2001:db8::1]/", v6),
    ] {
        for bound in [
            &b"\x01\x00\x00\x00\x00\x00\x00"[..],
            b"\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x12\x34",
            b"\x03\x01x\x12\x34",
            b"\x03\x00\x12\x34",
        ] {
            let answer = [b"\x05\x00\x00", bound].concat();
            let told = socks("socks5://p", to, &[b"\x05\x00", &answer]);
            assert_eq!(told.end, End::Open(Vec::new()), "{to} {bound:?}");
            assert_eq!(told.sent, [&b"\x05\x01\x00"[..], &request].concat());
        }
    }
}

/// RFC 1929: user name and password go only where they are asked for.
#[test]
fn credentials_for_socks() {
    let bound = b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00";
    let request = b"\x05\x01\x00\x03\x09a.example\x00\x50";
    let told = socks(
        "socks5://us:p%40ss@p",
        "ws://a.example/",
        &[b"\x05\x02", b"\x01\x00", bound],
    );
    assert_eq!(told.end, End::Open(Vec::new()));
    let said = [&b"\x05\x02\x00\x02"[..], b"\x01\x02us\x04p@ss", request].concat();
    assert_eq!(told.sent, said);

    let told = socks("socks5://us:pw@p", "ws://a.example/", &[b"\x05\x00", bound]);
    assert_eq!(told.end, End::Open(Vec::new()));
    assert_eq!(told.sent, [&b"\x05\x02\x00\x02"[..], request].concat());
}

#[test]
fn every_reply_of_socks() {
    use SocksReply::{
        AddressTypeNotSupported, CommandNotSupported, ConnectionRefused, GeneralFailure,
        HostUnreachable, NetworkUnreachable, NotAllowed, TtlExpired, Unassigned,
    };
    let known = [
        GeneralFailure,
        NotAllowed,
        NetworkUnreachable,
        HostUnreachable,
        ConnectionRefused,
        TtlExpired,
        CommandNotSupported,
        AddressTypeNotSupported,
    ];
    for code in 1..=255_u8 {
        let expected = known
            .get(usize::from(code) - 1)
            .map_or(Unassigned(code), |reply| *reply);
        let told = socks("socks5://p", "ws://a.example/", &[b"\x05\x00", &[5, code]]);
        assert_eq!(told.end, End::Failed(ProxyError::Socks(expected)));
    }
}

#[test]
fn invalid_answers_of_socks() {
    let bound = b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00";
    for (answers, error) in [
        (&[&b"\x04\x00"[..]][..], ProxyError::NotSocks5),
        (
            &[b"HTTP/1.1 400 Bad Request\r\n\r\n"],
            ProxyError::NotSocks5,
        ),
        (&[b"\x05\xff"], ProxyError::NoAcceptableMethod),
        (&[b"\x05\x01"], ProxyError::Malformed),
        (&[b"\x05\x02", b"\x05\x00"], ProxyError::NotSocks5),
        (
            &[b"\x05\x02", b"\x01\x01"],
            ProxyError::CredentialsRefused(1),
        ),
        (&[b"\x05\x00", b"\x01\x00"], ProxyError::NotSocks5),
        (&[b"\x05\x00", b"\x05\x00\x01"], ProxyError::Malformed),
        (&[b"\x05\x00", b"\x05\x00\x00\x02"], ProxyError::Malformed),
    ] {
        let told = socks("socks5://u:p@p", "ws://a.example/", answers);
        assert_eq!(told.end, End::Failed(error), "{answers:?}");
    }
    // What was not offered cannot be chosen.
    let told = socks("socks5://p", "ws://a.example/", &[b"\x05\x02"]);
    assert_eq!(told.end, End::Failed(ProxyError::Malformed));
    // An answer to what has not been asked.
    let both = [&b"\x05\x00"[..], bound].concat();
    let told = run(tunnel("socks5://p", "ws://a.example/"), &[&both]);
    assert_eq!(told.end, End::Failed(ProxyError::EarlyData));
}

/// As for HTTP: the server's bytes are kept, but before TLS there are none.
#[test]
fn bytes_behind_the_last_answer_of_socks() {
    let last = b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00early";
    for (to, end) in [
        ("ws://a.example/", End::Open(b"early".to_vec())),
        ("wss://a.example/", End::Failed(ProxyError::EarlyData)),
    ] {
        assert_eq!(run(tunnel("socks5://p", to), &[b"\x05\x00", last]).end, end);
    }
}
