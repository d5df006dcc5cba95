//! The example `chat_blocking` as a program.
#![cfg(all(feature = "std", unix))]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "tests have std, and a panic is how they fail"
)]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdin, ChildStdout, Output, Stdio};

use common::net::{in_time, listen};
use common::programs::example;
use fullduplex::blocking::{self, WebSocket};
use fullduplex::handshake::{OriginPolicy, server::Options};
use fullduplex::{CloseCode, Message};

/// The program, connected to a server of ours.
struct Chat {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    server: WebSocket<TcpStream>,
}

fn start() -> Chat {
    let (listener, address) = listen();
    let mut child = example("chat_blocking")
        .arg(format!("ws://{address}/"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let options = Options::new(OriginPolicy::any());
    let (stream, _) = listener.accept().unwrap();
    Chat {
        server: blocking::accept_tcp(stream, &options).unwrap(),
        input: child.stdin.take(),
        output: BufReader::new(child.stdout.take().unwrap()),
        child,
    }
}

impl Chat {
    fn types(&mut self, bytes: &[u8]) {
        self.input.as_mut().unwrap().write_all(bytes).unwrap();
    }

    fn printed(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line
    }

    fn end(self) -> (bool, String) {
        let output = in_time(|| self.child.wait_with_output().unwrap());
        (output.status.success(), text(&output))
    }
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// What comes is printed while nothing is typed, and what is typed goes out while nothing comes.
#[test]
fn chat_blocking_talks_both_ways_at_once() {
    example("chat_blocking"); // builds it, which may take its time
    in_time(|| {
        let mut chat = start();
        for number in 0..3 {
            chat.server
                .send(format!("from the server {number}"))
                .unwrap();
            assert_eq!(chat.printed(), format!("from the server {number}\n"));
        }
        chat.server.send(vec![1, 2, 3]).unwrap();
        assert_eq!(chat.printed(), "(3 bytes)\n");
        for number in 0..3 {
            chat.types(format!("typed {number}\n").as_bytes());
            let message = chat.server.recv().unwrap();
            assert_eq!(message, Some(Message::text(format!("typed {number}"))));
        }
        // Ctrl-D; what the server says before it closes, too, is still printed.
        chat.types(b"last line");
        drop(chat.input.take());
        assert_eq!(
            chat.server.recv().unwrap(),
            Some(Message::text("last line"))
        );
        chat.server.send("good-bye").unwrap();
        assert_eq!(chat.server.recv().unwrap(), None);
        assert_eq!(chat.server.outcome().unwrap().code(), CloseCode::NORMAL);
        assert_eq!(chat.printed(), "good-bye\n");
        let (good, log) = chat.end();
        assert!(good && log.contains("closed by this end"), "{log}");
    });
}

/// It ends when the server does, whatever the keyboard says.
#[test]
fn chat_blocking_ends_when_the_server_closes() {
    example("chat_blocking");
    in_time(|| {
        let mut chat = start();
        let outcome = chat
            .server
            .close(CloseCode::GOING_AWAY, "that's it")
            .unwrap();
        assert!(outcome.clean);
        let input = chat.input.take(); // stays open
        let (good, log) = chat.end();
        assert!(good && log.contains("that's it"), "{log}");
        drop(input);

        let chat = start();
        drop(chat.server);
        let output = in_time(|| chat.child.wait_with_output().unwrap());
        assert!(!output.status.success());
    });
}

#[test]
fn chat_blocking_explains_itself() {
    let run = |arguments: &[&str]| example("chat_blocking").args(arguments).output().unwrap();
    for arguments in [&["--help"][..], &["ws://127.0.0.1:1/", "more"]] {
        let output = run(arguments);
        assert!(!output.status.success());
        assert!(text(&output).starts_with("usage: "));
    }
    let (listener, address) = listen();
    drop(listener);
    let output = run(&[&format!("ws://{address}/")]);
    assert!(!output.status.success());
    assert!(text(&output).starts_with("ws://127.0.0.1:"), "{output:?}");
}
