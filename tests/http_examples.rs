//! The examples that serve WebSockets by other HTTP implementations, as programs.
#![cfg(all(feature = "http", feature = "tokio", unix))]
#![allow(
    clippy::expect_used,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "tests have std, and a panic is how they fail"
)]

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use common::programs::{example, run, stderr, stdout, wait};
use fullduplex::blocking;
use fullduplex::{CloseCode, Message};

/// A server while it runs.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(name: &str, arguments: &[&str]) -> Self {
        let mut command = example(name);
        command.args(arguments).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let address = line.strip_prefix("listening on ").expect(&line).trim_end();
        let address = address.trim_start_matches("ws://").to_owned();
        assert!(!address.ends_with(":0"), "the port that was chosen");
        Self { child, address }
    }

    fn get(&self, path: &str, more: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\n{more}\r\n",
            self.address
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn axum_serves_pages_and_websockets_at_one_path() {
    let server = Server::start("axum", &["127.0.0.1:0"]);
    let page = server.get("/", "Connection: close\r\n");
    assert!(
        page.starts_with("HTTP/1.1 200 ") && page.contains("new WebSocket("),
        "{page}"
    );
    let mut socket = blocking::connect(&format!("ws://{}/", server.address)).unwrap();
    socket.send("hello").unwrap();
    assert_eq!(socket.recv().unwrap(), Some(Message::text("hello")));
    assert!(socket.close(CloseCode::NORMAL, "").unwrap().clean);
}

#[test]
fn axum_refuses_what_is_no_websocket_or_a_wrong_one() {
    let server = Server::start("axum", &["127.0.0.1:0"]);
    let page = server.get("/greet/you", "");
    assert!(page.starts_with("HTTP/1.1 426 "), "{page}");
    assert!(page.contains("upgrade: websocket\r\n"), "{page}");
    let foreign = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: https://evil.test\r\n";
    let page = server.get("/", foreign);
    assert!(page.starts_with("HTTP/1.1 403 "), "{page}");
}

/// Ctrl-C says good-bye to everyone.
#[test]
fn axum_ends_in_good_order() {
    let mut server = Server::start("axum", &["127.0.0.1:0"]);
    let mut socket = blocking::connect(&format!("ws://{}/greet/you", server.address)).unwrap();
    assert_eq!(socket.recv().unwrap(), Some(Message::text("hello you")));
    let id = server.child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &id])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(socket.recv().unwrap(), None);
    let outcome = socket.outcome().unwrap();
    assert!(outcome.clean);
    assert_eq!(outcome.code(), CloseCode::GOING_AWAY);
    assert!(wait(&mut server.child));
}

#[test]
fn h2_connects_to_itself_and_to_axum() {
    for server in [
        Server::start("h2", &["serve", "127.0.0.1:0"]),
        Server::start("axum", &["127.0.0.1:0"]),
    ] {
        let mut client = example("h2");
        client.args(["connect", &server.address, "one", "two", "three"]);
        let output = run(client, Vec::new());
        assert!(output.status.success(), "{}", stderr(&output));
        assert_eq!(stdout(&output), "one\ntwo\nthree\n");
    }
}

#[test]
fn h2_explains_itself() {
    for arguments in [&[][..], &["nonsense"], &["connect"]] {
        let mut command = example("h2");
        command.args(arguments);
        let output = run(command, Vec::new());
        assert!(!output.status.success());
        assert!(
            stderr(&output).starts_with("usage: h2 serve"),
            "{}",
            stderr(&output)
        );
    }
}
