//! Which web pages may open a connection (RFC 6455, 10.2).
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::handshake::{REQUEST, Served, assert_closes, head, options, replaced, serve_with};
use fullduplex::handshake::server::Options;
use fullduplex::handshake::{HandshakeError, OriginPolicy};

/// H10, R6455-10.2-01: the origins of thirty pages against one server, `https://good.com`, first as
/// the only entry of an allow list, then as the origin that the client addressed.
#[test]
fn origins_are_compared_whole() {
    const TABLE: [(Option<&str>, bool); 36] = [
        (None, true),
        (Some("https://good.com"), true),
        (Some("https://good.com:443"), true),
        (Some("HTTPS://GOOD.COM"), true),
        (Some("https://gOOd.com"), true),
        (Some("https://good.com:0443"), true),
        (Some("https://good.com:80"), false),
        (Some("https://good.com:8443"), false),
        (Some("https://good.com:"), false),
        (Some("https://good.com:0"), false),
        (Some("https://good.com:65979"), false), // 443 + 65536
        (Some("https://good.com/"), false),
        (Some("https://good.com/path"), false),
        (Some("https://good.com?x"), false),
        (Some("https://good.com#x"), false),
        (Some("https://good.com."), false),
        (Some("https://good.com.evil.com"), false),
        (Some("https://evil-good.com"), false),
        (Some("https://evilgood.com"), false),
        (Some("https://sub.good.com"), false),
        (Some("https://good.co"), false),
        (Some("https://com"), false),
        (Some("https://evil.com/good.com"), false),
        (Some("https://evil.com?https://good.com"), false),
        (Some("https://good.com@evil.com"), false),
        (Some("https://evil.com\\@good.com"), false),
        (Some("https://good.com\\.evil.com"), false),
        (Some("https://good.com, https://evil.com"), false),
        (Some("https://good.com https://evil.com"), false),
        (Some("https://[::1]"), false),
        (Some("https://*"), false),
        (Some("wss://good.com"), false),
        (Some("good.com"), false),
        (Some("//good.com"), false),
        (Some("null"), false),
        (Some(""), false),
    ];
    let listed = OriginPolicy::allow(["https://good.com"]).unwrap();
    let same = OriginPolicy::same_origin();
    for (origin, expected) in TABLE {
        assert_eq!(
            listed.allows(origin, Some("evil.com")),
            expected,
            "{origin:?}"
        );
        assert_eq!(
            same.allows(origin, Some("good.com")),
            expected,
            "{origin:?}"
        );
        let required = origin.is_some() && expected;
        assert_eq!(
            listed.clone().required().allows(origin, None),
            required,
            "{origin:?}"
        );
        assert!(OriginPolicy::any().allows(origin, None), "{origin:?}");
    }
    assert!(!listed.allows(Some("http://good.com"), None));
}

/// H10
#[test]
fn the_same_origin_has_the_same_host_and_port() {
    let same = OriginPolicy::same_origin();
    for (origin, host, expected) in [
        ("http://a.test", "a.test", true),
        ("http://a.test", "A.TEST:80", true),
        ("http://a.test:80", "a.test", true),
        ("http://a.test", "a.test:", true),
        ("http://a.test", "a.test:443", false),
        ("https://a.test", "a.test:443", true),
        ("https://a.test", "a.test:80", false),
        ("http://a.test:8080", "a.test:8080", true),
        ("http://a.test:8080", "a.test", false),
        ("http://a.test", "a.test:8080", false),
        ("http://127.0.0.1:9001", "127.0.0.1:9001", true),
        ("http://127.0.0.1:80", "127.0.0.1", true),
        ("http://127.0.0.1", "127.0.0.2", false), // this and the last were a mutant's
        ("http://localhost:9001", "127.0.0.1:9001", false),
        ("http://[::1]:9001", "[::1]:9001", true),
        ("http://[::1]", "[0:0:0:0:0:0:0:1]", true),
        ("http://[::1]", "[::2]", false),
        ("http://[::1]", "::1", false),
        ("http://a.test", "user@a.test", false),
        ("http://a.test", "", false),
        // Origins of other schemes are never those of a web server.
        ("chrome-extension://a.test", "a.test", false),
        ("ws://a.test", "a.test", false),
        ("file://a.test", "a.test", false),
    ] {
        assert_eq!(
            same.allows(Some(origin), Some(host)),
            expected,
            "{origin} at {host}"
        );
    }
    assert!(!same.allows(Some("http://a.test"), None));
}

/// H10: a page that came over plain HTTP can be anybody's, whatever its host.
#[test]
fn plain_http_can_be_excluded() {
    for policy in [OriginPolicy::same_origin(), OriginPolicy::any()] {
        let policy = policy.https_only();
        assert!(policy.allows(Some("https://a.test"), Some("a.test")));
        assert!(!policy.allows(Some("http://a.test"), Some("a.test")));
        assert!(!policy.allows(Some("null"), Some("a.test")));
        assert!(policy.allows(None, Some("a.test")));
    }
}

