//! Receiving: from the payloads of a compressed message to its data (RFC 7692, section 7.2.2).

use alloc::boxed::Box;
use core::fmt;

use zlib_rs::{InflateFlush, Status};

use super::history::History;
use super::pool::{InflateState, Owner};
use super::{Agreement, ContextTakeover, DeflateError, TAIL, WindowBits};

/// The most that is kept of a message without context takeover, in case that it goes on after a
/// final block. No compressor is known that refers back across one; 16 KiB keep the sum of history
/// and decompressor below 64 KiB.
const MESSAGE_HISTORY: usize = 16 * 1024;

/// The receiving side of an agreement.
///
/// For each compressed message: [`inflate`](Self::inflate) for every piece of payload, cut
/// anywhere, until it is taken and nothing comes any more; after the last fragment
/// [`finish`](Self::finish) until it is done. Messages that are not compressed do not pass through
/// here. After an error the connection is to be failed.
///
/// How a message may end:
///  - as RFC 7692 wants it: on an empty stored block, whose last four octets are not transmitted;
///  - with a final block (BFINAL set) as its last octet. What follows a final block is read as
///    further blocks, with the history of those before, so padding after one, other than up to the
///    next octet, is an error unless it is itself a block: of all octets only 00 is one;
///  - without a single octet, which is the empty message of senders whose compressor had nothing to
///    flush. The decompressor does not get to see it, as the four octets alone are no block;
///  - as exactly `01 00`, a final stored block whose lengths were cut short after one octet: empty.
#[derive(Debug)]
pub struct Inflater {
    window_bits: WindowBits,
    takeover: ContextTakeover,
    /// Only in the middle of a message.
    state: Option<Box<InflateState>>,
    history: History,
    /// The identity under which the pool knows this window.
    owner: Option<Owner>,
    message: Message,
}

/// How far the current message is.
#[derive(Clone, Copy)]
struct Message {
    /// How many octets of payload were taken, up to [`START`].
    octets: usize,
    /// The first of them.
    start: [u8; START],
    /// The last octet taken ended a final block: the backend must be restarted before the next.
    ended: bool,
    /// There was room left for output: the backend holds nothing back.
    drained: bool,
    /// The backend found a fault behind what it has written.
    damaged: bool,
}

const START: usize = 3;
/// The empty message whose final stored block was cut short.
const CUT_SHORT: [u8; 2] = [0x01, 0x00];
/// One octet more than the tail: the backend, told to stop at the end of a block, leaves it alone
/// if and only if the tail ended one.
const TAIL_AND_SENTINEL: [u8; 5] = [0x00, 0x00, 0xff, 0xff, 0x00];

/// What [`Inflater::finish`] has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finish {
    /// How many octets were written.
    pub written: usize,
    /// Whether the message is complete. If not, there is more to come: call again with more room.
    pub done: bool,
}

impl Inflater {
    /// Allocates nothing until the first octet of the first compressed message.
    pub fn new(agreement: &Agreement) -> Self {
        let window_bits = agreement.receive.window_bits;
        let takeover = agreement.receive.takeover;
        let limit = match takeover {
            ContextTakeover::On => window_bits.size(),
            ContextTakeover::Off => window_bits.size().min(MESSAGE_HISTORY),
        };
        Self {
            window_bits,
            takeover,
            state: None,
            history: History::new(limit),
            owner: None,
            message: Message::START,
        }
    }

    /// Takes from `input` what it can, writes to `output` and returns how much it wrote.
    ///
    /// The piece is done when [`is_drained`](Self::is_drained) says so.
    ///
    /// # Errors
    ///
    /// [`DeflateError::Corrupt`] if the payload is no DEFLATE data. What precedes the fault is
    /// written first, by a call that succeeds, so that it does not depend on how the payload is cut.
    pub fn inflate(&mut self, input: &mut &[u8], output: &mut [u8]) -> Result<usize, DeflateError> {
        if self.message.damaged {
            return Err(DeflateError::Corrupt);
        }
        if self.state.is_none() {
            if input.is_empty() {
                return Ok(0);
            }
            self.state = Some(self.begin());
        }
        let mut written = 0;
        while let Some(room) = output.get_mut(written..) {
            if self.message.ended && !input.is_empty() {
                self.restart();
            }
            let step = self.step(input, room, InflateFlush::NoFlush)?;
            self.message.take(input, step.consumed);
            *input = input.get(step.consumed..).unwrap_or_default();
            written += step.produced;
            if step.damaged {
                self.state = None;
                (self.message.damaged, self.message.drained) = (true, false);
                return match written {
                    0 => Err(DeflateError::Corrupt),
                    _ => Ok(written),
                };
            }
            self.message.ended |= step.ended;
            let stuck = step.consumed == 0 && step.produced == 0 && !step.ended;
            if stuck || input.is_empty() || written == output.len() {
                break;
            }
        }
        self.message.drained = input.is_empty() && written < output.len();
        Ok(written)
    }

    /// Whether the last piece was taken and everything that comes of it has been written.
    pub fn is_drained(&self) -> bool {
        self.message.drained
    }

    /// Ends the message, as if the octets that are not transmitted had come (RFC 7692, 7.2.2).
    ///
    /// What was still held back for want of room is written to `output`. Afterwards the window is
    /// ready for the next message.
    ///
    /// # Errors
    ///
    /// [`DeflateError::Truncated`] if the message ends inside a block, [`DeflateError::Corrupt`] if
    /// what was held back is no DEFLATE data.
    pub fn finish(&mut self, output: &mut [u8]) -> Result<Finish, DeflateError> {
        let mut written = 0;
        if !self.message.drained {
            written = self.inflate(&mut [].as_slice(), output)?;
            if !self.message.drained {
                return Ok(Finish {
                    written,
                    done: false,
                });
            }
        }
        self.end()?;
        Ok(Finish {
            written,
            done: true,
        })
    }

