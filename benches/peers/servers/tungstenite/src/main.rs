//! tungstenite: a thread per connection. It cannot tell whether more is there without waiting for
//! it, so that there is nothing to batch.

use std::net::TcpStream;
use std::thread;

use tungstenite::Error;

fn main() -> std::io::Result<()> {
    let (listener, _) = support::start()?;
    loop {
        let (stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        thread::spawn(move || echo(stream));
    }
}

fn echo(stream: TcpStream) -> Result<(), Box<Error>> {
    let Ok(mut socket) = tungstenite::accept(stream) else {
        return Ok(());
    };
    loop {
        let message = socket.read().map_err(Box::new)?;
        if message.is_text() || message.is_binary() {
            socket.send(message).map_err(Box::new)?;
        }
    }
}
