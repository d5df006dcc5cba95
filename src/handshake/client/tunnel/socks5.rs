//! SOCKS version 5 (RFC 1928) with user name and password (RFC 1929).
//!
//! ```text
//!   client                                     proxy
//!   05, methods                ------------>
//!                              <------------   05, method
//!   01, user name, password    ------------>                 if that is the method
//!                              <------------   01, status
//!   05, CONNECT, host, port    ------------>
//!                              <------------   05, reply, bound address
//! ```

use alloc::vec::Vec;
use core::mem;
use core::net::{Ipv4Addr, Ipv6Addr};

use super::error::{ProxyError, SocksReply};
use crate::connection::Inbox;
use crate::handshake::Url;
use crate::handshake::client::proxy::Credentials;

const VERSION: u8 = 5;
/// The version of the negotiation of RFC 1929.
const CREDENTIALS_VERSION: u8 = 1;
const NO_AUTHENTICATION: u8 = 0;
const USER_AND_PASSWORD: u8 = 2;
const NO_ACCEPTABLE_METHOD: u8 = 0xff;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

pub(super) struct Socks5 {
    stage: Stage,
    /// User name and password as they are sent; empty without.
    credentials: Vec<u8>,
    /// The request, until it is sent.
    request: Vec<u8>,
}

/// Which answer is awaited.
#[derive(Clone, Copy)]
enum Stage {
    Method,
    Credentials,
    Reply,
}

pub(super) enum Progress {
    Wanting,
    /// To be written before anything more is read.
    Send(Vec<u8>),
    Done,
}

impl Socks5 {
    /// With the greeting, to be sent first.
    pub(super) fn new(url: &Url, credentials: Option<&Credentials>) -> (Self, Vec<u8>) {
        let greeting = match credentials {
            None => [VERSION, 1, NO_AUTHENTICATION].to_vec(),
            Some(_) => [VERSION, 2, NO_AUTHENTICATION, USER_AND_PASSWORD].to_vec(),
        };
        let mut said = Vec::new();
        if let Some(Credentials { user, password }) = credentials {
            said.push(CREDENTIALS_VERSION);
            push_with_length(&mut said, user.as_bytes());
            push_with_length(&mut said, password.as_bytes());
        }
        let socks5 = Self {
            stage: Stage::Method,
            credentials: said,
            request: request(url),
        };
        (socks5, greeting)
    }

    /// Reads the awaited answer. Until the bytes to be sent are gone (`at_rest`) there can be none.
    pub(super) fn advance(
        &mut self,
        inbox: &mut Inbox,
        at_rest: bool,
    ) -> Result<Progress, ProxyError> {
        let unread = inbox.unread();
        let Some((&version, answer)) = unread.split_first() else {
            return Ok(Progress::Wanting);
        };
        if !at_rest {
            return Err(ProxyError::EarlyData);
        }
        let expected = match self.stage {
            Stage::Method | Stage::Reply => VERSION,
            Stage::Credentials => CREDENTIALS_VERSION,
        };
        if version != expected {
            return Err(ProxyError::NotSocks5);
        }
        let Some((&value, rest)) = answer.split_first() else {
            return Ok(Progress::Wanting);
        };
        let (stage, bytes, consumed) = match self.stage {
            Stage::Method => match value {
                NO_AUTHENTICATION => (Stage::Reply, &mut self.request, 2),
                USER_AND_PASSWORD if !self.credentials.is_empty() => {
                    (Stage::Credentials, &mut self.credentials, 2)
                }
                NO_ACCEPTABLE_METHOD => return Err(ProxyError::NoAcceptableMethod),
                _ => return Err(ProxyError::Malformed),
            },
            Stage::Credentials if value != 0 => return Err(ProxyError::CredentialsRefused(value)),
            Stage::Credentials => (Stage::Reply, &mut self.request, 2),
            Stage::Reply => {
                // A proxy that refuses may close at once: what it says behind the reason is not
                // waited for.
                if let Some(reply) = SocksReply::from_byte(value) {
                    return Err(ProxyError::Socks(reply));
                }
                let Some(length) = bound_address(rest)? else {
                    return Ok(Progress::Wanting);
                };
                inbox.consume(2 + length);
                return Ok(Progress::Done);
            }
        };
        let bytes = mem::take(bytes);
        inbox.consume(consumed);
        self.stage = stage;
        if inbox.unread().is_empty() {
            Ok(Progress::Send(bytes))
        } else {
            Err(ProxyError::EarlyData)
        }
    }
}

/// The length of what follows the reply, once all of it is there: a reserved byte, the type of the
/// address that the proxy connects from, address and port.
fn bound_address(bytes: &[u8]) -> Result<Option<usize>, ProxyError> {
    let address = match bytes {
        [] | [0] | [0, NAME] => return Ok(None),
        [0, IPV4, ..] => 4,
        [0, IPV6, ..] => 16,
        [0, NAME, length, ..] => 1 + usize::from(*length),
        _ => return Err(ProxyError::Malformed),
    };
    let length = 2 + address + 2;
    Ok((bytes.len() >= length).then_some(length))
}

/// The request to connect. Names are resolved by the proxy.
fn request(url: &Url) -> Vec<u8> {
    let mut out = [VERSION, CONNECT, 0].to_vec();
    let host = url.host();
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        out.push(IPV4);
        out.extend_from_slice(&address.octets());
    } else if let Ok(address) = host.parse::<Ipv6Addr>() {
        out.push(IPV6);
        out.extend_from_slice(&address.octets());
    } else {
        out.push(NAME);
        push_with_length(&mut out, host.as_bytes());
    }
    out.extend_from_slice(&url.port().to_be_bytes());
    out
}

/// Hosts have at most 254 bytes, user names and passwords 255: both were checked when they came.
fn push_with_length(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u8::try_from(bytes.len()).unwrap_or(u8::MAX);
    out.push(length);
    out.extend(bytes.iter().take(usize::from(length)));
}
