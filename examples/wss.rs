//! WebSockets over TLS: an echo server that makes a certificate for itself, and a client.
//!
//!     cargo run --features tokio-rustls --example wss -- serve [ADDR] [--ca FILE]
//!     cargo run --features tokio-rustls --example wss -- connect URL [--ca FILE]
//!
//! The server writes its certificate to FILE, or prints it; the client trusts what is in FILE.
//! So this is a conversation:
//!
//!     wss serve 127.0.0.1:9443 --ca ca.pem &
//!     wss connect wss://localhost:9443 --ca ca.pem
//!
//! Without `--ca` the client trusts the roots of the feature `platform-roots` or `bundled-roots`. It
//! sends the lines of its standard input, prints what comes back, and closes at the end of its
//! input.
#![allow(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "a program"
)]

use std::error::Error;
use std::io::{self, BufRead, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use fullduplex::handshake::OriginPolicy;
use fullduplex::handshake::client::Request;
use fullduplex::handshake::server::Options;
use fullduplex::tokio::{self as ws, Shutdown};
use fullduplex::{CloseCode, ConnectOptions, Message};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{self, Receiver};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

const USAGE: &str = "usage: wss serve [ADDR] [--ca FILE]
       wss connect URL [--ca FILE]";

/// How long a client may take for TLS: a few round trips on a slow network.
const TLS_DEADLINE: Duration = Duration::from_secs(10);

/// How long connections may take to say good-bye at the end.
const GOOD_BYE: Duration = Duration::from_secs(6);

/// Lines that are read ahead of sending them.
const LINES_AHEAD: usize = 1000;

/// Whatever goes wrong is only to be printed.
type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let (mut places, mut ca) = (Vec::new(), None);
    let mut arguments = std::env::args_os().skip(1);
    while let Some(argument) = arguments.next() {
        match &*argument.to_string_lossy() {
            "--help" | "-h" => {
                println!("{USAGE}");
                return ExitCode::SUCCESS;
            }
            "--ca" => match arguments.next() {
                Some(file) => ca = Some(file.to_string_lossy().into_owned()),
                None => return usage("--ca which file?"),
            },
            option if option.starts_with('-') => {
                return usage(&format!("unknown option {option}"));
            }
            place => places.push(place.to_owned()),
        }
    }
    let places: Vec<_> = places.iter().map(String::as_str).collect();
    let done = match *places {
        ["serve"] => serve("127.0.0.1:9443", ca.as_deref()).await,
        ["serve", address] => serve(address, ca.as_deref()).await,
        ["connect", url] => connect(url, ca.as_deref()).await,
        _ => return usage("serve or connect?"),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(format_args!("{}", Causes(&*error)));
            ExitCode::FAILURE
        }
    }
}

fn usage(what: &str) -> ExitCode {
    eprintln!("{what}\n{USAGE}");
    ExitCode::FAILURE
}

/// The cryptography. Which one it is, is the application's to say.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// A configuration with a certificate for this machine, and the certificate as PEM.
fn self_made() -> Result<(ServerConfig, String), Failure> {
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let made = rcgen::generate_simple_self_signed(names)?;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)?;
    // Not h2: the opening handshake is one of HTTP/1.1.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok((config, made.cert.pem()))
}

async fn serve(address: &str, ca: Option<&str>) -> Result<(), Failure> {
    let (config, certificate) = self_made()?;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(address).await?;
    let mut hello = format!("listening on wss://{}\n", listener.local_addr()?);
    match ca {
        Some(file) => std::fs::write(file, certificate)?,
        None => hello += &certificate,
    }
    // Whoever started this may have closed the output.
    let _ = io::stdout().write_all(hello.as_bytes());
    let shutdown = Shutdown::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((tcp, peer)) => {
                    let (acceptor, shutdown) = (acceptor.clone(), shutdown.clone());
                    tokio::spawn(async move {
                        match echo(tcp, acceptor, &shutdown).await {
                            Ok(()) => say(format_args!("{peer}: closed")),
                            Err(error) => say(format_args!("{peer}: {}", Causes(&*error))),
                        }
                    });
                }
                // Out of file descriptors, or gone before it was accepted: others may still come.
                Err(error) => {
                    say(format_args!("accept: {error}"));
                    sleep(Duration::from_millis(10)).await;
                }
            },
            signal = tokio::signal::ctrl_c() => {
                signal?;
                break;
            }
        }
    }
    shutdown.close_all(CloseCode::GOING_AWAY, "the server ends")?;
    shutdown.finished(sleep(GOOD_BYE)).await;
    Ok(())
}

/// TLS, the opening handshake, and then whatever comes.
async fn echo(tcp: TcpStream, acceptor: TlsAcceptor, shutdown: &Shutdown) -> Result<(), Failure> {
    tcp.set_nodelay(true)?;
    let stream = timeout(TLS_DEADLINE, acceptor.accept(tcp)).await??;
    // Pages of other sites are kept out; programs that are no browsers send no Origin.
    let options = Options::new(OriginPolicy::same_origin());
    let mut socket = ws::accept(stream, &options).await?;
    socket.close_on(shutdown);
    while let Some(message) = socket.recv().await? {
        match socket.feed(message).await {
            // The server ends: what still comes gets no echo.
            Err(fullduplex::Error::Unsent(_)) => {}
            fed => fed?,
        }
    }
    Ok(())
}

async fn connect(url: &str, ca: Option<&str>) -> Result<(), Failure> {
    let mut options = ConnectOptions::new();
    if let Some(file) = ca {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(file)? {
            roots.add(certificate?)?;
        }
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        options = options.tls(config);
    }
    let socket = ws::connect_to(Request::new(url)?, &options).await?.socket;
    say(format_args!("connected to {url}"));
    let (mut reader, mut writer) = socket.split();
    let sending = async {
        let mut lines = read_lines();
        while let Some(line) = lines.recv().await {
            if writer.send(line?).await.is_err() {
                return Ok(()); // who receives learns why
            }
        }
        // Answers that are under way still come before the server's Close.
        let _ = writer.close(CloseCode::NORMAL, "").await;
        Ok::<_, io::Error>(())
    };
    let receiving = async {
        while let Some(message) = reader.recv().await? {
            show(&message)?;
        }
        Ok::<_, Failure>(())
    };
    // The end of the connection is what counts: there may be no end of input.
    tokio::select! {
        received = receiving => received?,
        Err(error) = sending => return Err(error.into()),
    }
    if let Some(outcome) = reader.outcome() {
        say(format_args!("{outcome}"));
    }
    Ok(())
}

/// Reading standard input blocks, so a thread does it.
fn read_lines() -> Receiver<io::Result<String>> {
    let (sender, receiver) = mpsc::channel(LINES_AHEAD);
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            let failed = line.is_err();
            if sender.blocking_send(line).is_err() || failed {
                return;
            }
        }
    });
    receiver
}

fn show(message: &Message) -> io::Result<()> {
    let mut output = io::stdout().lock();
    match message {
        Message::Text(text) => writeln!(output, "{text}"),
        Message::Binary(bytes) => writeln!(output, "({} bytes)", bytes.len()),
    }
}

fn say(text: std::fmt::Arguments<'_>) {
    // Nobody can be told that nobody can be told.
    let _ = writeln!(io::stderr(), "{text}");
}

/// An error with what caused it.
struct Causes<'e>(&'e (dyn Error + 'static));

impl std::fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut error = self.0;
        while let Some(cause) = error.source() {
            write!(f, ": {cause}")?;
            error = cause;
        }
        Ok(())
    }
}
