//! Echoes bytes: a tokio task and a buffer per connection, as everybody would write it. What the
//! others are compared with.

use std::io;

use support::{Options, Proportion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn main() -> io::Result<()> {
    support::serve(echo)
}

async fn echo(mut stream: TcpStream, options: Options) -> io::Result<()> {
    let mut buffer = vec![0; options.read.unwrap_or(64 * 1024)];
    let mut proportion = Proportion::new(&options);
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..proportion.due(count)]).await?;
    }
}
