//! Two ends flood each other through small sockets, with delays wherever a thread takes a lock or
//! leaves it.

use std::cell::Cell;
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::blocking::{Error, Reader, Sender, WebSocket, Writer};
use crate::connection::{Config, Connection, Event, Inbox, MaskKeys, Outcome};
use crate::frame::CloseCode;
use crate::message::Message;

/// So much is queued at most, beside one message and what a control frame takes.
const MAX_OUTGOING: usize = 16 * 1024;
const LARGEST: usize = 5000;
const SENDERS: u8 = 2;

/// So many messages of each are more than the sockets and queues between two ends hold.
const FLOOD: u32 = 50;

thread_local! {
    static DELAYS: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Where a lock is taken or left: stops threads that take part in a flood, now and then.
pub(in crate::blocking::split) fn delay() {
    let Some(seed) = DELAYS.get() else { return };
    let next = seed
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    DELAYS.set(Some(next));
    match next >> 60 {
        0 => thread::sleep(Duration::from_micros((next >> 40) % 200)),
        1..4 => thread::yield_now(),
        _ => {}
    }
}

fn delayed<T: Send + 'static>(
    seed: u64,
    run: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    thread::spawn(move || {
        DELAYS.set(Some(seed));
        run()
    })
}

/// Two sockets that hold as little as the system allows.
fn sockets() -> (TcpStream, TcpStream) {
    let small = || {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_send_buffer_size(4096).unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        socket
    };
    let listener = small();
    let any: std::net::SocketAddr = "127.0.0.1:0".parse().unwrap();
    listener.bind(&any.into()).unwrap();
    listener.listen(1).unwrap();
    let listener = TcpListener::from(listener);
    let client = small();
    let address = listener.local_addr().unwrap();
    client.connect(&address.into()).unwrap();
    let client = TcpStream::from(client);
    let (server, _) = listener.accept().unwrap();
    for socket in [&client, &server] {
        socket.set_nodelay(true).unwrap();
    }
    (client, server)
}

fn config() -> Config {
    let mut config = Config::default();
    config.limits.max_outgoing = MAX_OUTGOING;
    config
}

fn client_connection() -> Connection {
    Connection::client(&config(), MaskKeys::seeded([1; 32]))
}

fn server_connection() -> Connection {
    Connection::server(&config())
}

/// A few seconds, or as many as the environment says.
fn duration() -> Duration {
    let seconds = std::env::var("FULLDUPLEX_FLOOD_SECONDS");
    Duration::from_secs(seconds.map_or(2, |seconds| seconds.parse().unwrap()))
}

/// What one end has seen when everything is over.
struct Seen {
    outcome: Outcome,
    received: u32,
    pongs: u32,
}

fn payload(sender: u8, number: u32) -> Vec<u8> {
    let length = 5 + number.wrapping_mul(2_654_435_761) as usize % (LARGEST - 5);
    let mut payload = vec![sender ^ number.to_be_bytes()[3]; length];
    payload[0] = sender;
    payload[1..5].copy_from_slice(&number.to_be_bytes());
    payload
}

/// Sends numbered messages until the time is up, and tells how many: a flood, on a slow machine too.
fn send(sender: &Sender, id: u8, until: Instant) -> u32 {
    let mut number = 0;
    while number < FLOOD || Instant::now() < until {
        sender.send(payload(id, number)).unwrap();
        let queued = sender.queued();
        assert!(
            queued < MAX_OUTGOING + LARGEST + 2048,
            "{queued} are queued"
        );
        number += 1;
    }
    number
}

/// One Ping after the other, each when the one before has been answered.
fn ping(sender: &Sender, answers: &mpsc::Receiver<u32>, until: Instant) -> u32 {
    let mut number = 0;
    while number < 3 || Instant::now() < until {
        sender.ping(&u32::to_be_bytes(number)).unwrap();
        let answer = answers.recv_timeout(Duration::from_secs(30));
        assert_eq!(answer.expect("a Pong"), number);
        number += 1;
    }
    number
}

