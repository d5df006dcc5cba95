//! A peer that breaks the rules: what the examples answer to each way of doing so, over TCP.
//!
//! Each case has a name and the ids of the rules and attacks that it is an example of. What came
//! before the violation is answered, what comes behind it is not, and a peer that waits in vain
//! fails instead of hanging.
#![cfg(all(feature = "std", unix))]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "tests have std, and a panic is how they fail"
)]

#[path = "../common/mod.rs"]
mod common;
mod frames;
mod requests;
mod responses;
mod texts;

use std::collections::HashSet;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::JoinHandle;

use common::handshake::{REQUEST, head};
use common::net::{consent, patient, raw, read_head, read_to_end};
use common::pair::{CLOSE, Frame, PONG, TEXT, close_to, frame_to, parse_frames};
use common::programs::{Echo, example, run, stderr, stdout};
use frames::Violation;
use fullduplex::blocking;
use fullduplex::{CloseCode, Message, Role};
use requests::{BadRequest, requests};
use responses::{BadResponse, RESPONSES};

/// Whose answers have to be the same.
const SERVERS: &[&str] = &[
    "echo",
    "echo_mio",
    #[cfg(feature = "tokio")]
    "echo_tokio",
];

/// How a violation gets to the peer.
#[derive(Clone, Copy, Debug)]
enum Way {
    Alone,
    /// With more behind it.
    Followed,
    ByteByByte,
}

/// So many bytes are worth to be sent one by one.
const FEW: usize = 40;

/// All that is sent to an open connection, by its peer.
fn violations(role: Role) -> Vec<Violation> {
    [frames::violations(role), texts::violations(role)]
        .into_iter()
        .flatten()
        .collect()
}

/// Has each case tried, and names all that fail.
fn try_all<T>(cases: &[T], name: impl Fn(&T) -> String, mut attempt: impl FnMut(&T)) {
    let mut failed = Vec::new();
    for case in cases {
        if catch_unwind(AssertUnwindSafe(|| attempt(case))).is_err() {
            failed.push(name(case));
        }
    }
    assert!(failed.is_empty(), "{} failed: {failed:#?}", failed.len());
}

/// R6455-7.1.7-01, R6455-10.7-01: there is no case without its rule, and no two have one name.
#[test]
fn at_least_150_violations_have_a_name() {
    let mut names: Vec<(String, &str)> = Vec::new();
    let to_server = violations(Role::Server);
    let to_client = violations(Role::Client);
    for (role, cases) in [("server", &to_server), ("client", &to_client)] {
        let all = cases.iter();
        names.extend(all.map(|case| (format!("{role}: {}", case.name), case.ids)));
    }
    let requests = requests();
    let all = requests.iter();
    names.extend(all.map(|case| (format!("request: {}", case.name), case.ids)));
    let all = RESPONSES.iter();
    names.extend(all.map(|case| (format!("response: {}", case.name), case.ids)));
    assert!(names.iter().all(|(_, ids)| !ids.is_empty()));
    let distinct: HashSet<&String> = names.iter().map(|(name, _)| name).collect();
    assert_eq!(distinct.len(), names.len());
    println!(
        "{} violations by frames to a server, {} to a client, {} by requests, {} by responses",
        to_server.len(),
        to_client.len(),
        requests.len(),
        RESPONSES.len()
    );
    // Each kind, and those that a server meets alone.
    assert!(to_server.len() >= 150 && to_client.len() >= 150);
    assert!(requests.len() >= 100 && RESPONSES.len() >= 40);
}

/// R6455-7.1.7-01, R6455-7.1.7-02: the message before is echoed, the Close frame has the code, nothing
/// comes after it, and then the server ends the connection.
#[test]
fn servers_answer_bad_frames() {
    for server in SERVERS {
        let echo = Echo::start(server, &["--quiet"]);
        let name = |case: &Violation| format!("{server}: {} ({})", case.name, case.ids);
        try_all(&violations(Role::Server), name, |case| {
            fail(&echo, &head(REQUEST), case);
        });
        still_serves(&echo);
        assert_eq!(echo.end(), "");
    }
}

/// As above, where compression was agreed on.
#[cfg(feature = "deflate")]
#[test]
fn servers_answer_bad_compression() {
    let offer = ["Sec-WebSocket-Extensions: permessage-deflate"];
    let request = head(common::handshake::replaced(
        &REQUEST,
        "Sec-WebSocket-Extensions",
        &offer,
    ));
    for server in SERVERS {
        let echo = Echo::start(server, &["--quiet", "--deflate=takeover"]);
        let name = |case: &Violation| format!("{server}: {} ({})", case.name, case.ids);
        let cases = texts::compressed(Role::Server);
        assert!(cases.len() >= 18);
        try_all(&cases, name, |case| fail(&echo, &request, case));
        still_serves(&echo);
        assert_eq!(echo.end(), "");
    }
}

