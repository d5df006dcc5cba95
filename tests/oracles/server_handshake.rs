//! The opening handshake of a server.

use bytes::Buf;
use fullduplex::handshake::server::{
    Acceptance, EarlyData, Handshake, HttpRequest, Incoming, Options, Response, Upgrade,
};
use fullduplex::handshake::{HandshakeError, OriginPolicy, Step};
use fullduplex::{Config, Inbox};

use super::http::{self, Feeder, Head};
use super::{Input, Options as Conditions};

/// What the server speaks, in the order of its preference.
const SUBPROTOCOLS: [&str; 2] = ["superchat", "chat"];

/// All that came of an input.
#[derive(Debug, PartialEq, Eq)]
struct Trace {
    verdict: Verdict,
    /// Bytes behind what was read of the request.
    left: usize,
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Upgrade(HttpRequest, Vec<u8>),
    Http(HttpRequest),
    Failed(HandshakeError),
}

/// However a request is cut, the same verdict comes of it and the same bytes are left; a parser
/// that is not ours agrees with it; every answer is one HTTP response, which opens the connection
/// with the right `Sec-WebSocket-Accept` or closes it; each byte is scanned once; and what is held
/// stays in bounds.
///
/// Options: bit 0: the inbox is parked between reads; 1: no limits; 2: small limits; 3: an origin
/// is demanded, the server's own. `measure` tells how many bytes its argument held at once. The
/// result is whether the request was accepted.
///
/// # Panics
///
/// If that does not hold.
pub fn server_handshake(data: &[u8], measure: impl Fn(&mut dyn FnMut()) -> usize) -> bool {
    let Some(Input {
        options: conditions,
        sizes,
        bytes,
    }) = Input::split(data)
    else {
        return false;
    };
    let config = http::config(&conditions);
    let origins = if conditions.bit(3) {
        OriginPolicy::same_origin().required()
    } else {
        OriginPolicy::any()
    };
    let strict = Options::new(origins).config(config.clone());
    let options = strict.clone().early_data(EarlyData::Accept);

    let whole = trace(&options, &conditions, bytes, &[]);
    let sizes = if sizes.is_empty() { &[1] } else { &sizes[..] };
    let cut = trace(&options, &conditions, bytes, sizes);
    assert_eq!(
        cut, whole,
        "reads of {sizes:?} (left) differ from one (right)"
    );

    let most = measure(&mut || swallow(strict.clone(), bytes, sizes));
    let budget = http::budget(bytes.len(), &config);
    assert!(most <= budget, "{most} bytes held for {} fed", bytes.len());

    // What was read at once with the request is what a server can refuse.
    let refused = trace(&strict, &conditions, bytes, &[]).verdict;
    let early = matches!(whole.verdict, Verdict::Upgrade(..)) && whole.left > 0;
    if early {
        assert_eq!(refused, Verdict::Failed(HandshakeError::EarlyData));
    } else {
        assert_eq!(refused, whole.verdict);
    }

    let head = http::request(bytes);
    match &whole.verdict {
        Verdict::Upgrade(request, answer) => {
            let head = head.expect("accepted what is no request");
            assert_read(request, &head, bytes.len() - whole.left, &config);
            assert_valid(&head);
            assert_opens(&head, answer);
            let Ok(Incoming::Upgrade(upgrade)) = Upgrade::negotiate(request.clone(), options)
            else {
                panic!("the same request was judged twice");
            };
            assert_closes(&upgrade.reject(&Response::forbidden()), "GET");
        }
        Verdict::Http(request) => {
            let head = head.expect("handed over what is no request");
            assert_read(request, &head, bytes.len() - whole.left, &config);
            assert!(head.all("Sec-WebSocket-Key").is_empty());
            assert!(!head.lists("Upgrade", "websocket"));
            let page = Response::not_found().body("nothing here");
            assert_closes(&request.respond(&page), request.method());
        }
        Verdict::Failed(error) => {
            assert_justified(error, bytes, head.as_ref(), &config);
            match error.response() {
                Some(response) => assert_closes(&response.to_bytes(), "GET"),
                None => assert_eq!(*error, HandshakeError::ConnectionClosed),
            }
            let plain = head.is_some_and(|head| is_plain(&head, bytes, &config));
            assert!(!plain || conditions.bit(3), "{error}: {bytes:?}");
        }
    }
    matches!(whole.verdict, Verdict::Upgrade(..))
}

