//! Close frames (RFC 6455, sections 5.5.1 and 7.4): codes, reasons, and the body that holds them.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str;

use crate::Role;
use crate::connection::ReceiveError;

/// The longest close reason in bytes: a control payload less the two bytes of the code.
pub const MAX_REASON: usize = 123;

/// Why a connection ends (RFC 6455, section 7.4).
///
/// Any number can be held, since codes are also reported that never travel: 1005 and 1006 tell
/// that none came. [`is_receivable`](Self::is_receivable) and [`is_sendable`](Self::is_sendable)
/// say what may stand on the wire.
///
/// ```
/// use fullduplex::{CloseCode, Role};
///
/// assert_eq!(u16::from(CloseCode::TOO_BIG), 1009);
/// assert!(CloseCode::from(4000).is_sendable(Role::Server));
/// assert!(!CloseCode::ABNORMAL.is_receivable());
/// assert_eq!(CloseCode::GOING_AWAY.to_string(), "1001 going away");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the purpose of the connection is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// 1001: the server goes down or the page is left.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: the message is of a type that this endpoint does not take.
    pub const UNSUPPORTED: Self = Self(1003);
    /// 1005: the Close frame held no code. Reported, never sent.
    pub const NO_STATUS: Self = Self(1005);
    /// 1006: the transport ended without a Close frame. Reported, never sent.
    pub const ABNORMAL: Self = Self(1006);
    /// 1007: the payload does not fit the message's type, such as text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// 1008: the message violates a policy; the general code where no other fits.
    pub const POLICY: Self = Self(1008);
    /// 1009: the message is too big to process.
    pub const TOO_BIG: Self = Self(1009);
    /// 1010: the server did not negotiate an extension that the client needs. Clients only.
    pub const MANDATORY_EXTENSION: Self = Self(1010);
    /// 1011: the endpoint met an unexpected condition.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// 1012: the service restarts; come back.
    pub const SERVICE_RESTART: Self = Self(1012);
    /// 1013: the service is overloaded; try again later.
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// 1014: a gateway got a bad answer from upstream.
    pub const BAD_GATEWAY: Self = Self(1014);
    /// 1015: the TLS handshake failed. Reported, never sent.
    pub const TLS_HANDSHAKE: Self = Self(1015);
    /// 3000: the client is not authenticated.
    pub const UNAUTHORIZED: Self = Self(3000);
    /// 3003: the client may not do this.
    pub const FORBIDDEN: Self = Self(3003);
    /// 3008: the peer took too long.
    pub const TIMEOUT: Self = Self(3008);

    /// Whether a Close frame with this code is legal: the registered codes 1000 to 1003 and 1007 to
    /// 1014, and 3000 to 4999.
    pub const fn is_receivable(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }

    /// Whether an endpoint in `role` may send this code. As receivable, but 1010 is the client's.
    pub fn is_sendable(self, role: Role) -> bool {
        self.is_receivable() && (self != Self::MANDATORY_EXTENSION || role == Role::Client)
    }

    /// Whether connecting again later may succeed: after 1001, 1006, 1012 and 1013 it may, while
    /// the other registered codes tell of a condition that a retry meets again. Wait a random time
    /// before the first retry and longer before each further one (RFC 6455, section 7.2.3).
    pub const fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::GOING_AWAY | Self::ABNORMAL | Self::SERVICE_RESTART | Self::TRY_AGAIN_LATER
        )
    }

    /// The code's name in words, or `None` where it has no registered one.
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::NORMAL => "normal closure",
            Self::GOING_AWAY => "going away",
            Self::PROTOCOL_ERROR => "protocol error",
            Self::UNSUPPORTED => "unsupported data",
            Self::NO_STATUS => "no status received",
            Self::ABNORMAL => "abnormal closure",
            Self::INVALID_PAYLOAD => "invalid payload data",
            Self::POLICY => "policy violation",
            Self::TOO_BIG => "message too big",
            Self::MANDATORY_EXTENSION => "mandatory extension missing",
            Self::INTERNAL_ERROR => "internal error",
            Self::SERVICE_RESTART => "service restart",
            Self::TRY_AGAIN_LATER => "try again later",
            Self::BAD_GATEWAY => "bad gateway",
            Self::TLS_HANDSHAKE => "TLS handshake failed",
            Self::UNAUTHORIZED => "unauthorized",
            Self::FORBIDDEN => "forbidden",
            Self::TIMEOUT => "timeout",
            _ => return None,
        })
    }
}

impl From<u16> for CloseCode {
    fn from(code: u16) -> Self {
        Self(code)
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> Self {
        code.0
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{} {name}", self.0),
            None => write!(f, "{}", self.0),
        }
    }
}

/// What a Close frame said: a code and a reason of at most [`MAX_REASON`] bytes.
///
/// A Close frame may be empty; code 1005 stands for that (RFC 6455, section 7.1.5).
///
/// The reason is meant for logs. It comes from the peer and should not be shown to end users as it
/// is (RFC 6455, section 5.5.1).
///
/// ```
/// use fullduplex::{CloseCode, CloseFrame};
///
/// let frame = CloseFrame { code: CloseCode::NORMAL, reason: "done".into() };
/// assert_eq!(frame.to_string(), "1000 normal closure: done");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a Close body is a code and a reason, for good"
)]
pub struct CloseFrame {
    /// Why the connection ends.
    pub code: CloseCode,
    /// A text for the log, often empty.
    pub reason: String,
}

impl CloseFrame {
    /// A Close frame without a body.
    pub(crate) const EMPTY: Self = Self {
        code: CloseCode::NO_STATUS,
        reason: String::new(),
    };

    /// The body that says this on the wire.
    pub(crate) fn to_body(&self) -> Vec<u8> {
        if self.code == CloseCode::NO_STATUS {
            return Vec::new();
        }
        [&self.code.0.to_be_bytes(), self.reason.as_bytes()].concat()
    }
}

impl fmt::Display for CloseFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.code.fmt(f)?;
        if !self.reason.is_empty() {
            write!(f, ": {}", self.reason)?;
        }
        Ok(())
    }
}

/// Reads the body of a received Close frame.
pub(crate) fn parse_close_body(body: &[u8]) -> Result<CloseFrame, ReceiveError> {
    let Some((code, reason)) = body.split_first_chunk() else {
        return if body.is_empty() {
            Ok(CloseFrame::EMPTY)
        } else {
            Err(ReceiveError::CloseTooShort)
        };
    };
    let code = CloseCode(u16::from_be_bytes(*code));
    if !code.is_receivable() {
        return Err(ReceiveError::InvalidCloseCode(code.0));
    }
    let reason = str::from_utf8(reason).map_err(|_| ReceiveError::InvalidCloseReason)?;
    Ok(CloseFrame {
        code,
        reason: reason.into(),
    })
}
