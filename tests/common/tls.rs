//! Certificates made for a test, and TLS servers that use them.
#![cfg(feature = "rustls")]
#![allow(
    dead_code,
    unreachable_pub,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "each test crate uses its own part, and a helper that panics fails the test"
)]

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{
    CertificateError, ClientConfig, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
};

use fullduplex::blocking::{self, Connected, MaybeTls, WebSocket};
use fullduplex::handshake::OriginPolicy;
use fullduplex::handshake::client::Request;
use fullduplex::handshake::server::Options;
use fullduplex::{Config, ConnectOptions, Error, TlsError};

use super::net::{LONG, SHORT, consent, in_time, listen, patient};
use super::pair::timeless;

pub type TlsStream = StreamOwned<ServerConnection, TcpStream>;

/// Who issues certificates.
pub struct Authority {
    root: CertificateDer<'static>,
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate with its key.
pub struct Certificate {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Authority {
    pub fn new() -> Self {
        // Two with the same name would be taken for the same.
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        let name = format!("authority {}", COUNT.fetch_add(1, Ordering::Relaxed));
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = params.self_signed(&key).unwrap();
        Self {
            root: root.der().clone(),
            pem: root.pem(),
            issuer: Issuer::new(params, key),
        }
    }

    /// What its clients trust.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate for `names`, some of which may be addresses.
    pub fn issue(&self, names: &[&str]) -> Certificate {
        self.issue_between(names, 2000, 4000)
    }

    /// One that is valid from one year to another.
    pub fn issue_between(&self, names: &[&str], from: i32, to: i32) -> Certificate {
        let key = KeyPair::generate().unwrap();
        let certificate = params(names, from, to)
            .signed_by(&key, &self.issuer)
            .unwrap();
        Certificate::new(&certificate, &key)
    }

