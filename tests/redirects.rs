//! Where redirects lead, and what goes along (RFC 9110, 15.4; RFC 3986, 5; row H15 of the attacks).
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

mod common;

use common::handshake::{drain, sample_keys};
use fullduplex::Config;
use fullduplex::handshake::UrlError;
use fullduplex::handshake::client::{
    Handshake, RedirectError, Redirects, Rejection, Request, attempt_order,
};

fn redirect(status: u16, location: &str) -> Rejection {
    let mut rejection = Rejection::default();
    rejection.status = status;
    rejection.headers.append("Location", location);
    rejection
}

fn follow(from: &str, location: &str) -> Result<Request, RedirectError> {
    let request = Request::new(from).unwrap();
    let next = Redirects::up_to(1).follow(&request, &redirect(302, location));
    next.map(|next| next.expect("a redirect"))
}

#[track_caller]
fn assert_leads(from: &str, location: &str, to: &str) {
    let next = follow(from, location).unwrap_or_else(|error| panic!("{location}: {error:?}"));
    assert_eq!(next.url().to_string(), to, "{location}");
}

/// The request as it is sent.
fn sent(request: Request) -> String {
    let mut handshake = Handshake::new(request, Config::default(), sample_keys());
    assert!(!format!("{handshake:?}").contains("secret"));
    String::from_utf8(drain(handshake.outgoing())).unwrap()
}

/// R6455-4.1-18: redirects are an answer of HTTP, and followed only on request.
#[test]
fn nothing_is_followed_unless_asked_for() {
    let request = Request::new("ws://a.example/").unwrap();
    for status in [301, 302, 303, 307, 308] {
        let rejection = redirect(status, "/x");
        for mut redirects in [Redirects::none(), Redirects::default()] {
            assert!(redirects.follow(&request, &rejection).unwrap().is_none());
        }
        let next = Redirects::up_to(1).follow(&request, &rejection).unwrap();
        assert_eq!(next.unwrap().url().to_string(), "ws://a.example/x");
    }
}

#[test]
fn other_statuses_are_no_redirects() {
    let request = Request::new("ws://a.example/").unwrap();
    for status in [200, 201, 300, 304, 305, 306, 309, 401, 407, 503] {
        let mut redirects = Redirects::up_to(0);
        let next = redirects.follow(&request, &redirect(status, "/x")).unwrap();
        assert!(next.is_none(), "{status}");
    }
}

/// A circle ends at the limit.
#[test]
fn so_many_and_no_more() {
    for limit in [0, 1, 5, 255] {
        let mut redirects = Redirects::up_to(limit);
        let mut request = Request::new("ws://a.example/").unwrap();
        for _ in 0..limit {
            let next = redirects.follow(&request, &redirect(307, "")).unwrap();
            request = next.unwrap();
        }
        for _ in 0..2 {
            let result = redirects.follow(&request, &redirect(307, ""));
            assert_eq!(result.err(), Some(RedirectError::TooMany), "{limit}");
        }
    }
}

/// RFC 3986, 5.4.1 and 5.4.2, as far as its examples are URLs of WebSockets.
#[test]
fn references_are_resolved() {
    let base = "ws://a/b/c/d;p?q";
    for (reference, target) in [
        ("g", "/b/c/g"),
        ("./g", "/b/c/g"),
        ("g/", "/b/c/g/"),
        ("/g", "/g"),
        ("?y", "/b/c/d;p?y"),
        ("g?y", "/b/c/g?y"),
        ("#s", "/b/c/d;p?q"),
        ("g#s", "/b/c/g"),
        ("g?y#s", "/b/c/g?y"),
        (";x", "/b/c/;x"),
        ("g;x", "/b/c/g;x"),
        ("g;x?y#s", "/b/c/g;x?y"),
        ("", "/b/c/d;p?q"),
        (".", "/b/c/"),
        ("./", "/b/c/"),
        ("..", "/b/"),
        ("../", "/b/"),
        ("../g", "/b/g"),
        ("../..", "/"),
        ("../../", "/"),
        ("../../g", "/g"),
        ("../../../g", "/g"),
        ("../../../../g", "/g"),
        ("/./g", "/g"),
        ("/../g", "/g"),
        ("g.", "/b/c/g."),
        (".g", "/b/c/.g"),
        ("g..", "/b/c/g.."),
        ("..g", "/b/c/..g"),
        ("./../g", "/b/g"),
        ("./g/.", "/b/c/g/"),
        ("g/./h", "/b/c/g/h"),
        ("g/../h", "/b/c/h"),
        ("g;x=1/./y", "/b/c/g;x=1/y"),
        ("g;x=1/../y", "/b/c/y"),
        ("g?y/./x", "/b/c/g?y/./x"),
        ("g?y/../x", "/b/c/g?y/../x"),
        ("g#s/../x", "/b/c/g"),
        ("/x//y", "/x//y"),
        ("?", "/b/c/d;p"),
        // No schemes, for what precedes the colon (RFC 3986, 3.1), and none that a mutant took.
        ("g/h:i", "/b/c/g/h:i"),
        ("1g:h", "/b/c/1g:h"),
    ] {
        assert_leads(base, reference, &format!("ws://a{target}"));
    }
    assert_leads(base, "//g", "ws://g/");
    assert_leads(base, "//g:81?x", "ws://g:81/?x");
    assert_leads("ws://a", "g", "ws://a/g");
    assert_leads("ws://a?q", "g", "ws://a/g");
    assert_leads("ws://[::1]:81/b", "g", "ws://[::1]:81/g");
    assert_leads("wss://a:444/b", "/g", "wss://a:444/g");
    assert_leads("wss://a/b", "//g/h", "wss://g/h");
}