#[test]
fn an_allow_list_holds_origins_only() {
    for bad in [
        "good.com",
        "*",
        "https://*.good.com",
        "https://good.com/",
        "https://",
        "null",
        "",
        "https://good.com:x",
        "https://user@good.com",
        " https://good.com",
        "1http://good.com",
    ] {
        assert!(OriginPolicy::allow([bad]).is_err(), "{bad:?}");
        assert!(
            OriginPolicy::allow(["https://good.com", bad]).is_err(),
            "{bad:?}"
        );
    }
    let list = [
        "HTTP://A.test:80",
        "https://[0::1]",
        "https://10.0.0.7:8443",
        "app://x",
    ];
    let policy = OriginPolicy::allow(list).unwrap();
    for good in [
        "http://a.test",
        "https://[::1]:443",
        "https://10.0.0.7:08443",
        "app://x",
    ] {
        assert!(policy.allows(Some(good), None), "{good}");
    }
    for bad in [
        "https://10.0.0.7",
        "http://10.0.0.7:8443",
        "https://10.0.0.70:8443",
    ] {
        assert!(!policy.allows(Some(bad), None), "{bad}");
    }
    let nobody = OriginPolicy::allow::<[&str; 0]>([]).unwrap();
    assert!(!nobody.allows(Some("https://good.com"), None));
}

fn request(origins: &[&str]) -> Vec<u8> {
    head(replaced(&REQUEST, "Origin", origins))
}

#[track_caller]
fn assert_outcome(policy: &OriginPolicy, origins: &[&str], allowed: bool) {
    let outcome = serve_with(&Options::new(policy.clone()), &request(origins));
    if allowed {
        assert!(
            matches!(outcome, Served::Upgrade { .. }),
            "{origins:?}: {outcome:?}"
        );
    } else {
        assert_eq!(
            outcome,
            Served::Failed(HandshakeError::OriginNotAllowed),
            "{origins:?}"
        );
    }
}

/// R6455-4.2.2-03, R6455-10.2-01, H10: on the wire, with 403 as the answer.
#[test]
fn a_handshake_from_an_unwanted_page_is_refused() {
    let same = OriginPolicy::same_origin();
    assert_outcome(&same, &["Origin: http://example.com"], true);
    assert_outcome(&same, &["origin:\thttp://example.com "], true);
    assert_outcome(&same, &["Origin: http://evil.test"], false);
    assert_outcome(&same, &["Origin: null"], false);
    assert_outcome(&same, &["Origin:"], false);
    let response = HandshakeError::OriginNotAllowed.response().unwrap();
    assert_eq!(response.status(), 403);
    assert_closes(&response);
}

/// R6455-4.2.1-07: a missing origin passes unless it is required, and is no sign of a browser.
#[test]
fn a_client_without_an_origin_is_no_browser() {
    for policy in [OriginPolicy::same_origin(), OriginPolicy::any()] {
        assert_outcome(&policy, &[], true);
        assert_outcome(&policy.required(), &[], false);
    }
    match serve_with(&options(), &request(&[])) {
        Served::Upgrade { request, .. } => assert_eq!(request.origin(), None),
        other => panic!("{other:?}"),
    }
}

/// H10, H11: what an application could misread is refused even where every origin is welcome.
#[test]
fn two_origins_or_none_that_is_text_are_refused_by_every_policy() {
    let good = "Origin: http://example.com";
    for policy in [OriginPolicy::same_origin(), OriginPolicy::any()] {
        assert_outcome(&policy, &[good, good], false);
        assert_outcome(&policy, &[good, "oRiGiN: null"], false);
        assert_outcome(
            &policy,
            &["Origin: http://example.com http://evil.test"],
            false,
        );
        assert_outcome(&policy, &["Origin: http://éxample.com"], false);
    }
    assert_outcome(&OriginPolicy::any(), &["Origin: null"], true);
}

/// RFC 9112, 3.2.2: an absolute target overrides `Host`, and so it does for the policy.
#[test]
fn the_addressed_host_is_that_of_an_absolute_target() {
    let mut lines = REQUEST.to_vec();
    lines[0] = "GET http://real.test/chat HTTP/1.1";
    let options = Options::new(OriginPolicy::same_origin());
    for (origin, allowed) in [
        ("Origin: http://real.test", true),
        ("Origin: http://example.com", false),
    ] {
        let outcome = serve_with(&options, &head(replaced(&lines, "Origin", &[origin])));
        assert_eq!(
            matches!(outcome, Served::Upgrade { .. }),
            allowed,
            "{outcome:?}"
        );
    }
}
