//! The examples as programs: what they print, log, answer and return.
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

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::net::{LONG, consent, listen, patient, read_head, read_to_end, respond};
use common::programs::{Echo, example, run, stderr, stdout, wait};
use fullduplex::blocking;
use fullduplex::{CloseCode, Message};

/// The examples that serve the same page and the same echoes.
const ECHOES: &[&str] = &[
    "echo",
    #[cfg(feature = "tokio")]
    "echo_tokio",
    #[cfg(feature = "futures")]
    "echo_futures",
];

/// Runs the client to its end.
fn client(url: &str, arguments: &[&str], input: Vec<u8>) -> Output {
    let mut command = example("client");
    command.arg(url).args(arguments);
    run(command, input)
}

fn talk(echo: &Echo) {
    let mut socket = blocking::connect(&format!("{}/room", echo.url())).unwrap();
    for message in [Message::text("top secret"), Message::binary(vec![7; 300])] {
        socket.send(message.clone()).unwrap();
        assert_eq!(socket.recv().unwrap(), Some(message));
    }
    assert!(socket.close(CloseCode::NORMAL, "done").unwrap().clean);
}

/// T4, R6455-7.1.7-01: the log has a session id, the opening and the outcome of each connection;
/// lengths of messages if asked for; never what they say.
#[test]
fn echo_logs_what_was_asked_for() {
    for name in ECHOES {
        let mut echo = Echo::start(name, &[]);
        talk(&echo);
        let mut bad = blocking::connect(&echo.url()).unwrap().into_parts().0;
        bad.write_all(b"\x83\x80\0\0\0\0").unwrap();
        read_to_end(&mut bad);
        drop(bad);
        echo.http("nonsense\r\n\r\n");
        let mut log = echo.log_lines(5);
        log.sort(); // each connection has a thread or a task, and logs in its own time
        assert!(log[0].starts_with("[1] 127.0.0.1:") && log[0].ends_with(" opened /room"));
        assert!(log[1].starts_with("[1] closed by the peer"), "{log:?}");
        assert!(log[1].contains("1000"), "{log:?}");
        assert!(log[2].starts_with("[2] 127.0.0.1:") && log[2].ends_with(" opened /"));
        assert!(log[3].starts_with("[2] failed: "), "{log:?}");
        assert!(log[4].starts_with("[3] 127.0.0.1:"), "{log:?}");
        assert_eq!(echo.end(), "");

        let echo = Echo::start(name, &["--verbose"]);
        talk(&echo);
        let log = echo.end();
        assert!(
            log.contains("[1] text, 10 bytes\n[1] binary, 300 bytes\n"),
            "{log}"
        );
        assert!(!log.contains("secret"), "{log}");

        let echo = Echo::start(name, &["--quiet"]);
        talk(&echo);
        assert_eq!(echo.end(), "");
    }
}

