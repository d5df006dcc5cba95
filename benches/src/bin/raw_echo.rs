//! A tokio task per connection that echoes bytes and knows no protocol: what `idle.sh` compares with.
//! It takes the arguments of the example `echo_tokio`, and prints where it listens as that does.

use std::env;
use std::io::{self, ErrorKind};

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

#[tokio::main]
async fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".into());
    let listener = TcpListener::bind(address).await?;
    println!("listening on ws://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(echo(stream));
    }
}

async fn echo(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    loop {
        stream.readable().await?;
        match read(&stream) {
            Ok(bytes) if bytes.is_empty() => return Ok(()),
            Ok(bytes) => stream.write_all(&bytes).await?,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// What is there. Not async, so that no room for more is held while the task waits.
fn read(stream: &TcpStream) -> io::Result<Vec<u8>> {
    let mut room = [0; 4096];
    let count = stream.try_read(&mut room)?;
    Ok(room[..count].to_vec())
}
