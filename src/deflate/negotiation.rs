//! Offer, response and what follows from them (RFC 7692, sections 5 and 7.1).
//!
//! The functions work on lists of extensions, so that an HTTP/1.1 head, a request of an HTTP
//! library and an HTTP/2 header list are negotiated alike.

use alloc::borrow::Cow;
use alloc::string::{String, ToString};

use super::{Agreement, ContextTakeover, Deflate, Direction, WindowBits};
use crate::handshake::extension::Extension;

const NAME: &str = "permessage-deflate";
const SERVER_NO_CONTEXT_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_NO_CONTEXT_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_MAX_WINDOW_BITS: &str = "server_max_window_bits";
const CLIENT_MAX_WINDOW_BITS: &str = "client_max_window_bits";

/// Why a server's response does not fit what the client offered; the client must then fail the
/// handshake (RFC 7692, sections 5 and 7).
///
/// ```
/// use fullduplex::deflate::{Deflate, NegotiationError};
/// use fullduplex::handshake::extension::parse_extensions;
///
/// let response = parse_extensions(b"permessage-deflate; server_max_window_bits=16")?;
/// let error = Deflate::new().check_response(&response).unwrap_err();
/// assert_eq!(error.to_string(), "bad value of server_max_window_bits in the response");
/// # Ok::<(), fullduplex::handshake::extension::MalformedExtensions>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NegotiationError {
    /// The response names an extension that was not offered (RFC 6455, section 4.1).
    #[error("response names extension {0:?}, which was not offered")]
    NotOffered(String),
    /// The response accepts the extension more than once (RFC 7692, section 5).
    #[error("response names permessage-deflate more than once")]
    Repeated,
    /// The extension does not define this parameter (section 7).
    #[error("unknown parameter {0:?} in the response")]
    UnknownParameter(String),
    /// The parameter stands there twice (section 7).
    #[error("duplicate parameter {0} in the response")]
    DuplicateParameter(&'static str),
    /// The parameter's value is missing, out of range or larger than offered, or it has one that it
    /// must not have (section 7.1).
    #[error("bad value of {0} in the response")]
    BadValue(&'static str),
    /// The client made this a condition and the response does not repeat it (section 7.1).
    #[error("response does not grant {0}")]
    NotGranted(&'static str),
}

impl Deflate {
    /// The client's offer, as a value of `Sec-WebSocket-Extensions`.
    ///
    /// By default it is exactly `permessage-deflate; client_max_window_bits`.
    pub fn offer(&self) -> String {
        let mut offer = Extension::new(NAME);
        if self.peer_takeover == Some(ContextTakeover::Off) {
            offer = offer.with(SERVER_NO_CONTEXT_TAKEOVER, None);
        }
        if self.takeover == Some(ContextTakeover::Off) {
            offer = offer.with(CLIENT_NO_CONTEXT_TAKEOVER, None);
        }
        let bits = limit(self.peer_max_window_bits);
        if bits.is_some() {
            offer = offer.with(SERVER_MAX_WINDOW_BITS, bits);
        }
        offer
            .with(CLIENT_MAX_WINDOW_BITS, limit(self.max_window_bits))
            .to_string()
    }

    /// The server's decision: the first offer that it can honour, and its response to it as a value
    /// of `Sec-WebSocket-Extensions`.
    ///
    /// `None` if there is no such offer. The handshake then goes on without the extension; that an
    /// offer is declined is no error (RFC 7692, section 5).
    ///
    /// ```
    /// use fullduplex::deflate::Deflate;
    /// use fullduplex::handshake::extension::parse_extensions;
    ///
    /// let offers = parse_extensions(
    ///     b"permessage-deflate; unheard_of, permessage-deflate; server_max_window_bits=10",
    /// )?;
    /// let (agreement, response) = Deflate::new().accept(&offers).unwrap();
    /// assert_eq!(agreement.send.window_bits.bits(), 10);
    /// assert_eq!(
    ///     response,
    ///     "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
    ///      server_max_window_bits=10"
    /// );
    /// # Ok::<(), fullduplex::handshake::extension::MalformedExtensions>(())
    /// ```
    pub fn accept(&self, offers: &[Extension<'_>]) -> Option<(Agreement, String)> {
        offers
            .iter()
            .filter(|offer| offer.name == NAME)
            .find_map(|offer| self.answer(&Params::parse(offer).ok()?))
    }

    /// The client's check of the extensions that a server's response names.
    ///
    /// `None` if there are none: the connection is then used without compression.
    ///
    /// # Errors
    ///
    /// [`NegotiationError`] if the response is no answer to [`offer`](Self::offer).
    pub fn check_response(
        &self,
        response: &[Extension<'_>],
    ) -> Result<Option<Agreement>, NegotiationError> {
        if let Some(stranger) = response.iter().find(|extension| extension.name != NAME) {
            return Err(NegotiationError::NotOffered(stranger.name.to_string()));
        }
        Ok(match response {
            [] => None,
            [accepted] => Some(self.conclude(&Params::parse(accepted)?)?),
            [..] => return Err(NegotiationError::Repeated),
        })
    }

    /// Answers one offer, or declines it.
    fn answer(&self, offer: &Params) -> Option<(Agreement, String)> {
        let mut response = Extension::new(NAME);
        // Section 7.1.1.1: a condition that a server accepts it repeats. It may name it unasked.
        let send_takeover = both(self.takeover.unwrap_or(ContextTakeover::Off), offer.server);
        if send_takeover == ContextTakeover::Off {
            response = response.with(SERVER_NO_CONTEXT_TAKEOVER, None);
        }
        // Section 7.1.1.2: the server decides, whether the client gave a hint or not.
        let receive_takeover = both(
            self.peer_takeover.unwrap_or(ContextTakeover::Off),
            offer.client,
        );
        if receive_takeover == ContextTakeover::Off {
            response = response.with(CLIENT_NO_CONTEXT_TAKEOVER, None);
        }
        // Section 7.1.2.1: only an offer that names a size gets one in return. Raw deflate has no
        // window of 8 bits in the backend, so such an offer is declined.
        let send_bits = match offer.server_bits {
            Bits::Absent => self.max_window_bits,
            Bits::Bare => return None,
            Bits::Value(bits) if bits < WindowBits::NINE => return None,
            Bits::Value(bits) => {
                let agreed = bits.min(self.max_window_bits);
                response = response.with(SERVER_MAX_WINDOW_BITS, Some(decimal(agreed)));
                agreed
            }
        };
        // Section 7.1.2.2: a client that does not name the parameter cannot be told.
        let receive_bits = match offer.client_bits {
            Bits::Absent if self.peer_max_window_bits < WindowBits::MAX => return None,
            Bits::Absent => WindowBits::MAX,
            Bits::Bare => self.peer_max_window_bits,
            Bits::Value(bits) => bits.min(self.peer_max_window_bits),
        };
        let bits = limit(receive_bits);
        if bits.is_some() {
            response = response.with(CLIENT_MAX_WINDOW_BITS, bits);
        }
        let agreement = Agreement::new(
            Direction::new(send_bits, send_takeover),
            Direction::new(receive_bits, receive_takeover),
        );
        Some((agreement, response.to_string()))
    }

    /// What the parameters of an accepting response come to.
    fn conclude(&self, response: &Params) -> Result<Agreement, NegotiationError> {
        if self.peer_takeover == Some(ContextTakeover::Off)
            && response.server == ContextTakeover::On
        {
            return Err(NegotiationError::NotGranted(SERVER_NO_CONTEXT_TAKEOVER));
        }
        let receive_bits = match response.server_bits {
            Bits::Absent if self.peer_max_window_bits < WindowBits::MAX => {
                return Err(NegotiationError::NotGranted(SERVER_MAX_WINDOW_BITS));
            }
            Bits::Absent => WindowBits::MAX,
            Bits::Value(bits) if bits <= self.peer_max_window_bits => bits,
            Bits::Bare | Bits::Value(_) => {
                return Err(NegotiationError::BadValue(SERVER_MAX_WINDOW_BITS));
            }
        };
        let send_bits = match response.client_bits {
            Bits::Absent => self.max_window_bits,
            Bits::Value(bits) if bits <= self.max_window_bits => bits,
            Bits::Bare | Bits::Value(_) => {
                return Err(NegotiationError::BadValue(CLIENT_MAX_WINDOW_BITS));
            }
        };
        let send_takeover = both(
            self.takeover.unwrap_or(ContextTakeover::Off),
            response.client,
        );
        Ok(Agreement::new(
            Direction::new(send_bits, send_takeover),
            Direction::new(receive_bits, response.server),
        ))
    }
}

/// The four parameters of one offer or response.
struct Params {
    server: ContextTakeover,
    client: ContextTakeover,
    server_bits: Bits,
    client_bits: Bits,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Bits {
    Absent,
    Bare,
    Value(WindowBits),
}

impl Params {
    fn parse(extension: &Extension<'_>) -> Result<Self, NegotiationError> {
        let mut params = Self {
            server: ContextTakeover::On,
            client: ContextTakeover::On,
            server_bits: Bits::Absent,
            client_bits: Bits::Absent,
        };
        for param in &extension.params {
            let value = param.value.as_deref();
            match param.name {
                SERVER_NO_CONTEXT_TAKEOVER => {
                    set_off(&mut params.server, SERVER_NO_CONTEXT_TAKEOVER, value)?;
                }
                CLIENT_NO_CONTEXT_TAKEOVER => {
                    set_off(&mut params.client, CLIENT_NO_CONTEXT_TAKEOVER, value)?;
                }
                SERVER_MAX_WINDOW_BITS => {
                    set_bits(&mut params.server_bits, SERVER_MAX_WINDOW_BITS, value)?;
                }
                CLIENT_MAX_WINDOW_BITS => {
                    set_bits(&mut params.client_bits, CLIENT_MAX_WINDOW_BITS, value)?;
                }
                unknown => {
                    return Err(NegotiationError::UnknownParameter(unknown.to_string()));
                }
            }
        }
        Ok(params)
    }
}

fn set_off(
    takeover: &mut ContextTakeover,
    name: &'static str,
    value: Option<&str>,
) -> Result<(), NegotiationError> {
    if value.is_some() {
        return Err(NegotiationError::BadValue(name));
    }
    if *takeover == ContextTakeover::Off {
        return Err(NegotiationError::DuplicateParameter(name));
    }
    *takeover = ContextTakeover::Off;
    Ok(())
}

fn set_bits(
    bits: &mut Bits,
    name: &'static str,
    value: Option<&str>,
) -> Result<(), NegotiationError> {
    if *bits != Bits::Absent {
        return Err(NegotiationError::DuplicateParameter(name));
    }
    *bits = match value {
        None => Bits::Bare,
        Some(value) => {
            Bits::Value(WindowBits::parse(value).ok_or(NegotiationError::BadValue(name))?)
        }
    };
    Ok(())
}

/// Context is taken over only where neither side is against it.
fn both(one: ContextTakeover, other: ContextTakeover) -> ContextTakeover {
    match (one, other) {
        (ContextTakeover::On, ContextTakeover::On) => ContextTakeover::On,
        (ContextTakeover::Off, _) | (_, ContextTakeover::Off) => ContextTakeover::Off,
    }
}

/// The value that says so, where the window is to be smaller than the largest.
fn limit(bits: WindowBits) -> Option<Cow<'static, str>> {
    (bits < WindowBits::MAX).then(|| decimal(bits))
}

fn decimal(bits: WindowBits) -> Cow<'static, str> {
    bits.bits().to_string().into()
}