/// A browser gets a page that needs nothing from elsewhere; anything else gets its HTTP answer.
#[test]
fn echo_serves_its_page() {
    for name in ECHOES {
        let echo = Echo::start(name, &[]);
        let ask = |line: &str| echo.http(&format!("{line} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        let page = ask("GET /");
        let (head, body) = page.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert!(
            head.contains("Content-Type: text/html; charset=utf-8\r\n"),
            "{head}"
        );
        assert!(
            head.contains("Content-Security-Policy: default-src 'none'; "),
            "{head}"
        );
        assert!(
            head.contains(&format!("Content-Length: {}", body.len())),
            "{head}"
        );
        assert!(body.contains("<html") && body.contains("new WebSocket("));
        for external in ["http://", "https://", "src=", "@import", "<link"] {
            assert!(!body.contains(external), "{external}");
        }
        let (head_only, rest) = {
            let answer = ask("HEAD /");
            let (head, rest) = answer.split_once("\r\n\r\n").unwrap();
            (head.to_owned(), rest.to_owned())
        };
        assert_eq!((&*head_only, &*rest), (head, ""));
        assert!(ask("GET /favicon.ico").starts_with("HTTP/1.1 404 "));
        let post = ask("POST /");
        assert!(post.starts_with("HTTP/1.1 405 ") && post.contains("Allow: GET, HEAD\r\n"));
    }
}

/// Ctrl-C says good-bye to everyone, waits for nobody who does not talk, and is a success.
#[test]
fn echo_ends_in_good_order() {
    for name in ECHOES {
        let echo = Echo::start(name, &["--quiet"]);
        let undecided = TcpStream::connect(&echo.address).unwrap();
        let clients: Vec<_> = (0..3)
            .map(|_| {
                let mut socket = blocking::connect(&echo.url()).unwrap();
                thread::spawn(move || {
                    assert_eq!(socket.recv().unwrap(), None);
                    socket.outcome().unwrap()
                })
            })
            .collect();
        let started = Instant::now();
        assert_eq!(echo.end(), "");
        assert!(
            started.elapsed() < Duration::from_secs(5),
            "it waited for nothing"
        );
        for client in clients {
            let outcome = client.join().unwrap();
            assert!(outcome.clean);
            assert_eq!(outcome.code(), CloseCode::GOING_AWAY);
        }
        drop(undecided);
    }
}

/// T3: each connection is a thread, so there is a bound, and who is too many is told.
#[test]
fn echo_bounds_connections() {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let files = limits
        .lines()
        .find_map(|line| {
            line.strip_prefix("Max open files")?
                .split_whitespace()
                .next()
        })
        .and_then(|number| number.parse::<u32>().ok());
    if files.is_none_or(|files| files < 2000) {
        return eprintln!("too few file descriptors for this test");
    }
    let echo = Echo::start("echo", &["--quiet"]);
    let mut admitted: Vec<_> = (0..1000)
        .map(|_| TcpStream::connect(&echo.address).unwrap())
        .collect();
    let mut refused = patient(TcpStream::connect(&echo.address).unwrap());
    assert!(read_to_end(&mut refused).starts_with(b"HTTP/1.1 503 "));
    admitted.truncate(900);
    let until = Instant::now() + LONG;
    while blocking::connect(&echo.url()).is_err() {
        assert!(Instant::now() < until, "places are not given back");
    }
}

#[test]
fn echo_explains_what_is_wrong() {
    for name in ECHOES {
        let echo = Echo::start(name, &["--quiet"]);
        let run = |arguments: &[&str]| {
            let mut command = example(name);
            command.args(arguments);
            run(command, Vec::new())
        };
        let taken = run(&[&echo.address]);
        assert!(!taken.status.success() && taken.stdout.is_empty());
        let said = stderr(&taken).to_lowercase();
        assert!(
            said.contains(&echo.address) && said.contains("in use"),
            "{said}"
        );
        for arguments in [
            &["--nonsense"][..],
            &["127.0.0.1:0", "127.0.0.1:0"],
            &["nowhere"],
        ] {
            let output = run(arguments);
            assert!(!output.status.success());
            assert!(stderr(&output).contains(arguments.last().unwrap()));
            assert!(!stderr(&output).contains("panicked"));
        }
        assert!(stdout(&run(&["--help"])).contains(&format!("usage: {name} [ADDR]")));
    }
}

/// Arguments are messages; what comes back is printed; how it ended is reported.
#[test]
fn client_sends_its_arguments() {
    let echo = Echo::start("echo", &["--quiet"]);
    let output = client(&echo.url(), &["hello", "-world", "", "grüße"], Vec::new());
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stdout(&output), "hello\n-world\n\ngrüße\n");
    assert!(stderr(&output).starts_with("connected to ws://"));
    assert!(stderr(&output).contains("closed by this end"));

    let numbers: Vec<String> = (0..20_000).map(|number| number.to_string()).collect();
    let arguments: Vec<&str> = numbers.iter().map(|number| &**number).collect();
    let output = client(&echo.url(), &arguments, Vec::new());
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stdout(&output).lines().eq(arguments));
}

