//! What makes a list of headers a handshake (RFC 6455, 4.1, 4.2 and 11.3), whatever carried it.

use alloc::string::String;
use alloc::vec::Vec;

use super::build::BuildError;
use super::carrier;
use super::error::HandshakeError;
use super::extension::{Extension, check_extensions, parse_extensions};
use super::extensions::{self, Extensions};
use super::fields::{EXTENSIONS, Fields, PROTOCOL, Single, VERSION};
use super::grammar::is_token;
use super::headers::Headers;
use super::key::Accept;
use super::origin::OriginPolicy;
use super::server::HttpRequest;
use crate::connection::Config;

/// What a server has found out about a handshake request that it may accept.
#[derive(Debug)]
pub(super) struct Agreement {
    /// In HTTP/1.1 only.
    pub(super) accept: Option<Accept>,
    pub(super) extensions: Extensions,
    /// The value of `Sec-WebSocket-Extensions` in the answer.
    pub(super) extensions_header: Option<String>,
}

/// What a client has to find in the response.
#[derive(Debug)]
pub(super) struct Expected {
    /// In HTTP/1.1 only.
    pub(super) accept: Option<Accept>,
    pub(super) subprotocols: Vec<String>,
    pub(super) subprotocol: Subprotocol,
}

/// Whether a client goes on without a subprotocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subprotocol {
    Optional,
    Required,
}

/// Judges a request; `None` when it does not ask for a WebSocket at all.
pub(super) fn request(
    request: &HttpRequest,
    origins: &OriginPolicy,
    config: &Config,
) -> Result<Option<Agreement>, HandshakeError> {
    let fields = Fields::collect(request.headers());
    let carrier = request.carrier();
    if !carrier.asks(request, &fields)? {
        return Ok(None);
    }
    if !request.has_valid_target() {
        return Err(HandshakeError::InvalidTarget);
    }
    // Content-Length: 0 is no body, and what every Java client sends.
    match fields.content_length {
        Single::Absent | Single::Once(b"0") if !fields.transfer_encoding.is_present() => {}
        _ => return Err(HandshakeError::UnexpectedBody),
    }
    carrier.check_connection(request, &fields)?;
    if fields.version.required(VERSION)? != b"13" {
        return Err(HandshakeError::UnsupportedVersion);
    }
    let accept = carrier.accept(&fields)?;
    check_origin(fields.origin, request, origins)?;
    if fields.protocol.is_present() {
        check_protocols(request.headers())?;
    }
    let (extensions, extensions_header) = match fields.extensions {
        Single::Absent => (Extensions::default(), None),
        // What is not wanted has to match the grammar all the same (RFC 6455, 9.1).
        Single::Once(value) if !extensions::are_wanted(config) => {
            check_extensions(value).map_err(|_| HandshakeError::InvalidHeader(EXTENSIONS))?;
            (Extensions::default(), None)
        }
        Single::Once(_) | Single::Repeated => {
            extensions::negotiate(&parse_all(request.headers())?, config)
        }
    };
    Ok(Some(Agreement {
        accept,
        extensions,
        extensions_header,
    }))
}

/// Two origins, or one that is not text, must not reach a policy or an application, which might
/// see none and take the client for something else than a browser.
fn check_origin(
    origin: Single<'_>,
    request: &HttpRequest,
    origins: &OriginPolicy,
) -> Result<(), HandshakeError> {
    const REFUSED: HandshakeError = HandshakeError::OriginNotAllowed;
    let origin = match origin {
        Single::Absent => None,
        Single::Once(value) if value.iter().all(u8::is_ascii_graphic) => {
            Some(core::str::from_utf8(value).map_err(|_| REFUSED)?)
        }
        Single::Once(_) | Single::Repeated => return Err(REFUSED),
    };
    if origins.allows(origin, request.host()) {
        Ok(())
    } else {
        Err(REFUSED)
    }
}

/// The header may be split over lines, but all of it has to be tokens (RFC 6455, 4.1, item 10),
/// and at least one. That they differ is the client's duty, and nothing depends on it.
fn check_protocols(headers: &Headers) -> Result<(), HandshakeError> {
    let mut offers = headers.elements(PROTOCOL).peekable();
    if offers.peek().is_none() || !offers.all(is_token) {
        return Err(HandshakeError::InvalidHeader(PROTOCOL));
    }
    Ok(())
}

fn parse_all(headers: &Headers) -> Result<Vec<Extension<'_>>, HandshakeError> {
    let parse =
        |value| parse_extensions(value).map_err(|_| HandshakeError::InvalidHeader(EXTENSIONS));
    let mut lines = headers.get_all(EXTENSIONS);
    // There is one line as a rule, whose list is taken over as it is.
    let mut extensions = lines.next().map_or_else(|| Ok(Vec::new()), parse)?;
    for line in lines {
        extensions.append(&mut parse(line)?);
    }
    Ok(extensions)
}

/// The first of the server's subprotocols that the client offers too.
pub(super) fn select_subprotocol<'p>(
    request: &HttpRequest,
    preference: &[&'p str],
) -> Option<&'p str> {
    let offered = |name: &&str| request.subprotocols().any(|offer| offer == *name);
    preference.iter().copied().find(offered)
}

/// A server answers with a subprotocol that the client listed, or with none (RFC 6455, 4.2.2, item
/// 5.5).
pub(super) fn check_chosen(request: &HttpRequest, chosen: &str) -> Result<(), BuildError> {
    if select_subprotocol(request, &[chosen]).is_some() {
        Ok(())
    } else {
        Err(BuildError::SubprotocolNotOffered)
    }
}

/// Judges the headers of a response whose status is a consent, in the order of RFC 6455, 4.1.
pub(super) fn response(
    headers: &Headers,
    expected: &Expected,
    config: &Config,
) -> Result<(Extensions, Option<String>), HandshakeError> {
    carrier::check_consent(headers, expected.accept.as_ref())?;
    let extensions = match Single::of(headers.get_all(EXTENSIONS)).optional(EXTENSIONS)? {
        None => extensions::confirm(&[], config)?,
        Some(_) => extensions::confirm(&parse_all(headers)?, config)?,
    };
    let subprotocol = match Single::of(headers.get_all(PROTOCOL)).optional(PROTOCOL)? {
        None if expected.subprotocol == Subprotocol::Required => {
            return Err(HandshakeError::SubprotocolMissing);
        }
        None => None,
        Some(chosen) => {
            let mut offers = expected.subprotocols.iter();
            let offer = offers.find(|offer| offer.as_bytes() == chosen);
            Some(offer.ok_or(HandshakeError::SubprotocolNotOffered)?.clone())
        }
    };
    Ok((extensions, subprotocol))
}
