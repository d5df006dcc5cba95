//! The load generator: all connections on one thread. Each writes its messages at once, waits for
//! all of their echoes, and starts again.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};

use crate::Result;
use crate::traffic::Traffic;

/// How a browser asks for a WebSocket: 14 header fields.
pub const REQUEST: &str = "GET /chat/room/1234567890 HTTP/1.1\r\n\
    Host: 127.0.0.1:9001\r\n\
    Connection: Upgrade\r\n\
    Pragma: no-cache\r\n\
    Cache-Control: no-cache\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
    Chrome/142.0.0.0 Safari/537.36\r\n\
    Upgrade: websocket\r\n\
    Origin: http://127.0.0.1:9001\r\n\
    Sec-WebSocket-Version: 13\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Accept-Language: en-GB,en-US;q=0.9,en;q=0.8\r\n\
    Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-Fetch-Mode: websocket\r\n\
    Sec-Fetch-Site: same-origin\r\n";

/// What has been measured.
#[derive(Default)]
pub struct Measured {
    pub messages: usize,
    pub wall: Duration,
    /// From the first byte written to the last byte of the echoes.
    pub latencies: Vec<u32>,
}

/// A TCP connection, and the opening handshake with these further header lines where there is one.
pub fn connect(address: &str, raw: bool, extensions: &str) -> Result<(TcpStream, String)> {
    let address: SocketAddr = address.parse()?;
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    if raw {
        return Ok((stream, String::new()));
    }
    stream.write_all(format!("{REQUEST}{extensions}\r\n").as_bytes())?;
    let mut head = Vec::new();
    let mut room = [0; 4096];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut room)? {
            0 => return Err("the server closed instead of opening a WebSocket".into()),
            count => head.extend_from_slice(&room[..count]),
        }
    }
    let head = String::from_utf8(head)?;
    if !head.starts_with("HTTP/1.1 101") {
        return Err(format!("the server answered {head}").into());
    }
    Ok((stream, head))
}

struct Client {
    stream: mio::net::TcpStream,
    written: usize,
    received: usize,
    since: Instant,
}

/// The connections and what they exchange.
pub struct Load<'a> {
    traffic: &'a Traffic,
    poll: Poll,
    events: Events,
    clients: Vec<Client>,
    room: Vec<u8>,
    reads: usize,
}

impl<'a> Load<'a> {
    pub fn new(streams: Vec<TcpStream>, traffic: &'a Traffic) -> Result<Self> {
        let poll = Poll::new()?;
        let mut clients = Vec::new();
        for (token, stream) in streams.into_iter().enumerate() {
            stream.set_nonblocking(true)?;
            let mut stream = mio::net::TcpStream::from_std(stream);
            let interest = Interest::READABLE | Interest::WRITABLE;
            poll.registry()
                .register(&mut stream, Token(token), interest)?;
            clients.push(Client {
                stream,
                written: 0,
                received: 0,
                since: Instant::now(),
            });
        }
        Ok(Self {
            traffic,
            poll,
            events: Events::with_capacity(1024),
            clients,
            room: vec![0; 1024 * 1024],
            reads: 0,
        })
    }

    /// Lets all connections talk for so long. At the end all echoes have come.
    pub fn run(&mut self, time: Duration, check_all: bool) -> Result<Measured> {
        let mut measured = Measured {
            latencies: Vec::with_capacity(1 << 20),
            ..Measured::default()
        };
        let start = Instant::now();
        let deadline = start + time;
        let mut talking = self.clients.len();
        for client in &mut self.clients {
            client.start(start, self.traffic)?;
        }
        while talking > 0 {
            let patience = Some(Duration::from_secs(10));
            self.poll.poll(&mut self.events, patience)?;
            if self.events.is_empty() {
                return Err(format!("{talking} connections got no echo in 10 s").into());
            }
            for event in &self.events {
                let client = &mut self.clients[event.token().0];
                client.write(self.traffic)?;
                self.reads += 1;
                let check = check_all || self.reads.is_multiple_of(16);
                if !client.read(self.traffic, &mut self.room, check)? {
                    continue;
                }
                let now = Instant::now();
                let latency = (now - client.since).as_nanos();
                measured.messages += self.traffic.messages;
                measured
                    .latencies
                    .push(latency.try_into().unwrap_or(u32::MAX));
                if now < deadline {
                    client.start(now, self.traffic)?;
                } else {
                    talking -= 1;
                }
            }
        }
        measured.wall = start.elapsed();
        Ok(measured)
    }
}

impl Client {
    fn start(&mut self, now: Instant, traffic: &Traffic) -> Result<()> {
        (self.written, self.received) = (0, 0);
        self.since = now;
        self.write(traffic)
    }

    /// Writes what the stream takes.
    fn write(&mut self, traffic: &Traffic) -> Result<()> {
        while let Some(rest @ [_, ..]) = traffic.request.get(self.written..) {
            match self.stream.write(rest) {
                Ok(count) => self.written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Reads what is there. Tells whether this was the rest of the echoes.
    fn read(&mut self, traffic: &Traffic, room: &mut [u8], check: bool) -> Result<bool> {
        loop {
            let expected = &traffic.reply[self.received..];
            if expected.is_empty() {
                return Ok(false); // between two turns
            }
            match self.stream.read(room) {
                Ok(0) => return Err("the server closed".into()),
                Ok(count) if count > expected.len() => return Err("too long an echo".into()),
                Ok(count) => {
                    if check && room[..count] != expected[..count] {
                        return Err("the echo differs from what was sent".into());
                    }
                    self.received += count;
                    if count == expected.len() {
                        return Ok(true);
                    }
                    if count < room.len() {
                        return Ok(false);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
    }
}
