//! The outgoing queue: messages to frames, automatic answers, and the order between them.
//!
//! ```text
//!   messages ──► backlog: messages that are to be cut ──► outgoing: frames ──► transport
//!   pings ─────────────────────────────────────────────────────▲
//!   answers ───► the latest Pong; the one Close frame ─────────┘
//! ```
//!
//! Automatic answers wait in places of their own and not in the queue, so that a peer that makes us
//! answer and never reads cannot make the queue grow. A Pong becomes a frame just before the next
//! message is framed, or when little is left to be written; the Close frame when no message is left
//! before it.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::mem;

use bytes::Bytes;

use super::config::Role;
use super::keys::MaskKeys;
use super::outgoing::Outgoing;
use super::settings::Settings;
use crate::frame::{CloseFrame, Header, LONGEST_SHORT, Opcode, append_short, apply_mask};

/// Payloads from this size on are written from where they are instead of being copied behind their
/// header. Below it, the copy is cheaper than one more element of a vectored write.
pub(super) const WRITE_IN_PLACE: usize = 16 * 1024;

/// While less than this waits to be written, each Ping gets its own Pong. Beyond it only the latest
/// is answered (RFC 6455, section 5.5.3), so that a flood of Pings leaves no more than this.
const PONG_BACKLOG: usize = 1024;

/// Fragments of a long message are encoded ahead up to so many bytes, so that a write finds enough
/// to do, and a control frame waits for no more than this.
const ENCODE_AHEAD: usize = 64 * 1024;

/// Frames that wait for the transport, and what is to become frames.
#[derive(Debug)]
pub(super) struct Queue {
    /// Present in the client role and nowhere else: a server never masks.
    keys: Option<MaskKeys>,
    outgoing: Outgoing,
    /// What is held back. Most connections never have any, and all keep the room for it.
    held: Option<Box<Held>>,
    /// Messages become frames at once while the buffer holds less than this: 0 while anything else
    /// has to be looked at first. Whatever could stand against them [bars](Self::bar) this short way,
    /// and a message that went the long way [opens](Self::open) it again.
    open_below: u32,
    /// Whether the transport ended, so that nothing can be sent although no Close frame was.
    ended: bool,
    settings: Arc<Settings>,
}

/// What does not become frames at once.
#[derive(Debug, Default)]
struct Held {
    /// Messages that are to be cut into fragments, and what was queued behind them.
    backlog: VecDeque<Unframed>,
    backlog_bytes: usize,
    /// The latest Pong, until less waits. Its memory is kept for the next one.
    pong: Vec<u8>,
    pong_waits: bool,
    /// What our Close frame says, from the moment it is decided on, and whether it waits. Nothing
    /// may follow it.
    close: Option<CloseFrame>,
    close_waits: bool,
}

/// How the frame that starts with a payload begins and ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Framing {
    pub(super) opcode: Opcode,
    /// Whether this starts a compressed message.
    pub(super) rsv1: bool,
    /// Whether the end of the payload ends the message.
    pub(super) fin: bool,
}

/// What is left of a message that waits to be framed.
struct Unframed {
    framing: Framing,
    payload: Bytes,
}

impl Queue {
    pub(super) fn new(keys: Option<MaskKeys>, settings: Arc<Settings>, head: Vec<u8>) -> Self {
        Self {
            keys,
            outgoing: Outgoing::starting_with(head),
            held: None,
            open_below: 0,
            ended: false,
            settings,
        }
    }

    pub(super) fn role(&self) -> Role {
        if self.keys.is_some() {
            Role::Client
        } else {
            Role::Server
        }
    }

    /// What is to be written, as far as it has become frames by now.
    #[inline]
    pub(super) fn outgoing(&mut self) -> &mut Outgoing {
        if self.is_holding_back() {
            self.refill();
        }
        &mut self.outgoing
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.outgoing.is_empty() && !self.is_holding_back()
    }

    /// Whether something waits to become a frame.
    #[inline]
    fn is_holding_back(&self) -> bool {
        (self.held.as_ref())
            .is_some_and(|held| !held.backlog.is_empty() || held.pong_waits || held.close_waits)
    }

    #[inline]
    fn has_backlog(&self) -> bool {
        (self.held.as_ref()).is_some_and(|held| !held.backlog.is_empty())
    }

    /// Nothing more can be sent.
    pub(super) fn end(&mut self) {
        self.ended = true;
        self.bar();
    }

    #[inline]
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Has every message go the long way from now on.
    pub(super) fn bar(&mut self) {
        self.open_below = 0;
    }

    /// Opens the short way for plain messages, unless something that is known here stands against it.
    fn open(&mut self) {
        if self.held.is_none()
            && self.outgoing.is_one_buffer()
            && self.settings.max_frame_payload >= LONGEST_SHORT
        {
            self.open_below = u32::try_from(self.settings.max_outgoing).unwrap_or(u32::MAX);
        }
    }

