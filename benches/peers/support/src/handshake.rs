//! An opening handshake for libraries that leave it to others: as little as works with the load
//! generator, which sends nothing behind its request.

use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Reads the request and answers it.
pub async fn open(stream: &mut TcpStream) -> io::Result<()> {
    let mut head = [0; 4096];
    let mut length = 0;
    loop {
        let room = head.get_mut(length..).unwrap_or_default();
        match stream.read(room).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => length += count,
        }
        let head = &head[..length];
        if head.ends_with(b"\r\n\r\n") {
            let key = key(head).ok_or_else(|| io::Error::other("no key"))?;
            return stream.write_all(answer(key).as_bytes()).await;
        }
    }
}

/// The response to a request with this key.
pub fn answer(key: &str) -> String {
    let mut digest = Sha1::new();
    digest.update(key);
    digest.update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        STANDARD.encode(digest.finalize())
    )
}

fn key(head: &[u8]) -> Option<&str> {
    let head = str::from_utf8(head).ok()?;
    head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("sec-websocket-key")
            .then(|| value.trim())
    })
}
