//! `fullduplex::blocking`: a thread per connection.

use std::net::TcpStream;
use std::thread;

use fullduplex::blocking::accept_tcp;
use fullduplex::handshake::OriginPolicy;
use fullduplex::handshake::server::Options;
use fullduplex::{Error, Event};

fn main() -> std::io::Result<()> {
    let (listener, _) = support::start()?;
    loop {
        let (stream, _) = listener.accept()?;
        thread::spawn(move || echo(stream));
    }
}

fn echo(stream: TcpStream) -> Result<(), Error> {
    let mut socket = accept_tcp(stream, &Options::new(OriginPolicy::any()))?;
    loop {
        if socket.connection().is_full() {
            socket.flush()?;
        }
        match socket.next_event()? {
            Some((Event::Text(text), connection)) => connection.send_text(&text)?,
            Some((Event::Binary(bytes), connection)) => connection.send_binary(&bytes)?,
            Some(_) => {}
            None => return Ok(()),
        }
    }
}
