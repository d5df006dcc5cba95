//! Opening handshakes in memory, and connections that have agreed on something there.

use bytes::Buf;
use fullduplex::handshake::client::{self, Established, Request};
use fullduplex::handshake::server::{self, Acceptance, Incoming, Options};
use fullduplex::handshake::{OriginPolicy, Step};
use fullduplex::{Config, Connection, Inbox, MaskKeys};

use crate::Lane;

/// What a browser sends: 14 header lines, 600 bytes.
pub const REQUEST: &[u8; 600] = b"GET /chat/rooms/4711?resume=1 HTTP/1.1\r\n\
Host: chat.example.com\r\n\
Connection: Upgrade\r\n\
Pragma: no-cache\r\n\
Cache-Control: no-cache\r\n\
User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36\r\n\
Upgrade: websocket\r\n\
Origin: https://chat.example.com\r\n\
Sec-WebSocket-Version: 13\r\n\
Accept-Encoding: gzip, deflate, br, zstd\r\n\
Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n\
Cookie: session=0f8fad5bd9cb469fa16570867728950e; theme=dark; v=3\r\n\
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\
DNT: 1\r\n\
\r\n";

/// A request of so many times that length.
pub fn longer_request(times: usize) -> Vec<u8> {
    let line = format!("X-More: {}\r\n", "m".repeat(REQUEST.len() - 10));
    let (fields, end) = REQUEST.split_at(REQUEST.len() - 2);
    [fields, line.repeat(times - 1).as_bytes(), end].concat()
}

/// How a server that talks to the pages it serves does its handshakes.
pub fn options() -> Options {
    Options::new(OriginPolicy::same_origin())
}

/// Accepts the request in `inbox`, which is whole. The response is in the connection's queue.
pub fn accept(inbox: &mut Inbox, options: Options) -> Connection {
    let Step::Done(Incoming::Upgrade(upgrade)) =
        server::Handshake::new(options).advance(inbox).unwrap()
    else {
        unreachable!("the request is complete");
    };
    upgrade.accept(Acceptance::new()).unwrap()
}

/// Accepts a request that comes in pieces of `size` bytes.
pub fn accept_pieces(
    inbox: &mut Inbox,
    request: &[u8],
    size: usize,
    options: Options,
) -> Connection {
    let mut handshake = server::Handshake::new(options);
    for piece in request.chunks(size) {
        put(inbox, piece);
        handshake = match handshake.advance(inbox).unwrap() {
            Step::Continue(handshake) => handshake,
            Step::Done(Incoming::Upgrade(upgrade)) => {
                return upgrade.accept(Acceptance::new()).unwrap();
            }
            Step::Done(Incoming::Http(_)) => unreachable!("the request asks for a WebSocket"),
        };
    }
    unreachable!("the request is complete");
}

/// The client's side of the same: writes the request and takes the server's answer. The same seed
/// makes the same request, so that `answer` fits.
pub fn establish(url: &str, inbox: &mut Inbox, answer: &[u8]) -> Established {
    let mut client = ask(url, Config::default());
    let written = client.outgoing().remaining();
    client.outgoing().advance(written);
    put(inbox, answer);
    finish(client, inbox)
}

/// The answer that [`establish`] needs for `url`.
pub fn answer(url: &str) -> Vec<u8> {
    let mut inbox = Inbox::new();
    pass(ask(url, Config::default()).outgoing(), &mut inbox);
    let mut server = accept(&mut inbox, options());
    let mut answer = vec![0; server.outgoing().remaining()];
    server.outgoing().copy_to_slice(&mut answer);
    answer
}

/// A client and a server, each with what its configuration asks for and the other agrees to.
pub fn lanes(client_config: Config, server_config: Config) -> (Lane, Lane) {
    let (mut to_server, mut to_client) = (Inbox::new(), Inbox::new());
    let mut client = ask("ws://example.com/", client_config);
    pass(client.outgoing(), &mut to_server);
    let mut server = accept(&mut to_server, options().config(server_config));
    pass(server.outgoing(), &mut to_client);
    let lane = |connection: Connection| Lane {
        connection,
        inbox: Inbox::new(),
    };
    let client = finish(client, &mut to_client).connection;
    (lane(client), lane(server))
}

/// Puts `bytes` into the inbox, as a read does.
pub fn put(inbox: &mut Inbox, bytes: &[u8]) {
    inbox.spare(bytes.len())[..bytes.len()].copy_from_slice(bytes);
    inbox.received(bytes.len());
}

fn ask(url: &str, config: Config) -> client::Handshake {
    let request = Request::new(url).unwrap();
    client::Handshake::new(request, config, MaskKeys::seeded([7; 32]))
}

fn finish(client: client::Handshake, inbox: &mut Inbox) -> Established {
    let Step::Done(established) = client.advance(inbox).unwrap() else {
        unreachable!("the response is complete");
    };
    established
}

fn pass(bytes: &mut impl Buf, inbox: &mut Inbox) {
    let count = bytes.remaining();
    bytes.copy_to_slice(&mut inbox.spare(count)[..count]);
    inbox.received(count);
}
