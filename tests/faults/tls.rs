//! TLS over a hostile stream: its peer, and sessions for both ends of ours.
#![cfg(feature = "rustls")]

use std::io::{Read, Write};
use std::sync::{Arc, LazyLock, Mutex};

use fullduplex::Role;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection};

use super::common::hostile::{After, Peer};
use super::common::tls::{Authority, client_config, tls_server};
use super::scenes::{Marks, Talk};

pub(crate) static CONFIGS: LazyLock<(Arc<ClientConfig>, Arc<ServerConfig>)> = LazyLock::new(|| {
    let authority = Authority::new();
    let server = tls_server(&authority.issue(&["localhost"]));
    (Arc::new(client_config(&authority)), Arc::new(server))
});

pub(crate) fn name() -> ServerName<'static> {
    ServerName::try_from("localhost").unwrap()
}

pub(crate) fn client() -> ClientConnection {
    ClientConnection::new(Arc::clone(&CONFIGS.0), name()).unwrap()
}

pub(crate) fn server() -> ServerConnection {
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