    /// Checks the end of the message and lets go of the backend.
    fn end(&mut self) -> Result<(), DeflateError> {
        let message = core::mem::replace(&mut self.message, Message::START);
        if self.state.is_none() {
            return Ok(());
        }
        let intact = if message.ended || message.is_cut_short() {
            false
        } else {
            let mut scratch = [0];
            let step = self.step(&TAIL_AND_SENTINEL, &mut scratch, InflateFlush::Block)?;
            if step.damaged || step.consumed != TAIL.len() || step.produced != 0 {
                self.state = None;
                return Err(DeflateError::Truncated);
            }
            true
        };
        let Some(mut state) = self.state.take() else {
            return Ok(());
        };
        match self.takeover {
            ContextTakeover::Off => {
                state.spare = self.history.release();
                state.put(None);
            }
            // Only at the full size the backend's window is the agreed one to the octet. A smaller
            // one is filled again each time, so that what is accepted does not depend on the pool.
            ContextTakeover::On if intact && self.window_bits == WindowBits::MAX => {
                self.owner = Some(self.owner.map_or_else(Owner::new, Owner::next));
                state.put(self.owner);
            }
            ContextTakeover::On => {
                self.owner = None;
                state.put(None);
            }
        }
        Ok(())
    }

    /// Gets a decompressor whose window is this direction's.
    fn begin(&mut self) -> Box<InflateState> {
        let mut state = InflateState::take(self.owner);
        let spare = core::mem::take(&mut state.spare);
        match self.takeover {
            ContextTakeover::Off => self.history.recycle(spare),
            ContextTakeover::On => drop(spare),
        }
        if self.owner.is_none() || state.owner != self.owner {
            prime(&mut state, &self.history);
        }
        state
    }

    /// Goes on after a final block: the backend stops there and forgets its window, but RFC 7692
    /// lets a message, and those after it, go on with the history.
    fn restart(&mut self) {
        self.message.ended = false;
        if let Some(state) = &mut self.state {
            prime(state, &self.history);
        }
    }

    fn step(
        &mut self,
        input: &[u8],
        output: &mut [u8],
        flush: InflateFlush,
    ) -> Result<Step, DeflateError> {
        let Some(state) = &mut self.state else {
            return Err(DeflateError::Backend);
        };
        let (total_in, total_out) = (state.raw.total_in(), state.raw.total_out());
        let status = state.raw.decompress(input, output, flush);
        let consumed = difference(state.raw.total_in(), total_in);
        let produced = difference(state.raw.total_out(), total_out);
        self.history
            .push(output.get(..produced).unwrap_or_default());
        Ok(Step {
            consumed,
            produced,
            ended: status == Ok(Status::StreamEnd),
            damaged: status.is_err(),
        })
    }
}

struct Step {
    consumed: usize,
    produced: usize,
    /// A final block ended with the last octet consumed.
    ended: bool,
    /// What follows what was produced is no DEFLATE data.
    damaged: bool,
}

impl Message {
    const START: Self = Self {
        octets: 0,
        start: [0; START],
        ended: false,
        drained: true,
        damaged: false,
    };

    fn take(&mut self, input: &[u8], consumed: usize) {
        let seen = input.iter().take(consumed);
        for (octet, seen) in self.start.iter_mut().skip(self.octets).zip(seen) {
            *octet = *seen;
        }
        self.octets = START.min(self.octets.saturating_add(consumed));
    }

    fn is_cut_short(&self) -> bool {
        self.start.get(..self.octets) == Some(CUT_SHORT.as_slice())
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("octets", &self.octets)
            .field("ended", &self.ended)
            .field("drained", &self.drained)
            .field("damaged", &self.damaged)
            .finish_non_exhaustive()
    }
}

/// Empties the backend's window and fills it with the history.
fn prime(state: &mut InflateState, history: &History) {
    state.raw.reset(false);
    for part in history.parts() {
        if !part.is_empty() {
            // A raw decompressor takes a dictionary at any time, without a checksum to fail.
            let _ = state.raw.set_dictionary(part);
        }
    }
}

fn difference(after: u64, before: u64) -> usize {
    // Both count octets of one slice, so the difference fits.
    usize::try_from(after - before).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deflate::Direction;

    /// "Hello" as RFC 7692 has it, and ended by a final block.
    const HELLO: &[u8] = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
    const FINAL: &[u8] = b"\xf3\x48\xcd\xc9\xc9\x07\x00";

    /// A connection looks for the decompressor that it had last where that has its window: the
    /// largest there is, and not emptied by a final block.
    #[test]
    fn a_window_of_the_agreed_size_is_looked_for() {
        for (bits, payload, takeover, expected) in [
            (15, HELLO, ContextTakeover::On, true),
            (14, HELLO, ContextTakeover::On, false),
            (15, FINAL, ContextTakeover::On, false),
            (15, HELLO, ContextTakeover::Off, false),
        ] {
            let window_bits = WindowBits::new(bits).unwrap_or(WindowBits::MAX);
            let direction = Direction::new(window_bits, takeover);
            let mut inflater = Inflater::new(&Agreement::new(direction, direction));
            let (mut input, mut output) = (payload, [0; 100]);
            assert_eq!(inflater.inflate(&mut input, &mut output), Ok(5));
            assert!(inflater.finish(&mut output).is_ok_and(|finish| finish.done));
            assert_eq!(inflater.owner.is_some(), expected, "{bits}, {takeover:?}");
        }
    }
}
