//! What curl gets from a server that accepts WebSockets only, and what the server makes of curl:
//! these tests need `curl`.
#![cfg(feature = "tokio")]
#![allow(
    clippy::expect_used,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "tests have std, and a panic is how they fail"
)]

mod common;

use std::process::{Command, Output};

use common::tokio::in_time;
use fullduplex::handshake::{HandshakeError, OriginPolicy, Syntax, server::Options};
use fullduplex::tokio as ws;
use fullduplex::{Config, Error};
use tokio::net::TcpListener;

const UPGRADE: [&str; 4] = ["-H", "Connection: Upgrade", "-H", "Upgrade: websocket"];
const VERSION: [&str; 2] = ["-H", "Sec-WebSocket-Version: 13"];
const KEY: [&str; 2] = ["-H", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="];

/// Runs curl, and returns what the server came to as well.
async fn curl(scheme: &str, arguments: &[&str]) -> (Output, Result<(), Error>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("{scheme}://{}/", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        let options = Options::new(OriginPolicy::same_origin());
        ws::accept_tcp(tcp, &options).await.map(drop)
    });
    let mut command = Command::new("curl");
    command.args(["--silent", "--include", "--insecure", "--noproxy", "*"]);
    command.args(["--max-time", "20"]).args(arguments).arg(url);
    let running = tokio::task::spawn_blocking(move || command.output());
    let output = in_time(running).await.unwrap();
    let output = output.expect("these tests need curl");
    (output, in_time(serving).await.unwrap())
}

/// Each of these requests is answered in good order with `status` and `header`.
async fn assert_refused(arguments: &[&[&str]], status: u16, header: &str, error: HandshakeError) {
    let arguments = arguments.concat();
    let (output, met) = curl("http", &arguments).await;
    let answer = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{arguments:?}: {answer}");
    let start = format!("HTTP/1.1 {status} ");
    assert!(answer.starts_with(&start), "{arguments:?}: {answer}");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(header), "{arguments:?}: {answer}");
    assert_eq!(body.trim_end(), error.to_string(), "{arguments:?}");
    match met {
        Err(Error::Handshake(met)) => assert_eq!(met, error, "{arguments:?}"),
        other => panic!("{arguments:?}: {other:?}"),
    }
}

/// R6455-4.2.1-01, R6455-4.2.1-03, R6455-4.2.2-02: what is no request for a WebSocket, or one that
/// is refused for what it is.
#[tokio::test]
async fn requests_that_are_refused() {
    let refused = HandshakeError::UpgradeRequired;
    assert_refused(&[], 426, "\r\nUpgrade: websocket", refused).await;
    let refused = HandshakeError::UpgradeRequired;
    assert_refused(&[&["--http2"]], 426, "", refused).await; // as an upgrade, to h2c
    let refused = HandshakeError::UnsupportedVersion;
    let version = ["-H", "Sec-WebSocket-Version: 8"];
    let header = "\r\nSec-WebSocket-Version: 13";
    assert_refused(&[&UPGRADE, &version, &KEY], 426, header, refused).await;
    let refused = HandshakeError::OriginNotAllowed;
    let origin = ["-H", "Origin: https://elsewhere.test"];
    assert_refused(&[&UPGRADE, &VERSION, &KEY, &origin], 403, "", refused).await;
    let refused = HandshakeError::MethodNotAllowed;
    let post = ["-X", "POST"];
    assert_refused(&[&UPGRADE, &VERSION, &KEY, &post], 405, "", refused).await;
    let refused = HandshakeError::HttpVersion;
    let old = ["--http1.0"];
    assert_refused(&[&UPGRADE, &VERSION, &KEY, &old], 505, "", refused).await;
}

/// R6455-4.2.1-02, R6455-4.2.1-04, R6455-4.2.1-05 and R6455-4.2.1-08.
#[tokio::test]
async fn what_is_wrong_is_said() {
    for (arguments, status) in [
        (&[&UPGRADE[..], &VERSION][..], 400),
        (&[&UPGRADE, &KEY], 400),
        (&[&UPGRADE, &VERSION, &["-H", "Sec-WebSocket-Key: x"]], 400),
        (&[&UPGRADE, &VERSION, &KEY, &KEY], 400),
        (&[&UPGRADE, &VERSION, &KEY, &["-H", "Host:"]], 400),
        (
            &[&UPGRADE, &VERSION, &KEY, &["-d", "body", "-X", "GET"]],
            400,
        ),
    ] {
        let arguments = arguments.concat();
        let (output, met) = curl("http", &arguments).await;
        let answer = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{arguments:?}: {answer}");
        let start = format!("HTTP/1.1 {status} ");
        assert!(answer.starts_with(&start), "{arguments:?}: {answer}");
        match met {
            Err(Error::Handshake(error)) => {
                assert!(answer.trim_end().ends_with(&error.to_string()), "{answer}");
            }
            other => panic!("{arguments:?}: {other:?}"),
        }
    }
}

/// A head that is as large as it may be passes, and one byte more does not.
#[tokio::test]
async fn the_head_is_bounded() {
    let (length, refused) = (
        Config::default().limits.max_head,
        HandshakeError::HeadTooLarge,
    );
    // The rest of the head does not depend on this header.
    let rest = ["-A", "curl", "-H", "Accept:", "-H", "Host: localhost"];
    let request = "GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: curl\r\nX: \r\n\r\n";
    for (length, status, error) in [
        (length, 426, HandshakeError::UpgradeRequired),
        (length + 1, 431, refused),
    ] {
        let filler = format!("X: {}", "a".repeat(length - request.len()));
        assert_refused(&[&rest, &["-H", &filler]], status, "", error).await;
    }
}

/// A WebSocket is opened for whoever asks in the right way.
#[tokio::test]
async fn a_request_that_is_accepted() {
    let (output, met) = curl("http", &[UPGRADE.as_slice(), &VERSION, &KEY].concat()).await;
    met.unwrap();
    let answer = String::from_utf8(output.stdout).unwrap();
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    let accept = "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
    assert!(answer.contains(accept), "{answer}");
}

/// TLS and HTTP/2 to a plain port are no HTTP/1.1, which both ends find out at once.
#[tokio::test]
async fn other_protocols() {
    for (scheme, arguments, error) in [
        (
            "https",
            &[][..],
            HandshakeError::Malformed(Syntax::StartLine),
        ),
        (
            "http",
            &["--http2-prior-knowledge"],
            HandshakeError::HttpVersion,
        ),
    ] {
        let (output, met) = curl(scheme, arguments).await;
        assert!(!output.status.success());
        assert_ne!(output.status.code(), Some(28), "it would have waited");
        match met {
            Err(Error::Handshake(met)) => assert_eq!(met, error),
            other => panic!("{other:?}"),
        }
    }
}