    fn held(&mut self) -> &mut Held {
        self.bar();
        self.held.get_or_insert_default()
    }

    /// Bytes that wait, automatic answers aside.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.outgoing.len() + self.held.as_ref().map_or(0, |held| held.backlog_bytes)
    }

    /// Whether so many bytes wait, automatic answers aside.
    #[cfg(feature = "std")]
    #[inline]
    pub(super) fn holds(&self, bytes: usize) -> bool {
        !self.holds_less(bytes) && self.len() >= bytes
    }

    /// Whether less waits for sure: only the buffer is looked at, and what was written of it counts.
    #[inline]
    fn holds_less(&self, bytes: usize) -> bool {
        self.outgoing.buffered() < bytes.min(self.open_below as usize)
    }

    /// Whether as much waits as may. What waits unframed takes memory even if it is empty.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        !self.holds_less(usize::MAX) && self.is_full_altogether()
    }

    #[inline(never)]
    fn is_full_altogether(&self) -> bool {
        let unframed = self.held.as_ref().map_or(0, |held| held.backlog.len());
        self.len() + unframed * size_of::<Unframed>() >= self.settings.max_outgoing
    }

    pub(super) fn written(&self) -> u64 {
        self.outgoing.written()
    }

    pub(super) fn lacks_buffer(&self) -> bool {
        self.outgoing.lacks_buffer()
    }

    pub(super) fn lend_buffer(&mut self, buffer: Vec<u8>) {
        self.outgoing.lend_buffer(buffer);
    }

    /// Takes the buffer if nothing waits, and gives the other memory of an empty queue back.
    pub(super) fn take_buffer(&mut self) -> Option<Vec<u8>> {
        if !self.is_empty() {
            return None;
        }
        // The first look is for speed: mostly there is nothing.
        if self.held.is_some() && self.close().is_none() {
            self.held = None;
        }
        self.outgoing.take_buffer()
    }

    /// Drops what has not been framed.
    pub(super) fn drop_backlog(&mut self) {
        if let Some(held) = &mut self.held {
            (held.backlog, held.backlog_bytes) = (VecDeque::new(), 0);
        }
    }

    /// Queues a borrowed payload as one frame the short way, if that is open.
    #[inline]
    pub(super) fn push_open(&mut self, opcode: Opcode, payload: &[u8]) -> bool {
        self.holds_less(usize::MAX)
            && (self.keys.is_none() && append_short(opcode, payload, self.outgoing.buffer())
                || self.push_uncut(opcode, payload))
    }

    /// Queues a payload as one frame, unless it has to be cut.
    #[inline(never)]
    fn push_uncut(&mut self, opcode: Opcode, payload: &[u8]) -> bool {
        let fits = payload.len() <= self.settings.max_frame_payload;
        if fits {
            self.encode(Framing::single(opcode), payload);
        }
        fits
    }

    /// Queues a borrowed payload as one frame, unless something stands against that. The sender
    /// knows of nothing that does.
    #[inline(never)]
    pub(super) fn push_plain(&mut self, opcode: Opcode, payload: &[u8]) -> bool {
        let plain = self.held.is_none()
            && self.outgoing.len() < self.settings.max_outgoing
            && self.push_uncut(opcode, payload);
        if plain {
            self.open();
        }
        plain
    }

    /// Queues a borrowed payload: framed at once, or copied if it has to wait or to be cut.
    pub(super) fn push_slice(&mut self, framing: Framing, payload: &[u8]) {
        if !self.has_backlog() && payload.len() <= self.settings.max_frame_payload {
            self.flush_pong();
            self.encode(framing, payload);
        } else {
            self.push(framing, Bytes::copy_from_slice(payload));
        }
    }

    /// Queues an owned payload.
    pub(super) fn push(&mut self, framing: Framing, payload: Bytes) {
        if !self.has_backlog() && payload.len() <= self.settings.max_frame_payload {
            self.flush_pong();
            self.encode_owned(framing, payload);
        } else {
            let held = self.held();
            held.backlog_bytes += payload.len();
            held.backlog.push_back(Unframed { framing, payload });
        }
    }

    /// Queues what was compressed, in memory that may be far larger: it is copied unless it is long.
    #[cfg(feature = "deflate")]
    pub(super) fn push_compressed(&mut self, framing: Framing, compressed: Vec<u8>) {
        if compressed.len() < WRITE_IN_PLACE {
            self.push_slice(framing, &compressed);
        } else {
            self.push(framing, compressed.into());
        }
    }

    /// Queues a control frame that was asked for, which may overtake the backlog, and tells after
    /// how many written bytes it has left.
    pub(super) fn push_control(&mut self, opcode: Opcode, payload: &[u8]) -> u64 {
        self.encode(Framing::single(opcode), payload);
        self.written() + self.outgoing.len() as u64 // usize is at most 64 bits wide
    }

    pub(super) fn answer_ping(&mut self, payload: &[u8]) {
        if self.outgoing.len() < PONG_BACKLOG {
            self.flush_pong();
            self.encode(Framing::single(Opcode::Pong), payload);
        } else {
            let held = self.held();
            held.pong.clear();
            held.pong.extend_from_slice(payload);
            held.pong_waits = true;
        }
    }

    pub(super) fn put_close(&mut self, frame: CloseFrame) {
        self.flush_pong(); // a Ping that came before is still answered (section 5.5.2)
        let held = self.held();
        (held.close, held.close_waits) = (Some(frame), true);
    }

    /// What our Close frame says, once it was decided on.
    #[inline]
    pub(super) fn close(&self) -> Option<&CloseFrame> {
        self.held.as_ref()?.close.as_ref()
    }

    /// Turns slot and backlog into frames: a Pong first, then fragments, and the Close frame when
    /// nothing is left that has to come before it.
    fn refill(&mut self) {
        self.flush_pong_unless_backed_up();
        while self.outgoing.len() < ENCODE_AHEAD
            && let Some((framing, payload)) = self.next_fragment()
        {
            self.encode_owned(framing, payload);
        }
        if let Some(held) = &mut self.held
            && held.close_waits
            && held.backlog.is_empty()
            && let Some(close) = &held.close
        {
            held.close_waits = false;
            let body = close.to_body();
            self.encode(Framing::single(Opcode::Close), &body);
        }
    }

    /// Cuts the next frame off the backlog.
    fn next_fragment(&mut self) -> Option<(Framing, Bytes)> {
        let held = self.held.as_mut()?;
        let front = held.backlog.front_mut()?;
        let size = front.payload.len().min(self.settings.max_frame_payload);
        let payload = front.payload.split_to(size);
        let done = front.payload.is_empty();
        let framing = Framing {
            fin: front.framing.fin && done,
            ..front.framing
        };
        front.framing = Framing {
            opcode: Opcode::Continuation,
            rsv1: false,
            ..front.framing
        };
        held.backlog_bytes -= size;
        if done {
            held.backlog.pop_front();
        }
        if held.backlog.is_empty() {
            held.backlog = VecDeque::new(); // a burst may have grown it
        }
        Some((framing, payload))
    }

    fn flush_pong_unless_backed_up(&mut self) {
        if self.outgoing.len() < PONG_BACKLOG {
            self.flush_pong();
        }
    }

    #[inline]
    fn flush_pong(&mut self) {
        if (self.held.as_ref()).is_some_and(|held| held.pong_waits) {
            self.encode_pong();
        }
    }

    #[cold]
    fn encode_pong(&mut self) {
        if let Some(held) = &mut self.held {
            held.pong_waits = false;
            let pong = mem::take(&mut held.pong);
            self.encode(Framing::single(Opcode::Pong), &pong);
            self.held().pong = pong;
        }
    }

    #[inline]
    fn encode(&mut self, framing: Framing, payload: &[u8]) {
        let key = self.encode_header(framing, payload.len());
        let buffer = self.outgoing.buffer();
        let start = buffer.len();
        buffer.extend_from_slice(payload);
        if let (Some(key), Some(payload)) = (key, buffer.get_mut(start..)) {
            apply_mask(payload, key, 0);
        }
    }

    fn encode_owned(&mut self, framing: Framing, payload: Bytes) {
        if payload.len() < WRITE_IN_PLACE {
            return self.encode(framing, &payload);
        }
        self.bar();
        if self.keys.is_none() {
            self.encode_header(framing, payload.len());
            return self.outgoing.push_payload(payload);
        }
        match payload.try_into_mut() {
            Ok(mut payload) => {
                if let Some(key) = self.encode_header(framing, payload.len()) {
                    apply_mask(&mut payload, key, 0);
                }
                self.outgoing.push_payload(payload.freeze());
            }
            Err(shared) => self.encode(framing, &shared),
        }
    }

    /// Encodes a header with a fresh masking key in the client role.
    #[inline]
    fn encode_header(&mut self, framing: Framing, length: usize) -> Option<[u8; 4]> {
        let Framing { opcode, rsv1, fin } = framing;
        let key = self.keys.as_mut().map(MaskKeys::next_key);
        let length = length as u64; // usize is at most 64 bits wide
        Header {
            fin,
            rsv1,
            opcode,
            key,
            length,
        }
        .encode(self.outgoing.buffer());
        key
    }
}

impl Framing {
    /// A message or control frame of its own, not compressed.
    pub(super) const fn single(opcode: Opcode) -> Self {
        Self {
            opcode,
            rsv1: false,
            fin: true,
        }
    }
}

impl fmt::Debug for Unframed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({} bytes)", self.framing.opcode, self.payload.len())
    }
}
