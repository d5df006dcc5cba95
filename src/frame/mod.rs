//! Frames on the wire (RFC 6455, section 5): header, opcode, masking, close body.
//!
//! Pure functions on bytes. Nothing here knows a connection, a message or a limit; the rules that
//! depend on what came before arrive as [`Rules`].

mod close;
mod header;
mod mask;
mod opcode;
mod whole;

pub use close::{CloseCode, CloseFrame, MAX_REASON};
pub use header::{FrameError, Header, MAX_CONTROL_PAYLOAD, MAX_HEADER, Rules};
pub use mask::apply_mask;
pub use opcode::Opcode;

pub(crate) use close::parse_close_body;
pub(crate) use mask::rotate_key;
pub(crate) use whole::{LONGEST_SHORT, WholeMessage, append_short};
