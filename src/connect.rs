//! What a client can be told about the way to a server, the same for every adapter.

use crate::connection::Config;
use crate::error::Error;
use crate::handshake::client::{Proxy, Redirects, Rejection, Request};
use crate::handshake::{HandshakeError, Url};
#[cfg(feature = "rustls")]
use crate::tls::Tls;

/// How a client connects: through which proxy, with which TLS, following redirects or not, and the
/// configuration of the connection.
///
/// By default there is no proxy, redirects are refusals, and TLS is that of `Tls::platform` if the
/// feature `platform-roots` is on, else that of `Tls::bundled` with `bundled-roots`.
///
/// ```no_run
/// use fullduplex::handshake::client::{Redirects, Request};
/// use fullduplex::{ConnectOptions, blocking};
///
/// let options = ConnectOptions::new()
///     .proxy("socks5://127.0.0.1:9050".parse()?)
///     .redirects(Redirects::up_to(3));
/// let request = Request::new("ws://example.com/chat")?;
/// let mut socket = blocking::connect_to(request, &options)?.socket;
/// socket.send("hello")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct ConnectOptions {
    pub(crate) config: Config,
    pub(crate) proxy: Option<Proxy>,
    redirects: Redirects,
    #[cfg(feature = "rustls")]
    tls: Option<Tls>,
}

impl ConnectOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Limits, deadlines and the rest of the connection's configuration.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Goes through a proxy.
    #[must_use]
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = Some(proxy);
        self
    }

    /// Follows redirects. Each of them is a connection of its own, with the deadlines of one.
    #[must_use]
    pub const fn redirects(mut self, redirects: Redirects) -> Self {
        self.redirects = redirects;
        self
    }

    /// Uses this TLS for `wss` URLs.
    #[cfg(feature = "rustls")]
    #[must_use]
    pub fn tls(mut self, tls: impl Into<Tls>) -> Self {
        self.tls = Some(tls.into());
        self
    }

    /// Where TCP leads.
    pub(crate) fn endpoint<'a>(&'a self, url: &'a Url) -> (&'a str, u16) {
        match &self.proxy {
            Some(proxy) => (proxy.host(), proxy.port()),
            None => (url.host(), url.port()),
        }
    }

    /// What a URL asks for: `None` if that is no TLS.
    #[cfg(feature = "rustls")]
    pub(crate) fn tls_for(&self, url: &Url) -> Result<Option<Tls>, Error> {
        if !url.is_secure() {
            return Ok(None);
        }
        match &self.tls {
            Some(tls) => Ok(Some(tls.clone())),
            None => Ok(Some(Tls::standard()?)),
        }
    }

    /// What a URL asks for, where there is nothing that it could be given.
    #[cfg(not(feature = "rustls"))]
    #[expect(clippy::unused_self, reason = "as with the feature")]
    pub(crate) fn tls_for(&self, url: &Url) -> Result<(), Error> {
        if url.is_secure() {
            Err(crate::error::TlsError::NotConfigured.into())
        } else {
            Ok(())
        }
    }

    pub(crate) const fn hops(&self, request: Request) -> Hops {
        Hops {
            request,
            redirects: self.redirects,
        }
    }
}

/// A request that may be sent elsewhere.
#[derive(Debug)]
pub(crate) struct Hops {
    pub(crate) request: Request,
    redirects: Redirects,
}

impl Hops {
    /// Goes on to where `error` leads, if it is a redirect that is to be followed.
    pub(crate) fn follow(&mut self, error: Error) -> Result<(), Error> {
        let Error::Handshake(HandshakeError::Rejected(rejection)) = error else {
            return Err(error);
        };
        match self.next(&rejection)? {
            Some(request) => {
                self.request = request;
                Ok(())
            }
            None => Err(HandshakeError::Rejected(rejection).into()),
        }
    }

    fn next(&mut self, rejection: &Rejection) -> Result<Option<Request>, Error> {
        Ok(self.redirects.follow(&self.request, rejection)?)
    }
}
