//! Control frames that wait to be sent (RFC 6455, section 5.5), in memory of a fixed size.

use core::fmt;

use crate::frame::{CloseCode, CloseFrame, MAX_CONTROL_PAYLOAD, Opcode};

/// A control frame, inline.
#[derive(Clone, Copy)]
pub(super) struct Control {
    pub(super) opcode: Opcode,
    bytes: [u8; MAX_CONTROL_PAYLOAD],
    length: u8,
}

impl Control {
    /// `None` if the payload is longer than a control frame can carry, which a received one is not.
    pub(super) fn new(opcode: Opcode, payload: &[u8]) -> Option<Self> {
        let mut bytes = [0; MAX_CONTROL_PAYLOAD];
        bytes.get_mut(..payload.len())?.copy_from_slice(payload);
        Some(Self {
            opcode,
            bytes,
            length: u8::try_from(payload.len()).ok()?,
        })
    }

    pub(super) fn close(frame: &CloseFrame) -> Self {
        let bytes = [0; MAX_CONTROL_PAYLOAD];
        let mut control = Self {
            opcode: Opcode::Close,
            bytes,
            length: 0,
        };
        if frame.code != CloseCode::NO_STATUS {
            let code = u16::from(frame.code).to_be_bytes();
            for (place, byte) in control
                .bytes
                .iter_mut()
                .zip(code.iter().chain(frame.reason.as_bytes()))
            {
                *place = *byte;
                control.length += 1;
            }
        }
        control
    }

    pub(super) fn payload(&self) -> &[u8] {
        self.bytes
            .get(..usize::from(self.length))
            .unwrap_or_default()
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({} bytes)", self.opcode, self.length)
    }
}