/// A hundred thousand lines, and then few long ones: more than fits the sockets in both
/// directions, so that whoever wrote them all before reading would wait for ever.
#[test]
fn client_sends_its_standard_input() {
    let echo = Echo::start("echo", &["--quiet"]);
    let small: String = (0..100_000)
        .flat_map(|number: u32| [number.to_string(), "\n".into()])
        .collect();
    let long = format!("{}\n", "x".repeat(100_000)).repeat(300);
    for lines in [small, long, String::new()] {
        let output = client(&echo.url(), &[], lines.clone().into());
        assert!(output.status.success(), "{}", stderr(&output));
        assert!(stdout(&output) == lines, "{} bytes", output.stdout.len());
    }
    let output = client(&echo.url(), &[], b"good\n\xff\nnever\n".to_vec());
    assert!(!output.status.success());
    assert!(
        stderr(&output).contains("standard input: "),
        "{}",
        stderr(&output)
    );
    assert!(
        stderr(&output).contains("closed by this end"),
        "{}",
        stderr(&output)
    );
}

/// Failures to connect, refusals and broken connections are told, and are no success.
#[test]
fn client_reports_failures() {
    let (listener, address) = listen();
    drop(listener);
    for url in [
        format!("ws://{address}"),
        "wss://127.0.0.1".into(),
        "nonsense".into(),
    ] {
        let output = client(&url, &["hello"], Vec::new());
        assert!(!output.status.success());
        assert!(
            stderr(&output).starts_with(&format!("{url}: ")),
            "{}",
            stderr(&output)
        );
    }
    let (address, server) = respond(|_| b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n".into());
    let output = client(&format!("ws://{address}"), &["hello"], Vec::new());
    assert!(!output.status.success() && stderr(&output).contains("403"));
    server.join().unwrap();

    for after in [&b"\x83\0"[..], b""] {
        let (address, server) =
            respond(move |head| [consent(head).as_bytes(), b"\x81\x02hi", after].concat());
        thread::spawn(move || drop(server.join()));
        let output = client(&format!("ws://{address}"), &["a", "b"], Vec::new());
        assert!(!output.status.success());
        assert_eq!(stdout(&output), "hi\n");
        assert!(
            stderr(&output).contains("\nfailed: "),
            "{}",
            stderr(&output)
        );
    }
    for arguments in [&[][..], &["--nonsense"]] {
        let mut command = example("client");
        command.args(arguments);
        let output = run(command, Vec::new());
        assert!(!output.status.success() && stderr(&output).contains("usage: client"));
    }
}

/// The server may close, and whoever reads the output may have seen enough.
#[test]
fn client_ends_when_others_do() {
    let (listener, address) = listen();
    let server = thread::spawn(move || {
        let mut stream = patient(listener.accept().unwrap().0);
        let head = read_head(&mut stream);
        stream.write_all(consent(&head).as_bytes()).unwrap();
        stream.write_all(b"\x88\x05\x03\xe8bye").unwrap();
        read_to_end(&mut stream);
    });
    let mut command = example("client");
    command.arg(format!("ws://{address}")).stdin(Stdio::piped());
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    thread::sleep(Duration::from_millis(200));
    drop(server); // it ends when the client does
    assert!(wait(&mut child), "although its standard input is open");
    let mut said = String::new();
    child.stderr.unwrap().read_to_string(&mut said).unwrap();
    assert!(
        said.contains("closed by the peer") && said.contains("bye"),
        "{said}"
    );

    let echo = Echo::start("echo", &["--quiet"]);
    let mut command = example("client");
    command
        .arg(echo.url())
        .args(["a"; 100])
        .stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(wait(&mut child));
    let mut said = String::new();
    child.stderr.unwrap().read_to_string(&mut said).unwrap();
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn sans_io_runs_to_its_end() {
    let output = run(example("sans_io"), Vec::new());
    assert!(output.status.success(), "{}", stderr(&output));
    let lines: HashSet<&str> = stdout(&output).lines().collect();
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("client: closed by"))
    );
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("server: closed by"))
    );
}

#[test]
fn autobahn_clients_explain_themselves() {
    let names: &[&str] = &[
        "autobahn_client",
        #[cfg(feature = "tokio")]
        "autobahn_client_tokio",
    ];
    for name in names {
        let output = run(example(name), Vec::new());
        assert!(!output.status.success());
        assert!(stderr(&output).starts_with(&format!("usage: {name} URL")));
    }
}
