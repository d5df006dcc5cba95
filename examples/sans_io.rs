//! The core driven by hand: a client and a server talk through two byte buffers. No socket, no
//! clock and no thread is involved, and nothing is hidden: this is all that an adapter does.
//!
//!     cargo run --example sans_io
#![allow(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "a program"
)]

use std::error::Error;
use std::time::Duration;

use bytes::{Buf, BufMut};
use fullduplex::handshake::{OriginPolicy, Step, client, server};
use fullduplex::{CloseCode, Config, Connection, Event, Inbox, MaskKeys, State};

fn main() -> Result<(), Box<dyn Error>> {
    // What each end has received and not yet looked at.
    let (mut server_inbox, mut client_inbox) = (Inbox::new(), Inbox::new());

    // 1. The opening handshake. The client has a request to write ...
    let request = client::Request::new("ws://example.com/chat")?.subprotocol("chat")?;
    let keys = MaskKeys::seeded([7; 32]); // take a secret seed, or `MaskKeys::thread()`
    let mut client = client::Handshake::new(request, Config::default(), keys);
    transfer(client.outgoing(), &mut server_inbox);

    // ... which the server reads and decides on. The response is the first thing that the new
    // connection wants written.
    let options = server::Options::new(OriginPolicy::same_origin());
    let step = server::Handshake::new(options).advance(&mut server_inbox)?;
    let Step::Done(server::Incoming::Upgrade(upgrade)) = step else {
        return Err("the request is not whole, or not for a WebSocket".into());
    };
    println!("server: a client asks for {}", upgrade.request().path());
    let chosen = upgrade.select_subprotocol(&["chat"]);
    let mut server = upgrade.accept(server::Acceptance::new().subprotocol(chosen))?;
    transfer(server.outgoing(), &mut client_inbox);

    let Step::Done(established) = client.advance(&mut client_inbox)? else {
        return Err("the response is not whole".into());
    };
    println!(
        "client: connected, subprotocol {:?}",
        established.subprotocol
    );
    let mut client = established.connection;

    // 2. Messages. Sending queues bytes; `outgoing` hands them out.
    client.send_text("hello")?;
    client.send_binary(&[1, 2, 3])?;
    client.ping(b"are you there?")?;
    transfer(client.outgoing(), &mut server_inbox);

    // Receiving lends payloads from the inbox. The event borrows the inbox and not the connection,
    // so it can be answered on the spot. The Ping has been answered already.
    while let Some(event) = server.poll_event(&mut server_inbox)? {
        println!("server: {event:?}");
        match event {
            Event::Text(text) => server.send_text(&text)?,
            Event::Binary(binary) => server.send_binary(&binary)?,
            _ => {}
        }
    }
    transfer(server.outgoing(), &mut client_inbox);
    while let Some(event) = client.poll_event(&mut client_inbox)? {
        println!("client: {event:?}");
    }

    // 3. Time. It is an argument, counted from any moment: here the first call is zero. A minute
    // of silence makes the server ask for a sign of life.
    server.handle_timeout(Duration::ZERO);
    println!("server: next deadline at {:?}", server.poll_timeout());
    server.handle_timeout(Duration::from_secs(60));
    transfer(server.outgoing(), &mut client_inbox);
    while let Some(event) = client.poll_event(&mut client_inbox)? {
        println!("client: {event:?}");
    }
    transfer(client.outgoing(), &mut server_inbox);
    while let Some(event) = server.poll_event(&mut server_inbox)? {
        println!("server: {event:?}");
    }

    // 4. The closing handshake. One end starts it, the other answers by itself, and the server
    // ends the transport first.
    client.close(CloseCode::NORMAL, "that was all")?;
    transfer(client.outgoing(), &mut server_inbox);
    drain("server", &mut server, &mut server_inbox)?;
    transfer(server.outgoing(), &mut client_inbox);
    drain("client", &mut client, &mut client_inbox)?;
    assert!(server.wants_shutdown() && !server.wants_read());
    assert!(
        client.wants_read(),
        "the client waits for the server to end the transport"
    );
    server.received_eof();
    client.received_eof();
    assert_eq!(
        (client.state(), server.state()),
        (State::Closed, State::Closed)
    );
    println!("client: {}", client.outcome().ok_or("still open")?);
    println!("server: {}", server.outcome().ok_or("still open")?);
    Ok(())
}

/// Plays the network: moves what one end wants to write into the other end's inbox. A real
/// transport may take and return any number of bytes at a time.
fn transfer(outgoing: &mut impl Buf, inbox: &mut Inbox) {
    while outgoing.has_remaining() {
        let mut room = inbox.spare(0);
        let space = room.len();
        room.put(outgoing.take(space));
        let count = space - room.len();
        inbox.received(count);
    }
}

fn drain(name: &str, end: &mut Connection, inbox: &mut Inbox) -> Result<(), Box<dyn Error>> {
    while let Some(event) = end.poll_event(inbox)? {
        println!("{name}: {event:?}");
    }
    Ok(())
}