fn fail(echo: &Echo, request: &[u8], case: &Violation) {
    for way in [Way::Alone, Way::Followed, Way::ByteByByte] {
        let mut bytes = [frame_to(Role::Server, TEXT, b"hello"), case.bytes.clone()].concat();
        match way {
            Way::Alone => {}
            Way::Followed => {
                bytes.extend(frame_to(Role::Server, TEXT, b"never"));
                bytes.extend(close_to(Role::Server, 1000, ""));
            }
            Way::ByteByByte if case.bytes.len() <= FEW => {}
            Way::ByteByByte => continue,
        }
        let mut stream = patient(TcpStream::connect(&echo.address).unwrap());
        stream.write_all(request).unwrap();
        let answer = read_head(&mut stream);
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
        let size = match way {
            Way::ByteByByte => 1,
            _ => bytes.len(),
        };
        for piece in bytes.chunks(size) {
            stream.write_all(piece).unwrap();
        }
        let answer = read_to_end(&mut stream);
        check(&answer, Role::Server, case, way);
    }
}

/// The echo of what came before, unless compression makes it another, and the Close frame.
fn check(answer: &[u8], role: Role, case: &Violation, way: Way) {
    let what = format!("{} ({way:?}): {}", case.name, answer.escape_ascii());
    let (mut frames, rest) = parse_frames(answer);
    assert_eq!(rest, b"", "{what}");
    // A Ping before the violation may be answered or not.
    frames.retain(|frame| frame.first != PONG);
    let closing = frames.pop().expect(&what);
    assert_eq!(closing.first, CLOSE, "{what}");
    assert_eq!(closing.payload[..2], case.code.to_be_bytes(), "{what}");
    let reason = std::str::from_utf8(&closing.payload[2..]).expect(&what);
    assert!(!reason.is_empty(), "{what}");
    match role {
        Role::Server => {
            assert_eq!(frames.len(), 1, "{what}");
            let hello = frames[0].first == TEXT && frames[0].payload == b"hello";
            // Its echo may be compressed.
            assert!(hello || frames[0].first == 0xc1, "{what}");
        }
        // What it had to say before it met the violation.
        Role::Client => {
            let masked = |frame: &Frame| frame.key.is_some();
            assert!(masked(&closing) && frames.iter().all(masked), "{what}");
            let said: Vec<_> = frames.iter().map(|frame| &frame.payload[..]).collect();
            assert!([&b"a"[..], b"b"].starts_with(&said), "{what}");
        }
    }
}

fn still_serves(echo: &Echo) {
    let mut socket = blocking::connect(&echo.url()).unwrap();
    let message = Message::text("still there?");
    socket.send(message.clone()).unwrap();
    assert_eq!(socket.recv().unwrap(), Some(message));
    assert!(socket.close(CloseCode::NORMAL, "").unwrap().clean);
}

/// R6455-4.2.2-02, R6455-7.2.2-01: a request that is no handshake has its status, what belongs to
/// it, and the end of the connection for an answer; what comes behind it has none.
#[test]
fn servers_answer_bad_requests() {
    for server in SERVERS {
        let echo = Echo::start(server, &["--quiet"]);
        let name = |case: &BadRequest| format!("{server}: {} ({})", case.name, case.ids);
        try_all(&requests(), name, |case| {
            refuse(&echo, case, Way::Alone);
            refuse(&echo, case, Way::Followed);
        });
        still_serves(&echo);
        assert_eq!(echo.end(), "");
    }
}

fn refuse(echo: &Echo, case: &BadRequest, way: Way) {
    let mut stream = patient(TcpStream::connect(&echo.address).unwrap());
    // Who sends much may be cut off in the middle of it.
    let _ = stream.write_all(&case.bytes);
    if let Way::Followed = way {
        let _ = stream.write_all(&head(REQUEST));
    }
    let answer = read_to_end(&mut stream);
    let shown = answer.escape_ascii();
    let mut slots = [httparse::EMPTY_HEADER; 16];
    let mut response = httparse::Response::new(&mut slots);
    let length = response.parse(&answer).unwrap().unwrap();
    assert_eq!(response.code, Some(case.status), "{shown}");
    let value = |name: &str| {
        let mut found = response.headers.iter();
        let header = found.find(|header| header.name.eq_ignore_ascii_case(name));
        std::str::from_utf8(header.unwrap_or_else(|| panic!("{name}: {shown}")).value).unwrap()
    };
    for (name, element) in [&[("Connection", "close")], case.fields].concat() {
        let found = value(name).split(", ").any(|found| found == element);
        assert!(found, "{name}: {shown}");
    }
    let announced: usize = value("Content-Length").parse().unwrap();
    assert_eq!(answer.len() - length, announced, "one answer: {shown}");
}

/// A server that sends `answer` behind its consent, and what it gets, up to the end.
fn misbehaving(answer: Vec<u8>) -> (SocketAddr, JoinHandle<Vec<u8>>) {
    serve(move |head| [consent(head).as_bytes(), &answer].concat())
}

