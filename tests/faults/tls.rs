//! TLS over a hostile stream: its peer, and both ends of ours.
#![cfg(feature = "rustls")]

use std::io::{Read, Write};
use std::sync::{Arc, LazyLock, Mutex};

use fullduplex::handshake::client::Request;
use fullduplex::handshake::server::Options;
use fullduplex::{Config, Connection, Error, Role};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection, StreamOwned};

use crate::common::hostile::{After, Hostile, Peer};
use crate::common::sockets::{Opener, Patient};
use crate::common::tls::{Authority, client_config, tls_server};
use crate::scenes::{Marks, Talk};

static CONFIGS: LazyLock<(Arc<ClientConfig>, Arc<ServerConfig>)> = LazyLock::new(|| {
    let authority = Authority::new();
    let server = tls_server(&authority.issue(&["localhost"]));
    (Arc::new(client_config(&authority)), Arc::new(server))
});

fn name() -> ServerName<'static> {
    ServerName::try_from("localhost").unwrap()
}

fn client() -> ClientConnection {
    ClientConnection::new(Arc::clone(&CONFIGS.0), name()).unwrap()
}

fn server() -> ServerConnection {
    ServerConnection::new(Arc::clone(&CONFIGS.1)).unwrap()
}

/// The peer of our end in `role`. Each time that it says something, that is a record of its own, or
/// several if it is long.
pub(crate) fn peer(role: Role, talk: Arc<Mutex<Talk>>) -> (Peer, Marks) {
    let mut session = match role {
        Role::Client => rustls::Connection::from(server()),
        Role::Server => rustls::Connection::from(client()),
    };
    let marks = Marks::default();
    let own = Arc::clone(&marks);
    let (mut sealed, mut said, mut has_ended) = (0, 0, false);
    let peer = move |mut bytes: &[u8], after: &mut After| {
        let mut got = Vec::new();
        while !bytes.is_empty() {
            session.read_tls(&mut bytes).unwrap();
            if session.process_new_packets().is_err() {
                break;
            }
            // What is left says that there is no more so far.
            let _ = session.reader().read_to_end(&mut got);
        }
        let mut news = Vec::new();
        while session.wants_write() {
            session.write_tls(&mut news).unwrap();
        }
        if !session.is_handshaking() {
            let mut end = After::Silence;
            let text = talk.lock().unwrap().receive(&got, &mut end);
            for record in text.chunks(16 * 1024) {
                session.writer().write_all(record).unwrap();
                session.write_tls(&mut news).unwrap();
                said += record.len();
                own.lock().unwrap().push((sealed + news.len(), said));
            }
            if end == After::End && !has_ended {
                has_ended = true;
                session.send_close_notify();
                session.write_tls(&mut news).unwrap();
                *after = After::End;
            }
        }
        sealed += news.len();
        news
    };
    (Box::new(peer), marks)
}

/// Blocking, over the stream that rustls brings.
pub(crate) struct Blocking;

/// Either end.
pub(crate) trait Line: Read + Write {}

impl<T: Read + Write> Line for T {}

fn stream(line: &Hostile, role: Role) -> Box<dyn Line> {
    match role {
        Role::Client => Box::new(StreamOwned::new(client(), line.clone())),
        Role::Server => Box::new(StreamOwned::new(server(), line.clone())),
    }
}

impl Opener for Blocking {
    type Socket = Patient<Box<dyn Line>>;

    const READS_CAN_LIE: bool = false;
    const SHUTS_DOWN: bool = false;

    async fn open(
        line: &Hostile,
        role: Role,
        connection: Connection,
    ) -> Result<Self::Socket, Error> {
        Ok(Patient::new(line, stream(line, role), connection))
    }

    async fn accept(line: &Hostile, options: &Options) -> Result<Self::Socket, Error> {
        Patient::accept(line, stream(line, Role::Server), options).await
    }

    async fn connect(
        line: &Hostile,
        request: Request,
        config: &Config,
    ) -> Result<Self::Socket, Error> {
        Patient::connect(line, stream(line, Role::Client), request, config).await
    }
}

#[cfg(feature = "tokio-rustls")]
pub(crate) struct Tokio;

#[cfg(feature = "tokio-rustls")]
mod under_tokio {
    use fullduplex::Inbox;
    use fullduplex::tokio::{self as ws, WebSocket};
    use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

    use super::*;

    async fn shake_hands(line: &Hostile, role: Role) -> Result<TlsStream<Hostile>, Error> {
        Ok(match role {
            Role::Client => {
                let connector = TlsConnector::from(Arc::clone(&CONFIGS.0));
                connector.connect(name(), line.clone()).await?.into()
            }
            Role::Server => {
                let acceptor = TlsAcceptor::from(Arc::clone(&CONFIGS.1));
                acceptor.accept(line.clone()).await?.into()
            }
        })
    }

    impl Opener for Tokio {
        type Socket = WebSocket<TlsStream<Hostile>>;

        const READS_CAN_LIE: bool = false;
        const SHUTS_DOWN: bool = true;

        async fn open(
            line: &Hostile,
            role: Role,
            connection: Connection,
        ) -> Result<Self::Socket, Error> {
            let stream = shake_hands(line, role).await?;
            Ok(WebSocket::new(stream, connection, Inbox::new()))
        }

        async fn accept(line: &Hostile, options: &Options) -> Result<Self::Socket, Error> {
            ws::accept(shake_hands(line, Role::Server).await?, options).await
        }

        async fn connect(
            line: &Hostile,
            request: Request,
            config: &Config,
        ) -> Result<Self::Socket, Error> {
            let stream = shake_hands(line, Role::Client).await?;
            Ok(ws::connect_over(stream, request, config).await?.socket)
        }
    }
}
