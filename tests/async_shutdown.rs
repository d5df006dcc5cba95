//! Closing many connections at once: who is told, who is waited for, who is left.
#![cfg(all(feature = "tokio", feature = "futures"))]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "tests have std, and a panic is how they fail"
)]

use std::future::{pending, ready};
use std::sync::Arc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use fullduplex::asynchronous::Shutdown;
use fullduplex::{
    CloseCode, Config, Connection, Error, Inbox, Initiator, MaskKeys, Message, Outcome,
    ReceiveError, SendError,
};
use tokio::io::{AsyncReadExt, DuplexStream};
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{Instant, sleep};

type Socket = fullduplex::tokio::WebSocket<DuplexStream>;

/// Both ends of a connection whose transport holds `size` bytes each way.
fn pair(size: usize) -> (Socket, Socket) {
    let (here, there) = tokio::io::duplex(size);
    let config = Config::default();
    let client = Connection::client(&config, MaskKeys::thread());
    let server = Connection::server(&config);
    (
        Socket::new(here, client, Inbox::new()),
        Socket::new(there, server, Inbox::new()),
    )
}

/// Receives to the end.
async fn drain(mut socket: Socket) -> (Vec<Message>, Outcome) {
    let mut messages = Vec::new();
    while let Ok(Some(message)) = socket.recv().await {
        messages.push(message);
    }
    (messages, socket.outcome().unwrap())
}

/// A server's connection that receives in a task of its own, and its client's end.
fn attached(shutdown: &Shutdown) -> (Socket, JoinHandle<(Vec<Message>, Outcome)>) {
    let (client, mut server) = pair(1024);
    server.close_on(shutdown);
    (client, tokio::spawn(drain(server)))
}

fn assert_told(outcome: &Outcome, code: CloseCode, reason: &str) {
    assert!(outcome.clean, "{outcome:?}");
    assert_eq!(outcome.initiator, Initiator::Remote);
    let frame = outcome.received.as_ref().unwrap();
    assert_eq!((frame.code, &*frame.reason), (code, reason));
}

#[tokio::test(start_paused = true)]
async fn all_are_closed_and_waited_for() {
    let shutdown = Shutdown::new();
    let pairs: Vec<_> = (0..50).map(|_| attached(&shutdown)).collect();
    yield_now().await; // all wait
    assert_eq!((shutdown.left(), shutdown.has_begun()), (50, false));
    assert_eq!(shutdown.finished(ready(())).await, 50);

    let (clients, servers): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
    let clients: Vec<_> = clients.into_iter().map(drain).map(tokio::spawn).collect();
    let code = CloseCode::SERVICE_RESTART;
    shutdown.close_all(code, "back soon").unwrap();
    assert!(shutdown.has_begun());
    let started = Instant::now();
    assert_eq!(shutdown.finished(sleep(Duration::from_secs(60))).await, 0);
    assert_eq!(started.elapsed(), Duration::ZERO, "nobody had to time out");
    for client in clients {
        assert_told(&client.await.unwrap().1, code, "back soon");
    }
    for server in servers {
        let (_, outcome) = server.await.unwrap();
        assert!(outcome.clean && outcome.initiator == Initiator::Local);
    }
    assert_eq!(shutdown.left(), 0);
    assert_eq!(shutdown.finished(pending::<()>()).await, 0);
}

