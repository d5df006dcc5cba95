//! Echoes bytes: a tokio task per connection that holds no buffer while it waits. The least memory
//! that a connection can take under tokio.

use std::io::{self, ErrorKind};

use support::{Options, Proportion};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

fn main() -> io::Result<()> {
    support::serve(echo)
}

async fn echo(mut stream: TcpStream, options: Options) -> io::Result<()> {
    let mut proportion = Proportion::new(&options);
    loop {
        stream.readable().await?;
        match read(&stream) {
            Ok(bytes) if bytes.is_empty() => return Ok(()),
            Ok(bytes) => {
                stream
                    .write_all(&bytes[..proportion.due(bytes.len())])
                    .await?;
            }
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
