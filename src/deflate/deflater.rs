//! Sending: from the data of a message to its compressed payload (RFC 7692, section 7.2.1).

use alloc::boxed::Box;
use alloc::vec::Vec;

use zlib_rs::DeflateFlush;

use super::history::History;
use super::pool::{DeflateSettings, DeflateState, Owner};
use super::{Agreement, ContextTakeover, DeflateError, Level, MemoryLevel, TAIL};

/// The most that is made room for in one step. Zeroing it costs little next to filling it.
const STEP: usize = 16 * 1024;
/// How much of the messages before a compressor is primed with, if it has served another connection
/// since. Each KiB costs nearly a microsecond and gains less than the one before it: of different
/// JSON messages of 1 KiB, those after 4 KiB get 3 % longer than after the whole window at level 1
/// and 5 % at level 6, at a cost that the shorter message has paid for.
const MOST_PRIMED: usize = 4 * 1024;
/// An empty stored block without the octets that are not transmitted (RFC 7692, section 7.2.3.6).
const EMPTY: u8 = 0x00;

/// The sending side of an agreement.
///
/// A message is one call of [`compress`](Self::compress) for each fragment. What was compressed
/// must be sent, in order; a message that is given up must be [abandoned](Self::abandon).
#[derive(Debug)]
pub struct Deflater {
    settings: DeflateSettings,
    takeover: ContextTakeover,
    /// Only in the middle of a message.
    state: Option<Box<DeflateState>>,
    /// The end of what was sent, with context takeover.
    history: History,
    /// The identity under which the pool knows this window.
    owner: Option<Owner>,
}

/// What a call of [`Deflater::compress`] ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "there is no third possibility")]
pub enum End {
    /// A fragment: all of its data is in its payload.
    Fragment,
    /// The message.
    Message,
}

impl Deflater {
    /// Allocates nothing until the first message that is not empty.
    pub fn new(agreement: &Agreement, level: Level, memory_level: MemoryLevel) -> Self {
        // A peer may hold a client to 8 bits. The backend cannot do that, but with 9 its distances
        // end 262 octets short of the window: they never exceed 250.
        let window_bits = agreement.send.window_bits.at_least_nine();
        Self {
            settings: DeflateSettings {
                window_bits,
                level,
                memory_level,
            },
            takeover: agreement.send.takeover,
            state: None,
            history: History::new(window_bits.size().min(MOST_PRIMED)),
            owner: None,
        }
    }

    /// Compresses `input` and appends the payload of a frame to `output`.
    ///
    /// A fragment without data has an empty payload; a message never has.
    ///
    /// # Errors
    ///
    /// [`DeflateError::Backend`] only; `output` is then as it was, and the message abandoned.
    pub fn compress(
        &mut self,
        input: &[u8],
        output: &mut Vec<u8>,
        end: End,
    ) -> Result<(), DeflateError> {
        let start = output.len();
        if !input.is_empty()
            && let Err(error) = self.flush(input, output)
        {
            output.truncate(start);
            self.state = None;
            self.abandon();
            return Err(error);
        }
        if end == End::Fragment {
            return Ok(());
        }
        if input.is_empty() {
            // A second flush in a row emits nothing, and a frame without any octet loses most
            // receivers. Every fragment ends with a flush, so nothing is held back.
            output.push(EMPTY);
        } else {
            output.truncate(output.len() - TAIL.len());
        }
        if let Some(state) = self.state.take() {
            if self.takeover == ContextTakeover::On {
                self.owner = Some(self.owner.map_or_else(Owner::new, Owner::next));
            }
            state.put(self.owner);
        }
        Ok(())
    }

    /// Forgets the window and lets go of the compressor: to be called if something was compressed
    /// and will not be sent, after which the peer's window no longer equals it (RFC 7692, section
    /// 7.2.1).
    pub fn abandon(&mut self) {
        self.owner = None;
        self.history.release();
        if let Some(state) = self.state.take() {
            state.put(None);
        }
    }

    /// Compresses up to a flush, which ends with [`TAIL`].
    fn flush(&mut self, mut input: &[u8], output: &mut Vec<u8>) -> Result<(), DeflateError> {
        let state = match &mut self.state {
            Some(state) => state,
            none => none.insert(begin(self.settings, self.owner, &self.history)?),
        };
        if self.takeover == ContextTakeover::On {
            self.history.push(input);
        }
        loop {
            // Enough for one step in all cases but few. Never so little that the marker of a flush
            // alone fills it, or it would be repeated for ever.
            let room = (input.len() + input.len() / 8 + 64).min(STEP);
            let start = output.len();
            output.resize(start + room, 0);
            let (total_in, total_out) = (state.raw.total_in(), state.raw.total_out());
            let free = output.get_mut(start..).unwrap_or_default();
            state
                .raw
                .compress(input, free, DeflateFlush::SyncFlush)
                .map_err(|_| DeflateError::Backend)?;
            let consumed = usize::try_from(state.raw.total_in() - total_in).unwrap_or(usize::MAX);
            let produced = usize::try_from(state.raw.total_out() - total_out).unwrap_or(room);
            input = input.get(consumed..).unwrap_or_default();
            output.truncate(start + produced);
            // Room left is the only sign that the flush is complete. If it filled the room to the
            // octet, the next step adds another empty block, which is legal.
            if produced < room {
                break;
            }
        }
        if !input.is_empty() || !output.ends_with(&TAIL) {
            return Err(DeflateError::Backend);
        }
        Ok(())
    }
}

/// Gets a compressor that knows the end of what was sent: all that its window can hold if it was the
/// last to be used here, else what is kept of it.
fn begin(
    settings: DeflateSettings,
    owner: Option<Owner>,
    history: &History,
) -> Result<Box<DeflateState>, DeflateError> {
    let mut state = DeflateState::take(settings, owner);
    if owner.is_none() || state.owner != owner {
        state.reset();
        for part in history.parts() {
            if !part.is_empty() {
                let primed = state.raw.set_dictionary(part);
                primed.map_err(|_| DeflateError::Backend)?;
            }
        }
    }
    Ok(state)
}
