//! Echoes bytes: one loop over mio, one buffer for all connections. The least that a server can do.

use std::io::{self, Read, Write};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;
use support::{Options, Proportion};

const LISTENER: Token = Token(usize::MAX);

struct Client {
    stream: TcpStream,
    proportion: Proportion,
    /// What the stream did not take. Nothing is read before it has.
    rest: Vec<u8>,
}

fn main() -> io::Result<()> {
    let (listener, options) = support::start()?;
    listener.set_nonblocking(true)?;
    let mut listener = TcpListener::from_std(listener);
    let mut poll = Poll::new()?;
    poll.registry()
        .register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut events = Events::with_capacity(1024);
    let mut clients = Slab::new();
    let mut buffer = vec![0; options.read.unwrap_or(64 * 1024)];
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            let Token(key) = event.token();
            if event.token() == LISTENER {
                accept(&listener, &poll, &mut clients, &options)?;
            } else if let Some(client) = clients.get_mut(key)
                && !matches!(client.turn(&mut buffer), Ok(true))
            {
                clients.remove(key);
            }
        }
    }
}

fn accept(
    listener: &TcpListener,
    poll: &Poll,
    clients: &mut Slab<Client>,
    options: &Options,
) -> io::Result<()> {
    loop {
        let (mut stream, _) = match listener.accept() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            accepted => accepted?,
        };
        stream.set_nodelay(true)?;
        let entry = clients.vacant_entry();
        let interest = Interest::READABLE | Interest::WRITABLE;
        poll.registry()
            .register(&mut stream, Token(entry.key()), interest)?;
        entry.insert(Client {
            stream,
            proportion: Proportion::new(options),
            rest: Vec::new(),
        });
    }
}

impl Client {
    /// Reads and writes until either would block. Tells whether the stream goes on.
    fn turn(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        let rest = std::mem::take(&mut self.rest);
        self.write(&rest)?;
        while self.rest.is_empty() {
            let count = match self.stream.read(buffer) {
                Ok(0) => return Ok(false),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            };
            let due = self.proportion.due(count);
            self.write(&buffer[..due])?;
            if count < buffer.len() {
                break; // that was all there is
            }
        }
        Ok(true)
    }

    fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.stream.write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.rest = bytes.to_vec();
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