/// The count that is left says who was cut off, and the deadline of the closing handshake still
/// holds for them.
#[tokio::test(start_paused = true)]
async fn who_does_not_answer_is_left() {
    let shutdown = Shutdown::new();
    let (client, server) = attached(&shutdown);
    let (_silent, unanswered) = attached(&shutdown);
    let client = tokio::spawn(drain(client));
    yield_now().await;
    shutdown.close_all(CloseCode::GOING_AWAY, "").unwrap();
    assert_eq!(shutdown.finished(sleep(Duration::from_secs(1))).await, 1);
    assert_told(&client.await.unwrap().1, CloseCode::GOING_AWAY, "");
    server.await.unwrap();
    assert!(!unanswered.is_finished());

    assert_eq!(shutdown.finished(pending::<()>()).await, 0);
    let (_, outcome) = unanswered.await.unwrap();
    assert_eq!(outcome.cause, Some(ReceiveError::CloseTimeout));
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_late_is_closed_at_once() {
    let shutdown = Shutdown::new();
    shutdown.close_all(CloseCode::GOING_AWAY, "late").unwrap();
    let (client, mut server) = pair(1024);
    server.close_on(&shutdown);
    assert_eq!(
        server.connection().send_text("no"),
        Err(SendError::Closed),
        "before anything is polled"
    );
    assert_eq!(shutdown.left(), 1);
    let (client, _) = tokio::join!(drain(client), drain(server));
    assert_told(&client.1, CloseCode::GOING_AWAY, "late");
    assert_eq!(shutdown.left(), 0);

    // The same for a half, whose other half waits already.
    let (client, server) = pair(1024);
    let (mut reader, mut writer) = server.split();
    let client = tokio::spawn(drain(client));
    let receiving = tokio::spawn(async move { reader.recv().await });
    yield_now().await;
    writer.close_on(&shutdown);
    assert_eq!(receiving.await.unwrap().unwrap(), None);
    assert_told(&client.await.unwrap().1, CloseCode::GOING_AWAY, "late");
}

/// Connections that end, are dropped, are taken apart or go elsewhere are not waited for.
#[tokio::test(start_paused = true)]
async fn what_is_gone_is_not_left() {
    let shutdown = Shutdown::new();
    let mut servers = Vec::new();
    let mut clients = Vec::new();
    for _ in 0..4 {
        let (client, mut server) = pair(1024);
        server.close_on(&shutdown);
        server.close_on(&shutdown); // which is no second one
        servers.push(server);
        clients.push(client);
    }
    assert_eq!(shutdown.left(), 4);
    drop(servers.remove(1));
    assert_eq!(shutdown.left(), 3);
    drop(servers.remove(0).into_parts());
    assert_eq!(shutdown.left(), 2);
    let other = Shutdown::new();
    servers[0].close_on(&other);
    assert_eq!((shutdown.left(), other.left()), (1, 1));

    // It ended, though its value still lives.
    drop(clients.pop());
    let mut ended = servers.pop().unwrap();
    assert!(ended.recv().await.is_err());
    assert_eq!(shutdown.left(), 0);
    drop(ended);

    // Places are given again, and each still reaches its own.
    let (client, server) = attached(&shutdown);
    let (client_2, server_2) = attached(&shutdown);
    drop(client);
    server.await.unwrap();
    let (client_3, server_3) = attached(&shutdown);
    let clients = [client_2, client_3].map(|client| tokio::spawn(drain(client)));
    yield_now().await;
    shutdown.close_all(CloseCode::GOING_AWAY, "").unwrap();
    assert_eq!(shutdown.finished(pending::<()>()).await, 0);
    for client in clients {
        assert_told(&client.await.unwrap().1, CloseCode::GOING_AWAY, "");
    }
    server_2.await.unwrap();
    server_3.await.unwrap();
    assert_eq!(other.left(), 1, "another shutdown is another matter");
}

/// Dropping the last connection wakes everyone who waits for it.
#[tokio::test(start_paused = true)]
async fn the_last_drop_wakes_all_who_wait() {
    let shutdown = Shutdown::new();
    let (_client, mut server) = pair(1024);
    server.close_on(&shutdown);
    let waiting: Vec<_> = (0..3)
        .map(|_| {
            let shutdown = shutdown.clone();
            tokio::spawn(async move { shutdown.finished(pending::<()>()).await })
        })
        .collect();
    yield_now().await;
    assert!(waiting.iter().all(|task| !task.is_finished()));
    drop(server);
    for task in waiting {
        assert_eq!(task.await.unwrap(), 0);
    }
}

/// What was fed before goes out before the Close frame, what still comes is delivered, and nothing
/// follows the Close frame.
#[tokio::test(start_paused = true)]
async fn closing_is_graceful_for_messages() {
    let shutdown = Shutdown::new();
    let (mut client, mut server) = pair(1024);
    server.close_on(&shutdown);
    server.feed("before").await.unwrap();
    shutdown.close_all(CloseCode::GOING_AWAY, "").unwrap();
    client.send("on its way").await.unwrap();
    assert_eq!(
        server.recv().await.unwrap(),
        Some(Message::text("on its way"))
    );
    let Err(Error::Unsent(unsent)) = server.send("after").await else {
        panic!("a message after the Close frame");
    };
    assert_eq!(unsent.error, SendError::Closed);
    let (client, server) = tokio::join!(drain(client), drain(server));
    assert_eq!(client.0, [Message::text("before")]);
    assert_told(&client.1, CloseCode::GOING_AWAY, "");
    assert!(server.0.is_empty() && server.1.clean);
}

/// However it was attached, a connection is one, and both of its halves see its end.
#[tokio::test(start_paused = true)]
async fn halves_are_closed_together() {
    for attach_half in [false, true] {
        let shutdown = Shutdown::new();
        let (client, mut server) = pair(1024);
        if !attach_half {
            server.close_on(&shutdown);
        }
        let (mut reader, mut writer) = server.split();
        if attach_half {
            writer.close_on(&shutdown);
        }
        assert_eq!(shutdown.left(), 1);
        let client = tokio::spawn(drain(client));
        let receiving = tokio::spawn(async move {
            let end = reader.recv().await;
            (reader, end)
        });
        yield_now().await;
        shutdown.close_all(CloseCode::GOING_AWAY, "halves").unwrap();
        assert_eq!(shutdown.finished(pending::<()>()).await, 0);
        let (reader, end) = receiving.await.unwrap();
        assert_eq!(end.unwrap(), None);
        assert!(matches!(writer.send("late").await, Err(Error::Unsent(_))));
        assert_told(&client.await.unwrap().1, CloseCode::GOING_AWAY, "halves");
        let server = reader.reunite(writer).unwrap();
        assert!(server.outcome().unwrap().clean);
    }
}

/// A task that waits for a peer to take what it sends learns of the end as well, and the Close frame
/// follows the message that was under way. Nobody receives here.
#[tokio::test(start_paused = true)]
async fn a_task_that_only_sends_is_told() {
    for split in [false, true] {
        let shutdown = Shutdown::new();
        let (client, mut server) = pair(16);
        server.close_on(&shutdown);
        let (sending, reader) = if split {
            let (reader, mut writer) = server.split();
            let sending = async move { (writer.send(vec![7; 500]).await, writer.send("no").await) };
            (tokio::spawn(sending), Some(reader))
        } else {
            let sending = async move { (server.send(vec![7; 500]).await, server.send("no").await) };
            (tokio::spawn(sending), None)
        };
        yield_now().await;
        assert!(!sending.is_finished());
        shutdown.close_all(CloseCode::GOING_AWAY, "").unwrap();
        assert_eq!(shutdown.finished(ready(())).await, 1);
        // The peer reads at last.
        let mut stream = client.into_parts().0;
        let mut bytes = vec![0; 4 + 500 + 4];
        stream.read_exact(&mut bytes).await.unwrap();
        assert_eq!(bytes[..4], *b"\x82\x7e\x01\xf4");
        assert_eq!(bytes[504..], *b"\x88\x02\x03\xe9");
        let (first, second) = sending.await.unwrap();
        first.unwrap();
        assert!(matches!(second, Err(Error::Unsent(_))));
        drop(reader);
        assert_eq!(shutdown.finished(pending::<()>()).await, 0);
    }
}

#[tokio::test]
async fn only_the_first_call_counts_if_it_can_be_sent() {
    let shutdown = Shutdown::new();
    for code in [
        CloseCode::NO_STATUS,
        CloseCode::ABNORMAL,
        CloseCode::MANDATORY_EXTENSION,
    ] {
        let refused = shutdown.close_all(code, "");
        assert_eq!(refused, Err(SendError::InvalidCloseCode(code)));
    }
    let refused = shutdown.close_all(CloseCode::GOING_AWAY, &"x".repeat(124));
    assert_eq!(refused, Err(SendError::ReasonTooLong(124)));
    assert!(!shutdown.has_begun());

    let longest = "x".repeat(123);
    shutdown.close_all(CloseCode::GOING_AWAY, &longest).unwrap();
    shutdown.close_all(CloseCode::NORMAL, "again").unwrap();
    let (client, _server) = attached(&shutdown);
    assert_told(&drain(client).await.1, CloseCode::GOING_AWAY, &longest);
}

/// A connection that waits costs the shutdown no wake-ups, and is polled only when it begins.
#[tokio::test(start_paused = true)]
async fn nobody_is_woken_before_it_begins() {
    let shutdown = Shutdown::new();
    let (_client, mut server) = pair(1024);
    server.close_on(&shutdown);
    let mut task = by_hand(async move { server.recv().await.map(|_| ()) });
    assert!(task.poll().is_pending() && !task.is_woken());
    let (_other, mut another) = pair(1024);
    another.close_on(&shutdown);
    drop(another);
    assert!(!task.is_woken());
    shutdown.close_all(CloseCode::GOING_AWAY, "").unwrap();
    assert!(task.is_woken());
}

/// Connections of many threads, attached while another thread begins: each of them is closed,
/// whichever comes first.
#[test]
fn attaching_and_closing_may_race() {
    for _ in 0..50 {
        let shutdown = Shutdown::new();
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let shutdown = shutdown.clone();
                thread::spawn(move || {
                    runtime().block_on(async {
                        for _ in 0..5 {
                            let (client, server) = attached(&shutdown);
                            let client = tokio::spawn(drain(client));
                            yield_now().await;
                            if !shutdown.has_begun() {
                                continue; // nobody waits for the tasks: they end with the runtime
                            }
                            assert!(client.await.unwrap().1.clean);
                            assert!(server.await.unwrap().1.clean);
                        }
                        shutdown.finished(pending::<()>()).await
                    })
                })
            })
            .collect();
        shutdown.close_all(CloseCode::GOING_AWAY, "").unwrap();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), 0);
        }
    }
}