/// Floods and receives, and closes as the client when both are done.
fn flood<R, W>(
    seed: u64,
    (mut reader, sender, writer): (Reader<R>, Sender, Writer<W>),
    closes: bool,
) -> Seen
where
    R: std::io::Read + Send + 'static,
    W: std::io::Write + Send + 'static,
{
    let until = Instant::now() + duration();
    let writing = delayed(seed, || writer.run());
    let (answered, answers) = mpsc::channel();
    let pinger = sender.clone();
    let pinging = delayed(seed + 1, move || ping(&pinger, &answers, until));
    let sending: Vec<_> = (0..SENDERS)
        .map(|id| {
            let sender = sender.clone();
            delayed(seed + 2 + u64::from(id), move || send(&sender, id, until))
        })
        .collect();
    let (ended, peer_ended) = mpsc::channel();
    let reading = delayed(seed + 8, move || {
        let mut next = [0; SENDERS as usize];
        let mut expected = None;
        while let Some(event) = reader.next_event().unwrap() {
            match event {
                Event::Binary(bytes) => {
                    let id = bytes[0];
                    let number = &mut next[usize::from(id)];
                    assert!(*bytes == *payload(id, *number), "sender {id}, {number}");
                    *number += 1;
                }
                Event::Text(text) => {
                    let counts: Vec<u32> = text.split(' ').map(|n| n.parse().unwrap()).collect();
                    expected = Some(counts);
                    let _ = ended.send(());
                }
                // The flood may be over when it comes.
                Event::Pong(number) => {
                    let _ = answered.send(u32::from_be_bytes(number.try_into().unwrap()));
                }
                _ => {}
            }
        }
        assert_eq!(expected.as_deref(), Some(&next[..]), "messages are lost");
        (reader, next.iter().sum::<u32>())
    });
    let pongs = pinging.join().unwrap();
    let sent: Vec<_> = sending
        .into_iter()
        .map(|t| t.join().unwrap().to_string())
        .collect();
    sender.send(Message::text(sent.join(" "))).unwrap();
    if closes {
        peer_ended.recv().unwrap();
        sender.close(CloseCode::NORMAL, "").unwrap();
    }
    let (reader, received) = reading.join().unwrap();
    let outcome = writing.join().unwrap();
    assert_eq!(reader.outcome(), Some(outcome.clone()));
    Seen {
        outcome,
        received,
        pongs,
    }
}

/// Splits both ends, floods, and compares what they have seen.
fn both<R, W>(
    client: impl FnOnce() -> Result<(Reader<R>, Sender, Writer<W>), Error> + Send + 'static,
    server: impl FnOnce() -> Result<(Reader<R>, Sender, Writer<W>), Error> + Send + 'static,
) where
    R: std::io::Read + Send + 'static,
    W: std::io::Write + Send + 'static,
{
    let (done, wait) = mpsc::channel();
    thread::spawn(move || {
        let other = thread::spawn(|| flood(100, server().unwrap(), false));
        let client = flood(200, client().unwrap(), true);
        let _ = done.send([client, other.join().unwrap()]);
    });
    let seen = wait.recv_timeout(duration() + Duration::from_secs(60));
    let seen = seen.expect("they wait for each other, or an end has failed");
    for end in seen {
        assert!(end.outcome.clean, "{}", end.outcome);
        assert!(end.received >= FLOOD * u32::from(SENDERS) && end.pongs > 2);
        eprintln!("{} messages, {} Pongs", end.received, end.pongs);
    }
}

/// R6455-5.5.2-01: nothing is lost or out of order, the queues keep their bounds, and each Ping is
/// answered while both ends write as much as they can.
#[test]
fn two_floods_over_tcp() {
    let (client, server) = sockets();
    both(
        || WebSocket::new(client, client_connection(), Inbox::new()).split(),
        || WebSocket::new(server, server_connection(), Inbox::new()).split(),
    );
}

#[cfg(any(feature = "platform-roots", feature = "bundled-roots"))] // which bring a crypto provider
mod tls {
    use std::sync::Arc;

    use rustls::crypto::ring;
    use rustls::pki_types::{PrivateKeyDer, ServerName};
    use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
    use rustls::{StreamOwned, SupportedProtocolVersion};

    use super::*;

    fn flood(version: &'static SupportedProtocolVersion) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let provider = Arc::new(ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let trusting = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let serving = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let client = ClientConnection::new(Arc::new(trusting), name).unwrap();
        let server = ServerConnection::new(Arc::new(serving)).unwrap();
        let (client_socket, server_socket) = sockets();
        let client = StreamOwned::new(client, client_socket);
        let server = StreamOwned::new(server, server_socket);
        both(
            || WebSocket::new(client, client_connection(), Inbox::new()).split(),
            || WebSocket::new(server, server_connection(), Inbox::new()).split(),
        );
    }

    #[test]
    fn two_floods_over_tls_1_3() {
        flood(&rustls::version::TLS13);
    }

    #[test]
    fn two_floods_over_tls_1_2() {
        flood(&rustls::version::TLS12);
    }
}
