//! The load generator: all connections on one thread. Each writes its messages at once, waits for
//! all of their echoes, and starts again.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::ops::Range;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};

use crate::Result;
use crate::traffic::{Replies, Traffic, compressed_frame};

/// How a browser asks for a WebSocket: 14 header fields.
const REQUEST: &str = "GET /chat/room/1234567890 HTTP/1.1\r\n\
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

/// How long a server may take for anything.
const PATIENCE: Duration = Duration::from_secs(10);

/// The request for a WebSocket, with these further header lines.
pub fn request(further: &str) -> String {
    format!("{REQUEST}{further}\r\n")
}

/// A TCP connection.
pub fn connect(address: &str) -> Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// A WebSocket that was asked for with these further header lines.
pub fn open(address: &str, further: &str) -> Result<TcpStream> {
    let mut stream = connect(address)?;
    stream.write_all(request(further).as_bytes())?;
    let answer = answer(&mut stream)?;
    if answer.contains("permessage-deflate") == further.is_empty() {
        return Err(format!("not what was asked for: {answer}").into());
    }
    Ok(stream)
}

/// The response that opens a WebSocket, with nothing behind it.
pub fn answer(stream: &mut TcpStream) -> Result<String> {
    let mut head = Vec::new();
    let mut room = [0; 4096];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut room)? {
            0 => return Err("the server closed instead of opening a WebSocket".into()),
            count => head.extend_from_slice(&room[..count]),
        }
    }
    let head = String::from_utf8(head)?;
    if head.starts_with("HTTP/1.1 101") {
        Ok(head)
    } else {
        Err(format!("no WebSocket: {head}").into())
    }
}

/// What has been measured.
#[derive(Default)]
pub struct Measured {
    pub messages: usize,
    /// Of the echoes.
    pub bytes: usize,
    pub wall: Duration,
    /// Nanoseconds from the first byte written to the last byte of the echoes.
    pub latencies: Vec<u32>,
}

impl Measured {
    pub fn add(&mut self, other: &Self) {
        self.messages += other.messages;
        self.bytes += other.bytes;
        self.wall += other.wall;
        self.latencies.extend_from_slice(&other.latencies);
    }

    /// The mean latency: how long all connections take for what each has under way.
    pub fn round_trip(&self) -> Duration {
        let sum: u64 = self.latencies.iter().copied().map(u64::from).sum();
        let count = self.latencies.len() as u64;
        Duration::from_nanos(sum.checked_div(count).unwrap_or_default())
    }
}

struct Client {
    stream: mio::net::TcpStream,
    /// Which request is under way, and how much of it and of its echoes.
    turn: usize,
    written: usize,
    received: usize,
    since: Instant,
    /// The start of a compressed echo.
    head: Vec<u8>,
}

/// The connections and what they exchange.
pub struct Load {
    traffic: Traffic,
    poll: Poll,
    events: Events,
    clients: Vec<Client>,
    room: Vec<u8>,
    reads: usize,
}

impl Load {
    pub fn new(streams: Vec<TcpStream>, traffic: Traffic) -> Result<Self> {
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
                // Not all the same at the same time.
                turn: token * 7919 % traffic.requests.len(),
                written: usize::MAX,
                received: 0,
                since: Instant::now(),
                head: Vec::new(),
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

    /// Lets all connections talk for so long. At the end all echoes have come. Looks at all of them
    /// while that is not measured, and at some of them otherwise.
    pub fn run(&mut self, time: Duration, look: Look) -> Result<Measured> {
        self.run_some(0..self.clients.len(), time, look)
    }

    /// The same for these connections only.
    pub fn run_some(&mut self, some: Range<usize>, time: Duration, look: Look) -> Result<Measured> {
        let mut measured = Measured {
            latencies: Vec::with_capacity(1 << 16),
            ..Measured::default()
        };
        let start = Instant::now();
        let deadline = start + time;
        let mut talking = some.len();
        for client in &mut self.clients[some] {
            client.start(start, &self.traffic)?;
        }
        while talking > 0 {
            self.poll.poll(&mut self.events, Some(PATIENCE))?;
            if self.events.is_empty() {
                return Err(format!("{talking} connections got no echo").into());
            }
            for event in &self.events {
                let client = &mut self.clients[event.token().0];
                client.write(&self.traffic)?;
                self.reads += 1;
                let look = look == Look::AtAll || self.reads.is_multiple_of(16);
                if !client.read(&self.traffic, &mut self.room, look)? {
                    continue;
                }
                let now = Instant::now();
                let latency = (now - client.since).as_nanos();
                measured.messages += self.traffic.messages;
                measured.bytes += client.received;
                measured
                    .latencies
                    .push(latency.try_into().unwrap_or(u32::MAX));
                if now < deadline {
                    client.start(now, &self.traffic)?;
                } else {
                    talking -= 1;
                }
            }
        }
        measured.wall = start.elapsed();
        Ok(measured)
    }
}

/// How many of the echoes to compare with what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    AtAll,
    AtSome,
}

impl Client {
    fn start(&mut self, now: Instant, traffic: &Traffic) -> Result<()> {
        (self.written, self.received) = (0, 0);
        self.turn = (self.turn + 1) % traffic.requests.len();
        self.head.clear();
        self.since = now;
        self.write(traffic)
    }

    /// Writes what the stream takes.
    fn write(&mut self, traffic: &Traffic) -> Result<()> {
        let request = &traffic.requests[self.turn];
        while let Some(rest @ [_, ..]) = request.get(self.written..) {
            match self.stream.write(rest) {
                Ok(count) => self.written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Reads what is there. Tells whether this was the rest of the echoes.
    fn read(&mut self, traffic: &Traffic, room: &mut [u8], look: bool) -> Result<bool> {
        loop {
            let count = match self.stream.read(room) {
                Ok(0) => return Err("the server closed".into()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error.into()),
            };
            let before = self.received;
            self.received += count;
            let expected = match &traffic.replies {
                Replies::Exactly(reply) => {
                    let expected = reply.get(before..self.received);
                    let expected = expected.ok_or("more came than was sent")?;
                    if look && room[..count] != *expected {
                        return Err("the echo differs from what was sent".into());
                    }
                    reply.len()
                }
                Replies::Compressed => {
                    self.head
                        .extend(room[..count].iter().take(4 - self.head.len().min(4)));
                    let frame = compressed_frame(&self.head)?;
                    frame.map_or(usize::MAX, |(header, payload)| header + payload)
                }
            };
            if self.received > expected {
                return Err("more came than was sent".into());
            }
            if self.received == expected {
                return Ok(true);
            }
            if count < room.len() {
                return Ok(false);
            }
        }
    }
}