fn serve(
    answer: impl FnOnce(&str) -> Vec<u8> + Send + 'static,
) -> (SocketAddr, JoinHandle<Vec<u8>>) {
    raw(move |mut stream| {
        let head = read_head(&mut stream);
        // The client may be gone before it has got everything.
        let _ = stream.write_all(&answer(&head));
        let _ = stream.shutdown(std::net::Shutdown::Write);
        read_to_end(&mut stream)
    })
}

/// The example `client` sends two messages, has time for one, and ends in failure.
fn client(address: SocketAddr) -> (String, String) {
    let mut command = example("client");
    command.arg(format!("ws://{address}/")).args(["a", "b"]);
    let output = run(command, Vec::new());
    assert!(!output.status.success(), "{}", stderr(&output));
    assert!(!stderr(&output).contains("panicked"), "{}", stderr(&output));
    (stdout(&output).to_owned(), stderr(&output).to_owned())
}

/// R6455-7.1.7-01: the client prints what came before, tells the server why it goes, and fails.
#[test]
fn the_client_answers_bad_frames() {
    let name = |case: &Violation| format!("client: {} ({})", case.name, case.ids);
    try_all(&violations(Role::Client), name, |case| {
        let answer = [frame_to(Role::Client, TEXT, b"hello"), case.bytes.clone()];
        let (address, serving) = misbehaving(answer.concat());
        let (said, log) = client(address);
        assert_eq!(said, "hello\n", "{}", case.name);
        assert!(log.contains("\nfailed: "), "{}: {log}", case.name);
        check(&serving.join().unwrap(), Role::Client, case, Way::Alone);
    });
}

/// R6455-4.1-24: the client says what is wrong with the response, and sends nothing more.
#[test]
fn the_client_refuses_bad_responses() {
    let name = |case: &BadResponse| format!("client: {} ({})", case.name, case.ids);
    try_all(RESPONSES, name, |case| {
        let (address, serving) = answering(case);
        let (said, log) = client(address);
        assert_eq!(said, "", "{}", case.name);
        assert!(log.contains(case.said), "{}: {log}", case.name);
        assert_eq!(serving.join().unwrap(), b"", "{}", case.name);
    });
}

/// Its answer is followed by a frame, which nobody is to read as such.
fn answering(case: &BadResponse) -> (SocketAddr, JoinHandle<Vec<u8>>) {
    let answer = case.answer;
    serve(move |head| {
        let consent = consent(head);
        let lines = consent.strip_suffix("\r\n").unwrap();
        [answer(lines).as_bytes(), b"\x81\x05never"].concat()
    })
}

/// The same as of the example, for clients under tokio.
#[cfg(feature = "tokio")]
mod under_tokio {
    use std::net::SocketAddr;

    use super::common::tokio::in_time;
    use super::*;
    use fullduplex::handshake::client::Request;
    use fullduplex::tokio::{WebSocket, connect_over};
    use fullduplex::{Config, Error};
    use tokio::net::TcpStream;
    use tokio::runtime::Builder;

    async fn connect(address: SocketAddr) -> Result<WebSocket<TcpStream>, Error> {
        let request = Request::new(&format!("ws://{address}/")).unwrap();
        let stream = TcpStream::connect(address).await?;
        let connected = in_time(connect_over(stream, request, &Config::default())).await?;
        Ok(connected.socket)
    }

    /// R6455-7.1.7-01
    #[test]
    fn clients_answer_bad_frames() {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let name = |case: &Violation| format!("{} ({})", case.name, case.ids);
        try_all(&violations(Role::Client), name, |case| {
            let answer = [frame_to(Role::Client, TEXT, b"hello"), case.bytes.clone()];
            let (address, serving) = misbehaving(answer.concat());
            runtime.block_on(async {
                let mut socket = connect(address).await.unwrap();
                socket.feed("a").await.unwrap();
                let hello = in_time(socket.recv()).await.unwrap();
                assert_eq!(hello, Some(Message::text("hello")));
                for _ in 0..2 {
                    let error = in_time(socket.recv()).await.unwrap_err();
                    let Error::Receive(error) = error else {
                        panic!("{}: {error:?}", case.name);
                    };
                    let code = error.close_code().map(u16::from);
                    assert_eq!(code, Some(case.code), "{}: {error:?}", case.name);
                }
            });
            check(&serving.join().unwrap(), Role::Client, case, Way::Alone);
        });
    }

    /// R6455-4.1-24
    #[test]
    fn clients_refuse_bad_responses() {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let name = |case: &BadResponse| format!("{} ({})", case.name, case.ids);
        try_all(RESPONSES, name, |case| {
            let (address, serving) = answering(case);
            let error = runtime.block_on(connect(address)).unwrap_err().to_string();
            assert!(error.contains(case.said), "{}: {error}", case.name);
            assert_eq!(serving.join().unwrap(), b"", "{}", case.name);
        });
    }
}