fn trace(options: &Options, conditions: &Conditions, bytes: &[u8], sizes: &[usize]) -> Trace {
    let mut handshake = Handshake::new(options.clone());
    let mut inbox = Inbox::new();
    let mut feeder = Feeder::new(bytes, sizes);
    let verdict = loop {
        let more = feeder.read(&mut inbox);
        if conditions.bit(0) {
            feeder.park(&mut inbox);
        }
        if !more {
            handshake.received_eof();
        }
        match handshake.advance(&mut inbox) {
            Ok(Step::Continue(next)) => {
                assert!(more, "waits for what cannot come");
                #[cfg(fuzzing)]
                assert!(next.work() <= feeder.fed(), "H1: bytes are looked at twice");
                handshake = next;
            }
            Ok(Step::Done(Incoming::Http(request))) => break Verdict::Http(request),
            Ok(Step::Done(Incoming::Upgrade(upgrade))) => {
                let request = upgrade.request().clone();
                let subprotocol = upgrade.select_subprotocol(&SUBPROTOCOLS);
                let acceptance = Acceptance::new().subprotocol(subprotocol);
                let mut connection = upgrade.accept(acceptance).expect("it was offered");
                let length = connection.outgoing().remaining();
                let answer = connection.outgoing().copy_to_bytes(length);
                break Verdict::Upgrade(request, answer.to_vec());
            }
            Err(error) => break Verdict::Failed(error),
        }
    };
    Trace {
        verdict,
        left: feeder.left(&inbox),
    }
}

/// The crate has read what a parser reads, within the limits.
fn assert_read(request: &HttpRequest, head: &Head<'_>, size: usize, config: &Config) {
    assert_eq!(head.size, size, "where the head ends");
    assert!(size <= config.limits.max_head);
    assert!(head.headers.len() <= config.limits.max_headers);
    assert_eq!(head.line, Some((request.method(), request.target())));
    assert!(head.agrees(request.headers()));
}

/// RFC 6455, 4.2.1, and no body.
fn assert_valid(head: &Head<'_>) {
    assert_eq!(head.line.map(|line| line.0), Some("GET"));
    assert_eq!(head.minor_version, 1);
    assert!(head.only("Host").is_some());
    assert!(head.lists("Upgrade", "websocket"));
    assert!(head.lists("Connection", "upgrade"));
    assert!(head.is("Sec-WebSocket-Version", "13"));
    assert!(head.only("Sec-WebSocket-Key").is_some_and(http::is_key));
    assert!(head.all("Transfer-Encoding").is_empty());
    assert!(head.all("Content-Length").is_empty() || head.is("Content-Length", "0"));
}

/// RFC 6455, 4.2.2, item 5: nothing but the headers of the consent.
fn assert_opens(head: &Head<'_>, answer: &[u8]) {
    let response = http::response(answer).expect("no HTTP response");
    assert_eq!(
        (response.size, response.minor_version, response.status),
        (answer.len(), 1, 101)
    );
    assert!(response.is("Upgrade", "websocket"));
    assert!(response.is("Connection", "Upgrade"));
    let key = head.only("Sec-WebSocket-Key").expect("a key");
    let accept = http::accept_for(key);
    assert_eq!(response.only("Sec-WebSocket-Accept"), Some(&accept[..]));
    let offered = |name: &&&str| {
        let offers = head.all("Sec-WebSocket-Protocol").join(&b","[..]);
        let mut offers = offers.split(|byte| *byte == b',');
        offers.any(|offer| offer.trim_ascii() == name.as_bytes())
    };
    let chosen = SUBPROTOCOLS
        .iter()
        .find(offered)
        .map(|name| name.as_bytes());
    assert_eq!(response.only("Sec-WebSocket-Protocol"), chosen);
    let count = 3 + usize::from(chosen.is_some());
    assert_eq!(response.headers.len(), count, "an unasked header");
}