    /// One that nobody has issued.
    pub fn self_signed(name: &str) -> Certificate {
        let key = KeyPair::generate().unwrap();
        let certificate = params(&[name], 2000, 4000).self_signed(&key).unwrap();
        Certificate::new(&certificate, &key)
    }
}

fn params(names: &[&str], from: i32, to: i32) -> CertificateParams {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.not_before = date_time_ymd(from, 1, 1);
    params.not_after = date_time_ymd(to, 1, 1);
    params
}

impl Certificate {
    fn new(certificate: &rcgen::Certificate, key: &KeyPair) -> Self {
        Self {
            chain: vec![certificate.der().clone()],
            key: PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        }
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Trusts `authority` and nobody else.
pub fn client_config(authority: &Authority) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(authority.root.clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}

pub fn tls_server(certificate: &Certificate) -> ServerConfig {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certificate.chain.clone(), certificate.key.clone_key())
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

/// A server that does `act` with its first client.
pub fn serve_tls<T: Send + 'static>(
    config: ServerConfig,
    act: impl FnOnce(TlsStream) -> T + Send + 'static,
) -> (SocketAddr, JoinHandle<T>) {
    let (listener, address) = listen();
    let serving = thread::spawn(move || {
        let tcp = patient(listener.accept().unwrap().0);
        let session = ServerConnection::new(Arc::new(config)).unwrap();
        act(StreamOwned::new(session, tcp))
    });
    (address, serving)
}

pub fn connect(url: &str, options: &ConnectOptions) -> Result<Connected<MaybeTls>, Error> {
    let (request, options) = (Request::new(url).unwrap(), options.clone());
    in_time(move || blocking::connect_to(request, &options))
}

/// Options that trust `authority`, without deadlines but for the opening ones.
pub fn trusting(authority: &Authority) -> ConnectOptions {
    with_config(authority, timeless())
}

pub fn with_config(authority: &Authority, mut config: Config) -> ConnectOptions {
    config.timeouts.connect.get_or_insert(LONG);
    config.timeouts.handshake.get_or_insert(LONG);
    ConnectOptions::new()
        .config(config)
        .tls(client_config(authority))
}

/// A TLS server with a valid certificate for `localhost` and 127.0.0.1 that does `act` with its
/// first client.
pub fn server<T: Send + 'static>(
    act: impl FnOnce(TlsStream) -> T + Send + 'static,
) -> (Authority, SocketAddr, JoinHandle<T>) {
    let authority = Authority::new();
    let config = tls_server(&authority.issue(&["localhost", "127.0.0.1"]));
    let (address, serving) = serve_tls(config, act);
    (authority, address, serving)
}

pub fn open(options: &ConnectOptions, address: SocketAddr) -> WebSocket<MaybeTls> {
    let url = format!("wss://localhost:{}/", address.port());
    connect(&url, options).unwrap().socket
}

pub fn echo(stream: TlsStream) -> TlsStream {
    let options = Options::new(OriginPolicy::any());
    let mut socket = blocking::accept(stream, &options).unwrap();
    while let Some(message) = socket.recv().unwrap() {
        socket.send(message).unwrap();
    }
    let mut stream = socket.into_parts().0;
    stream.conn.send_close_notify();
    stream.flush().unwrap();
    stream.sock.shutdown(Shutdown::Both).unwrap();
    stream
}

/// Agrees to a WebSocket and hands the stream back.
pub fn agree(stream: &mut TlsStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        assert_eq!(stream.read(&mut byte).unwrap(), 1);
        head.extend(byte);
    }
    let head = String::from_utf8(head).unwrap();
    stream.write_all(consent(&head).as_bytes()).unwrap();
    stream.flush().unwrap();
}

/// Each of these certificates ends the attempt, and no request is sent.
pub fn assert_certificates_are_refused(connect: impl Fn(&str, &ConnectOptions) -> Error) {
    let (authority, stranger) = (Authority::new(), Authority::new());
    for (what, certificate, host, expected) in [
        (
            "another host",
            authority.issue(&["other.test"]),
            "localhost",
            "wrong host",
        ),
        (
            "another address",
            authority.issue(&["127.0.0.2"]),
            "127.0.0.1",
            "wrong host",
        ),
        (
            "a name for an address",
            authority.issue(&["localhost"]),
            "127.0.0.1",
            "wrong host",
        ),
        (
            "a part of the name",
            authority.issue(&["ocalhost"]),
            "localhost",
            "wrong host",
        ),
        (
            "expired",
            authority.issue_between(&["localhost"], 1999, 2001),
            "localhost",
            "expired",
        ),
        (
            "not yet",
            authority.issue_between(&["localhost"], 4000, 4001),
            "localhost",
            "not yet",
        ),
        (
            "a stranger's",
            stranger.issue(&["localhost"]),
            "localhost",
            "unknown",
        ),
        (
            "its own",
            Authority::self_signed("localhost"),
            "localhost",
            "unknown",
        ),
    ] {
        let (address, serving) = serve_tls(tls_server(&certificate), |mut stream| {
            let mut bytes = Vec::new();
            let error = stream
                .read_to_end(&mut bytes)
                .expect_err("the client refuses");
            (bytes, error)
        });
        let url = format!("wss://{host}:{}/", address.port());
        let error = connect(&url, &trusting(&authority));
        let Error::Tls(TlsError::Handshake(rustls::Error::InvalidCertificate(error))) = error
        else {
            panic!("{what}: {error:?}");
        };
        let met = match error {
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "wrong host"
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => "expired",
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "not yet"
            }
            CertificateError::UnknownIssuer => "unknown",
            other => panic!("{what}: {other:?}"),
        };
        assert_eq!(met, expected, "{what}");
        let (bytes, error) = serving.join().unwrap();
        assert!(bytes.is_empty(), "{what}");
        // It is told why.
        let error = error.get_ref().and_then(|error| error.downcast_ref());
        assert!(
            matches!(error, Some(rustls::Error::AlertReceived(_))),
            "{what}: {error:?}"
        );
    }
}

/// A handshake record of 16 KiB is announced, and comes byte by byte.
pub fn dribble(mut tcp: TcpStream) {
    let start: &[u8] = &[22, 3, 3, 0x40, 0, 2, 0, 0x3f, 0xfc];
    let mut result = tcp.write_all(start);
    while result.is_ok() {
        thread::sleep(SHORT / 20);
        result = tcp.write_all(&[3]);
    }
}

/// Redirects one request.
pub fn redirecting(location: String) -> impl FnOnce(TlsStream) + Send {
    move |mut stream| {
        let mut request = [0; 1024];
        let _ = stream.read(&mut request).unwrap();
        let answer = format!("HTTP/1.1 308 X\r\nLocation: {location}\r\n\r\n");
        stream.write_all(answer.as_bytes()).unwrap();
        stream.conn.send_close_notify();
        stream.flush().unwrap();
    }
}
