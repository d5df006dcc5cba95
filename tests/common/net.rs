//! Peers that are plain TCP sockets: they say what a test tells them, and nothing by themselves.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "each test crate uses its own part, and a helper that panics fails the test"
)]

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fullduplex::blocking::{self, WebSocket};
use fullduplex::handshake::OriginPolicy;
use fullduplex::handshake::client::Request;
use fullduplex::handshake::server::Options;
use fullduplex::{Config, Role};
use sha1::{Digest, Sha1};

/// A deadline that a test waits for.
pub const SHORT: Duration = Duration::from_millis(60);

/// No test takes so long unless something hangs.
pub const LONG: Duration = Duration::from_secs(20);

pub const REQUEST: &str = "GET /chat?room=1 HTTP/1.1\r\n\
                           Host: example.com\r\n\
                           Upgrade: websocket\r\n\
                           Connection: Upgrade\r\n\
                           Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                           Sec-WebSocket-Version: 13\r\n\r\n";

/// What a key is answered with (RFC 6455, section 1.3).
fn accept_for(key: &str) -> String {
    let hash = Sha1::digest([key, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"].concat());
    let mut text = [0; 28];
    assert_eq!(STANDARD.encode_slice(hash, &mut text), Ok(28));
    String::from_utf8(text.to_vec()).unwrap()
}

/// The consent to the request whose head this is.
pub fn consent(head: &str) -> String {
    let key = head
        .lines()
        .find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
    let accept = accept_for(key.expect("a key"));
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
}

pub fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A peer that fails a test instead of hanging it.
pub fn patient(stream: TcpStream) -> TcpStream {
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream.set_write_timeout(Some(LONG)).unwrap();
    stream
}

/// Reads up to the empty line, and not a byte more.
pub fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        assert_eq!(
            stream.read(&mut byte).unwrap(),
            1,
            "{}",
            head.escape_ascii()
        );
        head.extend(byte);
    }
    String::from_utf8(head).unwrap()
}

/// Everything up to the end of the stream, however it ends.
pub fn read_to_end(stream: &mut impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Err(error) = stream.read_to_end(&mut bytes) {
        assert_ne!(error.kind(), ErrorKind::WouldBlock, "the stream stays open");
    }
    bytes
}

/// Our server, with a plain socket as its client.
pub fn server(config: &Config) -> (WebSocket<TcpStream>, TcpStream) {
    let (listener, address) = listen();
    let client = thread::spawn(move || {
        let mut stream = patient(TcpStream::connect(address).unwrap());
        stream.write_all(REQUEST.as_bytes()).unwrap();
        assert_eq!(read_head(&mut stream), consent(REQUEST));
        stream
    });
    let options = Options::new(OriginPolicy::any()).config(config.clone());
    let (stream, _) = listener.accept().unwrap();
    let socket = blocking::accept_tcp(stream, &options).unwrap();
    (socket, client.join().unwrap())
}

/// Our client, with a plain socket as its server.
pub fn client(config: &Config) -> (WebSocket<TcpStream>, TcpStream) {
    let (address, server) = respond(|head| consent(head).into_bytes());
    let request = Request::new(&format!("ws://{address}/")).unwrap();
    let connected = blocking::connect_with(request, config).unwrap();
    (connected.socket, server.join().unwrap())
}

/// Our end in `role`, and a plain socket as its peer.
pub fn open(role: Role, config: &Config) -> (WebSocket<TcpStream>, TcpStream) {
    match role {
        Role::Client => client(config),
        Role::Server => server(config),
    }
}

/// Runs what must not hang.
pub fn in_time<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(run()));
    receiver.recv_timeout(LONG).expect("it hangs or panics")
}

/// A server that answers one request and is handed back then.
pub fn respond(
    answer: impl FnOnce(&str) -> Vec<u8> + Send + 'static,
) -> (SocketAddr, JoinHandle<TcpStream>) {
    let (listener, address) = listen();
    let server = thread::spawn(move || {
        let mut stream = patient(listener.accept().unwrap().0);
        let head = read_head(&mut stream);
        stream.write_all(&answer(&head)).unwrap();
        stream
    });
    (address, server)
}

/// Both ends ours, over TCP.
pub fn pair(client: &Config, server: &Config) -> (WebSocket<TcpStream>, WebSocket<TcpStream>) {
    let (listener, address) = listen();
    let client = client.clone();
    let connecting = thread::spawn(move || {
        let request = Request::new(&format!("ws://{address}/")).unwrap();
        blocking::connect_with(request, &client).unwrap().socket
    });
    let options = Options::new(OriginPolicy::any()).config(server.clone());
    let (stream, _) = listener.accept().unwrap();
    let server = blocking::accept_tcp(stream, &options).unwrap();
    (connecting.join().unwrap(), server)
}