/// One response that ends the connection and tells how long it is, so that nothing behind the
/// request can be taken for another one (H5).
fn assert_closes(answer: &[u8], method: &str) {
    let response = http::response(answer).expect("no HTTP response");
    assert_eq!(response.minor_version, 1);
    assert!((400..=599).contains(&response.status));
    assert!(response.lists("Connection", "close"));
    let body = answer.len() - response.size;
    let announced = response.only("Content-Length").expect("a length");
    if method == "HEAD" {
        assert_eq!(body, 0);
    } else {
        assert_eq!(announced, body.to_string().as_bytes());
    }
    match response.status {
        405 => assert!(response.is("Allow", "GET")),
        426 => assert!(
            response.is("Sec-WebSocket-Version", "13") && response.lists("Connection", "Upgrade")
        ),
        _ => {}
    }
}

/// What an error says is so.
fn assert_justified(
    error: &HandshakeError,
    bytes: &[u8],
    head: Option<&Head<'_>>,
    config: &Config,
) {
    let limits = &config.limits;
    let whole = || head.expect("judged what is no request");
    assert!(match *error {
        HandshakeError::Malformed(syntax) =>
            return http::assert_malformed(syntax, bytes, head.is_some()),
        HandshakeError::HeadTooLarge => bytes.len() >= limits.max_head,
        HandshakeError::TooManyHeaders =>
            http::line_feeds(bytes) > limits.max_headers.saturating_add(1),
        HandshakeError::ConnectionClosed => head.is_none(),
        HandshakeError::MissingHeader(name) => whole().all(name).is_empty(),
        HandshakeError::RepeatedHeader(name) => whole().all(name).len() > 1,
        HandshakeError::InvalidHeader(name) => match name {
            "Connection" => !whole().lists(name, "upgrade"),
            "Sec-WebSocket-Key" => !whole().only(name).is_some_and(http::is_key),
            _ => !whole().all(name).is_empty(),
        },
        HandshakeError::HttpVersion => head.is_none_or(|head| head.minor_version != 1),
        HandshakeError::MethodNotAllowed => whole().line.is_some_and(|line| line.0 != "GET"),
        HandshakeError::InvalidTarget => whole().line.is_some(),
        HandshakeError::UnexpectedBody =>
            !whole().all("Transfer-Encoding").is_empty()
                || !whole().all("Content-Length").is_empty() && !whole().is("Content-Length", "0"),
        HandshakeError::UpgradeRequired => !whole().lists("Upgrade", "websocket"),
        HandshakeError::UnsupportedVersion => !whole().is("Sec-WebSocket-Version", "13"),
        HandshakeError::OriginNotAllowed => true, // has a test of its own
        _ => false, // early data is let through, the rest is a client's
    });
}

/// Whether a request is one that has to be accepted, unless its origin is looked at: the rules are
/// many, and an oracle that knows only what has to be refused would let all be refused.
fn is_plain(head: &Head<'_>, bytes: &[u8], config: &Config) -> bool {
    let limits = &config.limits;
    let simple_target = |target: &str| {
        let simple = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'?' | b'=');
        target.starts_with('/') && target.bytes().all(simple)
    };
    let lines = &bytes[..head.size];
    head.size <= limits.max_head
        && head.headers.len() <= limits.max_headers
        && http::has_strict_lines(lines)
        && head.minor_version == 1
        && head
            .line
            .is_some_and(|(method, target)| method == "GET" && simple_target(target))
        && head.is("Host", "example.com")
        && head.is("Upgrade", "websocket")
        && head.is("Connection", "Upgrade")
        && head.is("Sec-WebSocket-Version", "13")
        && head.only("Sec-WebSocket-Key").is_some_and(http::is_key)
        && [
            "Content-Length",
            "Transfer-Encoding",
            "Origin",
            "Sec-WebSocket-Protocol",
            "Sec-WebSocket-Extensions",
        ]
        .iter()
        .all(|name| head.all(name).is_empty())
}

/// Receives as a driver does that answers at once and keeps nothing.
fn swallow(options: Options, bytes: &[u8], sizes: &[usize]) {
    let mut handshake = Handshake::new(options);
    let mut inbox = Inbox::new();
    let mut feeder = Feeder::new(bytes, sizes);
    while feeder.read_what_fits(&mut inbox) {
        match handshake.advance(&mut inbox) {
            Ok(Step::Continue(next)) => handshake = next,
            _ => return,
        }
    }
    let _ = handshake.advance(&mut inbox);
}