/// One shutdown for both adapters; the deadline is a timer of whatever runtime waits.
#[test]
fn futures_connections_take_part() {
    use fullduplex::futures::{self as ws, Shutdown};
    use fullduplex::handshake::{OriginPolicy, client::Request, server::Options};
    use smol::net::{TcpListener, TcpStream};

    let shutdown = Shutdown::new();
    let (_client, mut other) = pair(1024);
    other.close_on(&shutdown);
    smol::block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepting = smol::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let options = Options::new(OriginPolicy::any());
            ws::accept(stream, &options).await.unwrap()
        });
        let stream = TcpStream::connect(address).await.unwrap();
        let request = Request::new(&format!("ws://{address}/")).unwrap();
        let config = Config::default();
        let connected = ws::connect_over(stream, request, &config).await.unwrap();
        let mut client = connected.socket;
        let mut server = accepting.await;
        server.close_on(&shutdown);
        let server = smol::spawn(async move { server.recv().await });
        let client = smol::spawn(async move {
            assert_eq!(client.recv().await.unwrap(), None);
            client.outcome().unwrap()
        });
        shutdown.close_all(CloseCode::GOING_AWAY, "smol").unwrap();
        assert_told(&client.await, CloseCode::GOING_AWAY, "smol");
        assert_eq!(server.await.unwrap(), None);
        let deadline = smol::Timer::after(Duration::from_millis(1));
        assert_eq!(shutdown.finished(deadline).await, 1, "the other adapter's");
        drop(other);
        assert_eq!(shutdown.finished(pending::<()>()).await, 0);
    });
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// A task that is polled by hand, and tells whether it was woken.
struct Task<F> {
    future: std::pin::Pin<Box<F>>,
    woken: Arc<Woken>,
}

#[derive(Default)]
struct Woken(std::sync::atomic::AtomicBool);

impl std::task::Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, std::sync::atomic::Ordering::SeqCst);
    }
}

fn by_hand<F: Future>(future: F) -> Task<F> {
    Task {
        future: Box::pin(future),
        woken: Arc::default(),
    }
}

impl<F: Future> Task<F> {
    fn poll(&mut self) -> Poll<F::Output> {
        let waker = std::task::Waker::from(Arc::clone(&self.woken));
        let mut context = std::task::Context::from_waker(&waker);
        self.future.as_mut().poll(&mut context)
    }

    fn is_woken(&self) -> bool {
        self.woken.0.load(std::sync::atomic::Ordering::SeqCst)
    }
}
