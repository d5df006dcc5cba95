//! Which extensions a connection uses: the one place where permessage-deflate plugs into the
//! opening handshake (RFC 6455, 9.1, and RFC 7692, 5).
//!
//! The three functions cover the three sides of the negotiation: [`offer`] what a client asks for,
//! [`negotiate`] what a server makes of it, [`confirm`] what the client makes of the answer.

use alloc::string::String;

use super::error::HandshakeError;
use super::extension::Extension;
use crate::connection::Config;

/// The extensions that both sides agreed to use.
#[derive(Default, Debug, Clone)]
pub(crate) struct Extensions {
    #[cfg(feature = "deflate")]
    pub(crate) deflate: Option<crate::deflate::Agreement>,
}

impl Extensions {
    /// Whether one of them gives the first reserved bit of a frame a meaning.
    pub(crate) const fn use_rsv1(&self) -> bool {
        #[cfg(feature = "deflate")]
        return self.deflate.is_some();
        #[cfg(not(feature = "deflate"))]
        {
            let Self {} = self;
            false
        }
    }
}

/// The value of `Sec-WebSocket-Extensions` in a client's request, if anything is to be offered.
pub(super) fn offer(config: &Config) -> Option<String> {
    #[cfg(feature = "deflate")]
    if let Some(deflate) = &config.deflate {
        return Some(deflate.offer());
    }
    let _ = config;
    None
}

/// Whether a server has any use for a client's offers.
pub(super) const fn are_wanted(config: &Config) -> bool {
    #[cfg(feature = "deflate")]
    return config.deflate.is_some();
    #[cfg(not(feature = "deflate"))]
    {
        let _ = config;
        false
    }
}

/// What a server uses of a client's offers, which come in the order of the client's preference,
/// and the value of `Sec-WebSocket-Extensions` in its answer.
pub(super) fn negotiate(offers: &[Extension<'_>], config: &Config) -> (Extensions, Option<String>) {
    #[cfg(feature = "deflate")]
    if let Some(deflate) = &config.deflate
        && let Some((agreement, answer)) = deflate.accept(offers)
    {
        return (
            Extensions {
                deflate: Some(agreement),
            },
            Some(answer),
        );
    }
    let _ = (offers, config);
    (Extensions::default(), None)
}

/// What a server's answer means for a client whose [`offer`] was made from the same `config`.
pub(super) fn confirm(
    answer: &[Extension<'_>],
    config: &Config,
) -> Result<Extensions, HandshakeError> {
    #[cfg(feature = "deflate")]
    if let Some(deflate) = &config.deflate {
        return Ok(Extensions {
            deflate: deflate.check_response(answer)?,
        });
    }
    let _ = config;
    match answer {
        [] => Ok(Extensions::default()),
        [..] => Err(HandshakeError::ExtensionNotOffered),
    }
}
