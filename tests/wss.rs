//! The example `wss`, run as two programs, and against other peers.
#![cfg(all(feature = "tokio-rustls", unix))]
#![allow(
    clippy::expect_used,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "tests have std, and a panic is how they fail"
)]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Output, Stdio};

use common::net::{in_time, patient, read_to_end};
use common::programs::{Echo, example, run, stderr, stdout, wait};
use common::tls::{server, trusting};
use fullduplex::blocking;
use fullduplex::handshake::{OriginPolicy, server::Options};
use fullduplex::{CloseCode, Message};

/// A file of a test's own, removed behind it.
struct Certificate(PathBuf);

impl Certificate {
    fn of(test: &str) -> Self {
        let name = format!("wss-{test}-{}.pem", std::process::id());
        Self(std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name))
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Certificate {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn serve(ca: &Certificate) -> Echo {
    Echo::spawn(example("wss").args(["serve", "127.0.0.1:0", "--ca", ca.path()]))
}

fn connect(url: &str, ca: &str, input: &str) -> Output {
    let mut command = example("wss");
    command.args(["connect", url, "--ca", ca]);
    run(command, input.as_bytes().to_vec())
}

fn port(echo: &Echo) -> &str {
    echo.address.rsplit(':').next().unwrap()
}

/// Both ends, by name and by address; everything that was sent comes back before the end.
#[test]
fn a_conversation() {
    let ca = Certificate::of("conversation");
    let mut echo = serve(&ca);
    let lines: Vec<_> = (0..5000).map(|line| format!("line {line}\n")).collect();
    let lines = lines.concat();
    for (host, input) in [("localhost", &*lines), ("127.0.0.1", "hello\n")] {
        let url = format!("wss://{host}:{}/", port(&echo));
        let output = connect(&url, ca.path(), input);
        assert!(output.status.success(), "{}", stderr(&output));
        assert_eq!(stdout(&output), input);
        let expected = format!("connected to {url}\n");
        assert!(stderr(&output).starts_with(&expected));
        assert!(stderr(&output).contains("1000"), "{}", stderr(&output));
        assert!(echo.log_lines(1).concat().ends_with(": closed"));
    }
    assert_eq!(echo.end(), "");
}

/// Who is not told whom to trust, or somebody else, does not connect.
#[test]
fn nobody_else_is_trusted() {
    let (ca, other) = (Certificate::of("trusted"), Certificate::of("other"));
    let (echo, _stranger) = (serve(&ca), serve(&other));
    let url = format!("wss://localhost:{}/", port(&echo));
    let output = connect(&url, other.path(), "hello\n");
    assert!(!output.status.success());
    assert_eq!(stdout(&output), "");
    assert!(
        stderr(&output).starts_with("TLS handshake failed: invalid peer certificate"),
        "{}",
        stderr(&output)
    );
    let mut command = example("wss");
    command.args(["connect", &url]);
    let output = run(command, b"hello\n".to_vec());
    assert!(!output.status.success());
    assert_eq!(stdout(&output), "");
    let output = connect(&url, "no such file", "hello\n");
    assert!(!output.status.success());
}

/// What is printed without a file is the same that would be in it.
#[test]
fn the_certificate_is_printed() {
    let mut child = example("wss")
        .args(["serve", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let lines = in_time(move || {
        let mut lines = Vec::new();
        for line in output.lines().map(Result::unwrap) {
            let last = line == "-----END CERTIFICATE-----";
            lines.push(line);
            if last {
                break;
            }
        }
        lines
    });
    let url = lines.first().unwrap().strip_prefix("listening on ");
    let ca = Certificate::of("printed");
    std::fs::write(ca.path(), lines.join("\n")).unwrap();
    let output = connect(url.expect("the address"), ca.path(), "hello\n");
    child.kill().unwrap();
    wait(&mut child);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stdout(&output), "hello\n");
}

/// Plain HTTP and clients that do not trust the certificate are logged, and the server goes on. At
/// its end it says good-bye to all.
#[test]
fn the_server_outlives_its_clients() {
    let ca = Certificate::of("server");
    let mut echo = serve(&ca);
    let mut plain = patient(TcpStream::connect(&echo.address).unwrap());
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    read_to_end(&mut plain);
    assert!(echo.log_lines(1).concat().contains("InvalidContentType"));

    let url = format!("wss://localhost:{}/", port(&echo));
    let authority = common::tls::Authority::new();
    let error = common::tls::connect(&url, &trusting(&authority)).unwrap_err();
    assert!(
        matches!(error, fullduplex::Error::Tls(_)),
        "nobody knows the certificate: {error:?}"
    );
    assert!(echo.log_lines(1).concat().contains("alert"));

    let mut client = example("wss")
        .args(["connect", &url, "--ca", ca.path()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = client.stdin.take().unwrap();
    input.write_all(b"hello\n").unwrap();
    let mut answers = BufReader::new(client.stdout.take().unwrap());
    let mut line = String::new();
    answers.read_line(&mut line).unwrap();
    assert_eq!(line, "hello\n");
    assert!(echo.end().ends_with(": closed\n"));
    let said = in_time(move || client.wait_with_output().unwrap());
    assert!(said.status.success());
    assert!(stderr(&said).contains("1001"), "{}", stderr(&said));
    drop(input);
}

/// A server that does not answer gets all that is sent, however much.
#[test]
fn a_server_that_only_reads() {
    const LENGTH: usize = 1_000_000;
    let (authority, address, serving) = server(|stream| {
        let mut socket = blocking::accept(stream, &Options::new(OriginPolicy::any())).unwrap();
        let mut lengths = Vec::new();
        while let Some(message) = socket.recv().unwrap() {
            lengths.push(message.len());
        }
        lengths
    });
    let ca = Certificate::of("reader");
    std::fs::write(ca.path(), authority.pem()).unwrap();
    let input = format!("{}\n", "a".repeat(LENGTH)).repeat(20);
    let output = connect(&format!("wss://{address}/"), ca.path(), &input);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(serving.join().unwrap(), [LENGTH; 20]);
}

/// A server that closes by itself ends the client, in good order or not.
#[test]
fn the_client_ends_with_its_server() {
    let ca = Certificate::of("client");
    for code in [CloseCode::NORMAL, CloseCode::TOO_BIG] {
        let (authority, address, serving) = server(move |stream| {
            let options = Options::new(OriginPolicy::any());
            let mut socket = blocking::accept(stream, &options).unwrap();
            assert_eq!(socket.recv().unwrap(), Some(Message::text("hello")));
            socket.send(vec![0; 300]).unwrap();
            socket.close(code, "").unwrap()
        });
        std::fs::write(ca.path(), authority.pem()).unwrap();
        let mut client = example("wss")
            .args(["connect", &format!("wss://{address}/"), "--ca", ca.path()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = client.stdin.take().unwrap();
        input.write_all(b"hello\n").unwrap();
        let said = in_time(move || client.wait_with_output().unwrap());
        assert_eq!(stdout(&said), "(300 bytes)\n");
        assert!(stderr(&said).contains(&code.to_string()));
        assert!(serving.join().unwrap().clean);
        drop(input);
    }
}

/// T4: whoever calls it in a way it does not know is told how.
#[test]
fn usage() {
    for arguments in [
        &[][..],
        &["listen"],
        &["connect"],
        &["connect", "a", "b"],
        &["serve", "--ca"],
        &["serve", "--cert", "x"],
    ] {
        let mut command = example("wss");
        command.args(arguments);
        let output = run(command, Vec::new());
        assert!(!output.status.success());
        assert!(stderr(&output).contains("usage: wss serve"));
    }
    let mut command = example("wss");
    command.arg("--help");
    let output = run(command, Vec::new());
    assert!(output.status.success());
    assert!(stdout(&output).starts_with("usage: wss serve"));
}
