//! TLS by rustls: the configuration of a client.

use alloc::sync::Arc;
use core::fmt;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;

use crate::error::{Error, TlsError};
use crate::handshake::{BuildError, Url, UrlError};

/// How a client does TLS.
///
/// It is the application's own rustls configuration, or a default one that trusts the roots of the
/// platform ([`platform`](Self::platform), feature `platform-roots`) or Mozilla's, built in
/// ([`bundled`](Self::bundled), feature `bundled-roots`). The defaults use ring for cryptography,
/// and no process-wide provider is read or installed. They announce HTTP/1.1 by ALPN, since that is
/// what the opening handshake is; a configuration of one's own should say the same or nothing,
/// never `h2`.
///
/// The name of the host is announced (SNI) unless it is an IP address, and the certificate has to be
/// valid for it, unless the configuration says otherwise.
///
#[cfg_attr(feature = "bundled-roots", doc = "```")]
#[cfg_attr(not(feature = "bundled-roots"), doc = "```ignore")]
/// use fullduplex::{ConnectOptions, Tls};
///
/// let tls = Tls::bundled()?;
/// assert_eq!(tls.config().alpn_protocols, [b"http/1.1"]);
/// let options = ConnectOptions::new().tls(tls);
/// # Ok::<(), fullduplex::TlsError>(())
/// ```
#[derive(Clone)]
pub struct Tls(Arc<ClientConfig>);

impl Tls {
    /// The application's own configuration.
    pub const fn new(config: Arc<ClientConfig>) -> Self {
        Self(config)
    }

    /// Trusts what the platform trusts. Reading its roots takes some milliseconds: make it once.
    ///
    /// # Errors
    ///
    /// [`TlsError::Handshake`] if the platform has no roots to be found.
    #[cfg(feature = "platform-roots")]
    pub fn platform() -> Result<Self, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = rustls_platform_verifier::Verifier::new(Arc::clone(&provider))?;
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous() // which is the name for any verifier that rustls does not bring itself
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        Ok(Self::announcing_http(config))
    }

    /// Trusts Mozilla's roots as they were when the crate `webpki-roots` was released.
    ///
    /// # Errors
    ///
    /// [`TlsError::Handshake`] if the provider and rustls do not fit together.
    #[cfg(feature = "bundled-roots")]
    pub fn bundled() -> Result<Self, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let roots = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(Arc::<rustls::RootCertStore>::new(roots))
            .with_no_client_auth();
        Ok(Self::announcing_http(config))
    }

    #[cfg(any(feature = "platform-roots", feature = "bundled-roots"))]
    fn announcing_http(mut config: ClientConfig) -> Self {
        config.alpn_protocols = [b"http/1.1".to_vec()].to_vec();
        Self(Arc::new(config))
    }

    /// The configuration.
    pub const fn config(&self) -> &Arc<ClientConfig> {
        &self.0
    }

    /// What `wss` URLs get unless something else is asked for, made once and kept, so that sessions
    /// are resumed.
    pub(crate) fn standard() -> Result<Self, TlsError> {
        #[cfg(any(feature = "platform-roots", feature = "bundled-roots"))]
        {
            static STANDARD: std::sync::OnceLock<Tls> = std::sync::OnceLock::new();
            if let Some(tls) = STANDARD.get() {
                return Ok(tls.clone());
            }
            #[cfg(feature = "platform-roots")]
            let tls = Self::platform()?;
            #[cfg(not(feature = "platform-roots"))]
            let tls = Self::bundled()?;
            Ok(STANDARD.get_or_init(|| tls).clone())
        }
        #[cfg(not(any(feature = "platform-roots", feature = "bundled-roots")))]
        Err(TlsError::NotConfigured)
    }

    /// The name that the server has to prove: names without the dot that says that they are whole.
    pub(crate) fn server_name(url: &Url) -> Result<ServerName<'static>, Error> {
        let host = url.host();
        let name = ServerName::try_from(host.strip_suffix('.').unwrap_or(host));
        match name {
            Ok(name) => Ok(name.to_owned()),
            Err(_) => Err(BuildError::Url(UrlError::Host).into()),
        }
    }
}

impl From<Arc<ClientConfig>> for Tls {
    fn from(config: Arc<ClientConfig>) -> Self {
        Self::new(config)
    }
}

impl From<ClientConfig> for Tls {
    fn from(config: ClientConfig) -> Self {
        Self::new(Arc::new(config))
    }
}

/// Without the configuration, which may hold the key of a client.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}
