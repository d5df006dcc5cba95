//! Echoes bytes: a thread and a buffer per connection.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::thread;

use support::{Options, Proportion};

fn main() -> io::Result<()> {
    let (listener, options) = support::start()?;
    loop {
        let (stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        thread::spawn(move || echo(stream, &options));
    }
}

fn echo(mut stream: TcpStream, options: &Options) -> io::Result<()> {
    let mut buffer = vec![0; options.read.unwrap_or(64 * 1024)];
    let mut proportion = Proportion::new(options);
    loop {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..proportion.due(count)])?;
    }
}
