//! Handshakes as lists of headers (RFC 6455, 11.3), wherever they come from, and as random bytes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use common::handshake::{
    REQUEST, RESPONSE, Served, drain, head, meet, options, recorded, serve_with, upgrade,
};
use fullduplex::handshake::server::{Acceptance, EarlyData, HttpRequest, Incoming, Upgrade};
use fullduplex::handshake::{HandshakeError, Headers};
use proptest::prelude::*;
use proptest::sample::Index;

/// A request as another HTTP implementation would hand it over.
fn parsed_elsewhere(bytes: &[u8]) -> HttpRequest {
    let mut slots = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut slots);
    assert!(request.parse(bytes).unwrap().is_complete());
    let fields = request.headers.iter();
    let headers: Headers = fields
        .map(|field| (field.name.to_lowercase(), field.value))
        .collect();
    HttpRequest::new(request.method.unwrap(), request.path.unwrap(), headers)
}

/// The names are in lower case, as in HTTP/2, and the outcome is that of the bytes.
#[test]
fn a_list_of_headers_is_judged_like_the_bytes_it_came_in() {
    for (name, bytes) in recorded(".request") {
        let incoming = Upgrade::negotiate(parsed_elsewhere(&bytes), options());
        let Ok(Incoming::Upgrade(elsewhere)) = incoming else {
            panic!("{name}: {incoming:?}");
        };
        let here = upgrade(&bytes);
        assert_eq!(here.request(), elsewhere.request(), "{name}");
        let sent = |upgrade: Upgrade| drain(upgrade.accept(Acceptance::new()).unwrap().outgoing());
        assert_eq!(sent(here), sent(elsewhere), "{name}");
    }
}

/// R6455-11.3-01: which headers of a request may come more than once.
#[test]
fn repeated_headers_of_a_request() {
    for (name, value, error) in [
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", true),
        ("Sec-WebSocket-Version", "13", true),
        ("Host", "example.com", true),
        ("Sec-WebSocket-Extensions", "foo", false),
        ("Sec-WebSocket-Protocol", "foo", false),
        ("Upgrade", "websocket", false),
        ("Connection", "upgrade", false),
        ("Cookie", "a=b", false),
    ] {
        let mut headers = parsed_elsewhere(&head(REQUEST)).headers().clone();
        while headers.get_all(name).count() < 2 {
            headers.append(name, value);
        }
        let outcome = Upgrade::negotiate(HttpRequest::new("GET", "/", headers), options());
        match outcome {
            Err(HandshakeError::RepeatedHeader(repeated)) => assert!(error && repeated == name),
            Ok(Incoming::Upgrade(_)) => assert!(!error, "{name}"),
            other => panic!("{name}: {other:?}"),
        }
    }
}

/// R6455-9.1-01: the order of offers is the client's preference, over all lines.
#[test]
fn subprotocols_and_extensions_keep_their_order_over_lines() {
    let mut headers = parsed_elsewhere(&head(REQUEST)).headers().clone();
    for offers in ["b, a", "d", "c ,,"] {
        headers.append("Sec-WebSocket-Protocol", offers);
    }
    let request = HttpRequest::new("GET", "/", headers);
    assert_eq!(request.subprotocols().collect::<String>(), "badc");
}

/// R7936-01: a subprotocol is a token that is compared to the letter, registered or not.
#[test]
fn subprotocols_are_compared_to_the_letter() {
    let mut headers = parsed_elsewhere(&head(REQUEST)).headers().clone();
    headers.append("Sec-WebSocket-Protocol", "WAMP.2.json, v1.example!#$");
    let request = HttpRequest::new("GET", "/", headers);
    let Ok(Incoming::Upgrade(upgrade)) = Upgrade::negotiate(request, options()) else {
        panic!("no handshake");
    };
    assert_eq!(upgrade.select_subprotocol(&["wamp.2.json"]), None);
    let both = ["v1.example!#$", "WAMP.2.json"];
    assert_eq!(upgrade.select_subprotocol(&both), Some(both[0]));
}

const EXTRA: [&str; 15] = [
    "X: y",
    "Host: a",
    "Upgrade: websocket",
    "Connection: close, upgrade",
    "Content-Length: 0",
    "Content-Length: 2",
    "Transfer-Encoding: chunked",
    "Origin: null",
    ": x",
    " x",
    "Sec-WebSocket-Protocol: a, b",
    "Sec-WebSocket-Protocol: ,",
    "Sec-WebSocket-Extensions: a; b=\"c\"",
    "HTTP/1.1 103 X",
    "",
];

/// Valid heads with lines added, lines taken away and bytes changed, or none of it.
fn almost(lines: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let added = prop::collection::vec((any::<Index>(), prop::sample::select(&EXTRA[..])), 0..4);
    let removed = prop::option::weighted(0.2, any::<Index>());
    let changed = prop::collection::vec((any::<Index>(), any::<u8>()), 0..3);
    (added, removed, changed).prop_map(move |(added, removed, changed)| {
        let mut lines = lines.to_vec();
        for (at, line) in added {
            lines.insert(at.index(lines.len() + 1), line);
        }
        if let Some(at) = removed {
            lines.remove(at.index(lines.len()));
        }
        let mut bytes = head(lines);
        for (at, byte) in changed {
            *at.get_mut(&mut bytes) = byte;
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// H11, R6455-10.7-01: whatever comes, the outcome does not depend on how it is cut, what is
    /// taken for a head is one for an ordinary parser too, and what is refused gets an answer.
    #[test]
    fn servers_judge_random_requests_the_same_in_every_cut(bytes in almost(&REQUEST)) {
        // Whether early data is noticed does depend on how the bytes arrive.
        let options = options().early_data(EarlyData::Accept);
        match serve_with(&options, &bytes) {
            Served::Upgrade { request, left, .. } | Served::Http { request, left } => {
                let mut slots = [httparse::EMPTY_HEADER; 64];
                let mut parsed = httparse::Request::new(&mut slots);
                let complete = parsed.parse(&bytes);
                let length = bytes.len() - left.len();
                prop_assert_eq!(complete, Ok(httparse::Status::Complete(length)));
                prop_assert_eq!(parsed.method, Some(request.method()));
                prop_assert_eq!(parsed.path, Some(request.target()));
                prop_assert_eq!(parsed.headers.len(), request.headers().len());
            }
            Served::Failed(error) => prop_assert!(error.response().is_some()),
            Served::Pending => {}
        }
    }

    /// H11, R6455-10.7-01
    #[test]
    fn clients_judge_random_responses_the_same_in_every_cut(bytes in almost(&RESPONSE)) {
        let _ = meet(&bytes);
    }
}