#[test]
fn http_stands_for_ws() {
    for (from, location, to) in [
        ("ws://a/", "http://b/x", "ws://b/x"),
        ("ws://a/", "https://b/x/../y", "wss://b/y"),
        ("ws://a/", "HTTPS://b", "wss://b/"),
        ("ws://a/", "wss://b", "wss://b/"),
        ("ws://a/", "ws://b:80", "ws://b/"),
        ("wss://a/", "https://b:443/#x", "wss://b/"),
    ] {
        assert_leads(from, location, to);
    }
}

#[test]
fn encryption_is_never_given_up() {
    for location in ["ws://a/", "http://a/", "http://a:443/"] {
        assert_eq!(
            follow("wss://a/", location).err(),
            Some(RedirectError::Downgrade)
        );
    }
}

/// H4: what is not a location does not become a request.
#[test]
fn invalid_locations() {
    for (location, error) in [
        ("ftp://b/", UrlError::Scheme),
        ("http:b", UrlError::Scheme),
        ("javascript:alert(1)", UrlError::Scheme),
        ("http://u:p@b/", UrlError::Userinfo),
        ("//u@b/", UrlError::Userinfo),
        ("http://", UrlError::Host),
        ("http:///x", UrlError::Host),
        ("//b:0/", UrlError::Port),
        ("//b\\c/", UrlError::Host),
        ("/a b", UrlError::Character),
        ("/a%zz", UrlError::Character),
        ("/a\r\nX: y", UrlError::Character),
        ("/\u{e4}", UrlError::Character),
    ] {
        let expected = RedirectError::Location(error);
        assert_eq!(
            follow("ws://a/", location).err(),
            Some(expected),
            "{location:?}"
        );
    }
    let request = Request::new("ws://a/").unwrap();
    let mut rejection = redirect(302, "/a");
    rejection.headers.append("Location", "/b");
    let result = Redirects::up_to(1).follow(&request, &rejection);
    assert_eq!(result.err(), Some(RedirectError::RepeatedLocation));
    let mut rejection = Rejection::default();
    rejection.status = 302;
    let result = Redirects::up_to(1).follow(&request, &rejection);
    assert_eq!(result.err(), Some(RedirectError::MissingLocation));
    rejection.headers.append("Location", b"/\xff");
    let result = Redirects::up_to(1).follow(&request, &rejection);
    assert_eq!(
        result.err(),
        Some(RedirectError::Location(UrlError::Character))
    );
}

/// H15: to another host, port or scheme nothing goes along that may be a secret, and it does not
/// come back on the way home.
#[test]
fn credentials_stay_with_their_origin() {
    let request = Request::new("ws://a.example/").unwrap();
    let request = [
        ("Authorization", "secret"),
        ("Cookie", "secret"),
        ("Proxy-Authorization", "secret"),
        ("X-Api-Key", "secret"),
        ("User-Agent", "me"),
        ("accept-language", "de"),
    ]
    .into_iter()
    .try_fold(request, |request, (name, value)| {
        request.header(name, value)
    })
    .and_then(|request| request.host("virtual.secret")?.origin("http://page"))
    .and_then(|request| request.subprotocol("chat"))
    .unwrap();

    let mut redirects = Redirects::up_to(9);
    let same = redirects
        .follow(&request, &redirect(302, "/same"))
        .unwrap()
        .unwrap();
    let text = sent(same);
    assert!(
        text.starts_with("GET /same HTTP/1.1\r\nHost: virtual.secret\r\n"),
        "{text}"
    );
    assert_eq!(text.matches("secret").count(), 5, "{text}");

    for (location, host) in [
        ("ws://b.example/", "b.example"),
        ("ws://a.example:81/", "a.example:81"),
        ("wss://a.example/", "a.example"),
        ("wss://a.example:80/", "a.example:80"),
        ("ws://sub.a.example/", "sub.a.example"),
    ] {
        let next = redirects
            .follow(&request, &redirect(302, location))
            .unwrap()
            .unwrap();
        let text = sent(next);
        assert!(!text.contains("secret"), "{text}");
        for line in [
            &*format!("Host: {host}"),
            "User-Agent: me",
            "accept-language: de",
            "Origin: http://page",
            "Sec-WebSocket-Protocol: chat",
        ] {
            assert!(
                text.contains(&format!("\r\n{line}\r\n")),
                "{line} in {text}"
            );
        }
    }
    let away = redirects
        .follow(&request, &redirect(302, "//b.example/"))
        .unwrap()
        .unwrap();
    let home = redirects
        .follow(&away, &redirect(302, "//a.example/"))
        .unwrap()
        .unwrap();
    assert!(!sent(home).contains("secret"));
}

/// RFC 8305, 4.
#[test]
fn address_families_take_turns() {
    for (resolved, order) in [
        ("", ""),
        ("4a", "4a"),
        ("6a 6b", "6a 6b"),
        ("6a 4a", "6a 4a"),
        ("4a 6a", "4a 6a"),
        ("6a 6b 6c 4a 4b", "6a 4a 6b 4b 6c"),
        ("4a 4b 6a 6b 6c 6d", "4a 6a 4b 6b 6c 6d"),
    ] {
        let address = |name: &str| {
            let (family, last) = name.split_at(1);
            let last = last.as_bytes()[0];
            let text = match family {
                "4" => format!("192.0.2.{last}:80"),
                _ => format!("[2001:db8::{last}]:80"),
            };
            text.parse().unwrap()
        };
        let found = attempt_order(resolved.split_whitespace().map(address));
        let expected: Vec<_> = order.split_whitespace().map(address).collect();
        assert_eq!(found, expected, "{resolved}");
    }
}
