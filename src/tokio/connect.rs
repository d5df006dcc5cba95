//! From a URL to an open connection.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::future::{Future, poll_fn};
use core::pin::{Pin, pin};
use core::task::Poll;
use core::time::Duration;
use std::io::{self, ErrorKind};

use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, sleep, timeout_at};

use super::maybe_tls::MaybeTls;
use super::{Connected, Io, WebSocket};
use crate::asynchronous as shared;
use crate::connect::ConnectOptions;
use crate::connection::Inbox;
use crate::error::Error;
#[cfg(feature = "tokio-rustls")]
use crate::error::TlsError;
use crate::handshake::client::{ATTEMPT_DELAY, Request, Tunnel, attempt_order};
#[cfg(feature = "tokio-rustls")]
use crate::tls::Tls;

/// Connects to a `ws` or `wss` URL, with the default [`ConnectOptions`].
///
/// ```no_run
/// # async fn hello() -> Result<(), fullduplex::Error> {
/// let mut socket = fullduplex::tokio::connect("ws://127.0.0.1:9001/").await?;
/// socket.send("hello").await?;
/// let answer = socket.recv().await?;
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// [`Error::Build`] for a URL that is not valid, and as [`connect_to`].
///
/// # Cancel safety
///
/// If the future is dropped, so is the connection.
pub async fn connect(url: &str) -> Result<WebSocket<MaybeTls>, Error> {
    let options = ConnectOptions::new();
    Ok(connect_to(Request::new(url)?, &options).await?.socket)
}

/// Connects to where `request` points: through a proxy, with TLS (feature `tokio-rustls`),
/// following redirects, as `options` say. Small packets are sent at once.
///
/// The addresses of the host are tried one after the other, the families by turns, each with
/// [a head start](ATTEMPT_DELAY) on the next; the first that answers is taken (RFC 8305).
/// [`Timeouts::connect`](crate::Timeouts::connect) bounds the whole way to the server, and
/// [`Timeouts::handshake`](crate::Timeouts::handshake) the opening handshake after it.
///
/// Connecting again after a failure is the caller's business: wait a random time before the first
/// retry and longer before each further one (RFC 6455, section 7.2.3), and have no two handshakes
/// with the same address under way at once (section 4.1).
///
/// # Errors
///
/// [`Error::Io`] when there is no connection, [`Error::Proxy`] and [`Error::Tls`] when there is no
/// way on from there, [`Error::Handshake`] when the server refused, and [`Error::Redirect`] when it
/// named a place where the client does not go.
///
/// # Cancel safety
///
/// If the future is dropped, so is the connection.
pub async fn connect_to(
    request: Request,
    options: &ConnectOptions,
) -> Result<Connected<MaybeTls>, Error> {
    let mut hops = options.hops(request);
    loop {
        match Box::pin(open_once(hops.request.clone(), options)).await {
            Ok(connected) => return Ok(connected),
            Err(error) => hops.follow(error)?,
        }
    }
}

/// Goes the whole way once.
async fn open_once(
    request: Request,
    options: &ConnectOptions,
) -> Result<Connected<MaybeTls>, Error> {
    let config = &options.config;
    let url = request.url();
    // What cannot end well is not begun.
    #[cfg(feature = "tokio-rustls")]
    let tls = match options.tls_for(url)? {
        Some(tls) => Some((tls, Tls::server_name(url)?)),
        None => None,
    };
    #[cfg(not(feature = "tokio-rustls"))]
    if url.is_secure() {
        return Err(crate::error::TlsError::NotConfigured.into());
    }

    let deadline = after(config.timeouts.connect);
    let (host, port) = options.endpoint(url);
    let stream = match within(deadline, open_tcp(host, port)).await {
        Some(opened) => opened?,
        None => return Err(io::Error::from(ErrorKind::TimedOut).into()),
    };
    let (stream, inbox) = match &options.proxy {
        Some(proxy) => {
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            let tunnel = Tunnel::new(proxy, url, config.limits, left);
            shared::open_tunnel(Io(stream), tunnel).await?
        }
        None => (stream, Inbox::new()),
    };
    #[cfg(feature = "tokio-rustls")]
    let stream = match tls {
        Some((tls, name)) => {
            let connector = tokio_rustls::TlsConnector::from(alloc::sync::Arc::clone(tls.config()));
            match within(deadline, connector.connect(name, stream)).await {
                Some(Ok(stream)) => MaybeTls::Tls(Box::new(stream)),
                Some(Err(error)) => return Err(TlsError::of_handshake(error)),
                None => return Err(TlsError::TimedOut.into()),
            }
        }
        None => MaybeTls::Plain(stream),
    };
    #[cfg(not(feature = "tokio-rustls"))]
    let stream = MaybeTls::Plain(stream);
    shared::connect_over(Io(stream), inbox, request, config).await
}

/// Tries the host's addresses until one answers, and keeps the last error.
async fn open_tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let addresses = attempt_order(lookup_host((host, port)).await?);
    let stream = first_of(addresses.into_iter().map(TcpStream::connect)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Begins `attempts` one after the other: the next when the last one has failed or has had its
/// time. The first that succeeds ends the others.
async fn first_of<T>(
    mut attempts: impl Iterator<Item = impl Future<Output = io::Result<T>>>,
) -> io::Result<T> {
    let mut under_way: Vec<Pin<Box<_>>> = Vec::new();
    let mut last = io::Error::from(ErrorKind::NotFound);
    loop {
        let next = attempts.next();
        let more = next.is_some();
        under_way.extend(next.map(Box::pin));
        if under_way.is_empty() {
            return Err(last);
        }
        let mut head_start = pin!(sleep(ATTEMPT_DELAY));
        let done = poll_fn(|cx| {
            for (index, attempt) in under_way.iter_mut().enumerate() {
                if let Poll::Ready(result) = attempt.as_mut().poll(cx) {
                    return Poll::Ready(Some((index, result)));
                }
            }
            if more && head_start.as_mut().poll(cx).is_ready() {
                return Poll::Ready(None);
            }
            Poll::Pending
        });
        match done.await {
            Some((_, Ok(stream))) => return Ok(stream),
            Some((index, Err(error))) => {
                drop(under_way.swap_remove(index));
                last = error;
            }
            None => {}
        }
    }
}

/// What `future` comes to, if it does by `deadline`.
async fn within<T>(deadline: Option<Instant>, future: impl Future<Output = T>) -> Option<T> {
    match deadline {
        Some(deadline) => timeout_at(deadline, future).await.ok(),
        None => Some(future.await),
    }
}

/// A moment that the clock cannot say never comes.
fn after(timeout: Option<Duration>) -> Option<Instant> {
    Instant::now().checked_add(timeout?)
}
