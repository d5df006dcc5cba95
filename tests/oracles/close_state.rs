//! How a connection ends (RFC 6455, section 7.1), whatever happens in whatever order.

use core::time::Duration;
use std::collections::VecDeque;

use bytes::Buf;
use fullduplex::frame::FrameError;
use fullduplex::{
    CloseCode, Config, Connection, Event, Inbox, Initiator, MaskKeys, ReceiveError, Role,
    SendError, State,
};

use super::{Script, frames};

/// The default deadline of the closing handshake.
const PATIENCE: Duration = Duration::from_secs(5);

/// The states of a connection as far as closing goes.
///
/// | state    | our Close | the peer's | transport | sends | receives |
/// |----------|-----------|------------|-----------|-------|----------|
/// | Open     | no        | no         | there     | yes   | yes      |
/// | Waiting  | yes       | no         | there     | no    | yes      |
/// | Answered | yes       | yes        | there     | no    | no       |
/// | Failed   | yes       | no         | there     | no    | no       |
/// | Ended    | yes       | yes        | gone      | no    | no       |
/// | Cut      | maybe     | no         | gone      | no    | no       |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    Waiting,
    Answered,
    Failed,
    Ended,
    Cut,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    /// The application closes.
    Close,
    /// From the peer.
    Text(u8),
    Ping(u16),
    PeerClose(u16),
    Fault(ReceiveError),
    /// The transport ends, or the deadline passes.
    Eof,
    GiveUp,
}

impl Phase {
    fn after(self, input: Input) -> Self {
        match (self, input) {
            (Self::Open, Input::Close) => Self::Waiting,
            (Self::Open | Self::Waiting, Input::PeerClose(_)) => Self::Answered,
            (Self::Open | Self::Waiting, Input::Fault(_)) => Self::Failed,
            (Self::Open | Self::Waiting | Self::Failed, Input::Eof | Input::GiveUp) => Self::Cut,
            (Self::Answered, Input::Eof | Input::GiveUp) => Self::Ended,
            (phase, _) => phase,
        }
    }

    fn receives(self) -> bool {
        matches!(self, Self::Open | Self::Waiting)
    }

    fn is_over(self) -> bool {
        matches!(self, Self::Ended | Self::Cut)
    }
}

struct Run {
    role: Role,
    connection: Connection,
    inbox: Inbox,
    /// What has been read and not been looked at.
    unseen: VecDeque<Input>,
    now: Duration,
    phase: Phase,
    closing_since: Option<Duration>,
    closed_by_peer: bool,
    cause: Option<ReceiveError>,
    received: Option<u16>,
    /// What the application and the protocol have to say, but Pongs.
    said: Vec<(u8, Vec<u8>)>,
    /// How many Pings came, and the last that was looked at; each holds its number.
    pings: u16,
    last_ping: Option<u16>,
    written: Vec<u8>,
}

/// Whatever both sides do in whatever order, a connection is in the state of the table above, does
/// what is to be done there, sends one Close frame and nothing behind it, and tells how it ended.
///
/// Input: the role, then what happens, a byte each; see [`Run::step`].
///
/// # Panics
///
/// If that does not hold.
pub fn close_state(data: &[u8]) {
    let mut script = Script(data);
    let Some(role) = script.next() else {
        return;
    };
    let mut config = Config::default();
    config.timeouts.keepalive = None;
    let (role, connection) = if role & 1 == 0 {
        (Role::Server, Connection::server(&config))
    } else {
        let keys = MaskKeys::seeded([7; 32]);
        (Role::Client, Connection::client(&config, keys))
    };
    let mut run = Run {
        role,
        connection,
        inbox: Inbox::new(),
        unseen: VecDeque::new(),
        now: Duration::ZERO,
        phase: Phase::Open,
        closing_since: None,
        closed_by_peer: false,
        cause: None,
        received: None,
        said: Vec::new(),
        pings: 0,
        last_ping: None,
        written: Vec::new(),
    };
    while let Some(byte) = script.next() {
        run.step(byte);
        run.check();
    }
    while run.see() {}
    run.write(usize::MAX);
    run.check();
    run.check_written();
}

impl Run {
    fn step(&mut self, byte: u8) {
        let more = usize::from(byte >> 4);
        match byte & 15 {
            0 => self.hear(Input::Text(byte), 0x81, &[byte & 0x7f]),
            1 => {
                self.pings += 1;
                self.hear(Input::Ping(self.pings), 0x89, &self.pings.to_be_bytes());
            }
            2 => self.hear(Input::PeerClose(1000), 0x88, &[3, 0xe8]),
            3 => self.hear(Input::PeerClose(1005), 0x88, &[]),
            4 => {
                let fault = FrameError::ReservedBits(2);
                self.hear(Input::Fault(fault.into()), 0xa1, b"x");
            }
            5 => {
                let fault = ReceiveError::InvalidCloseCode(1005);
                self.hear(Input::Fault(fault), 0x88, &[3, 0xed]);
            }
            6 => {
                while self.see() {}
                self.connection.received_eof();
                self.happen(Input::Eof);
            }
            7 => {
                let told = self.connection.send_text("text");
                self.say(told, 0x81, b"text".to_vec());
            }
            8 => {
                let told = self.connection.ping(b"ping");
                self.say(told, 0x89, b"ping".to_vec());
            }
            9 => {
                let told = self.connection.close(CloseCode::NORMAL, "bye");
                self.say(told, 0x88, b"\x03\xe8bye".to_vec());
                self.happen(Input::Close);
            }
            10 => {
                let told = self.connection.close(CloseCode::NO_STATUS, "");
                let expected = match self.phase {
                    Phase::Open => SendError::InvalidCloseCode(CloseCode::NO_STATUS),
                    _ => SendError::Closed,
                };
                assert_eq!(told, Err(expected));
            }
            11 => self.write(more + 1),
            12 => self.write(usize::MAX),
            13 => {
                self.see();
            }
            14 => while self.see() {},
            _ => self.wait(Duration::from_secs(more as u64)),
        }
    }

    /// The peer sends a frame.
    fn hear(&mut self, input: Input, first: u8, payload: &[u8]) {
        if self.phase.is_over() {
            return;
        }
        let frame = frames::frame_to(self.role, first, payload);
        self.inbox.spare(frame.len())[..frame.len()].copy_from_slice(&frame);
        self.inbox.received(frame.len());
        self.unseen.push_back(input);
    }

    /// The application sends something.
    fn say(&mut self, told: Result<(), SendError>, first: u8, payload: Vec<u8>) {
        if self.phase == Phase::Open {
            assert_eq!(told, Ok(()));
            self.said.push((first, payload));
        } else {
            assert_eq!(told, Err(SendError::Closed));
        }
    }

    /// Takes the next event, if there is one.
    fn see(&mut self) -> bool {
        let input = if self.phase.receives() {
            self.unseen.pop_front()
        } else {
            self.unseen.clear();
            None
        };
        let told = self.connection.poll_event(&mut self.inbox);
        match (input, told) {
            (None, Ok(None)) => assert_eq!(self.cause, None, "the fault was forgotten"),
            (None, Err(error)) => assert_eq!(Some(error), self.cause),
            (Some(Input::Text(byte)), Ok(Some(Event::Text(text)))) => {
                assert_eq!(text.as_bytes(), [byte & 0x7f]);
            }
            (Some(Input::Ping(number)), Ok(Some(Event::Ping(payload)))) => {
                assert_eq!(payload, number.to_be_bytes());
                self.last_ping = Some(number);
            }
            (Some(Input::PeerClose(code)), Ok(Some(Event::Close(frame)))) => {
                assert_eq!(u16::from(frame.code), code);
                let payload = match code {
                    1005 => Vec::new(),
                    code => code.to_be_bytes().to_vec(),
                };
                self.received = Some(code);
                self.end_sending(payload);
            }
            (Some(Input::Fault(fault)), Err(error)) => {
                assert_eq!(error, fault);
                let code = error.close_code().expect("a code for a fault of the peer");
                self.end_sending(u16::from(code).to_be_bytes().to_vec());
            }
            (input, told) => panic!("{told:?} for {input:?} in {:?}", self.phase),
        }
        if let Some(input) = input {
            self.happen(input);
        }
        input.is_some()
    }

    /// A Close frame of our own accord, unless there was one.
    fn end_sending(&mut self, payload: Vec<u8>) {
        if self.phase == Phase::Open {
            self.said.push((0x88, payload));
        }
    }

    fn happen(&mut self, input: Input) {
        let before = self.phase;
        self.phase = before.after(input);
        if self.phase == before {
            return;
        }
        let first = before == Phase::Open;
        self.closed_by_peer |= first && matches!(input, Input::PeerClose(_) | Input::Eof);
        if before.receives() {
            self.cause = match input {
                Input::Fault(fault) => Some(fault),
                Input::Eof => Some(ReceiveError::UnexpectedEof),
                Input::GiveUp => Some(ReceiveError::CloseTimeout),
                _ => None,
            };
        }
    }

    fn write(&mut self, most: usize) {
        let mut left = most;
        while left > 0 && self.connection.wants_write() {
            let outgoing = self.connection.outgoing();
            let count = outgoing.chunk().len().min(left);
            self.written.extend(&outgoing.chunk()[..count]);
            outgoing.advance(count);
            left -= count;
        }
    }

    /// Time passes; a driver has taken all events by then.
    fn wait(&mut self, time: Duration) {
        while self.see() {}
        self.now += time;
        if !matches!(self.phase, Phase::Open) && !self.phase.is_over() {
            let since = *self.closing_since.get_or_insert(self.now);
            if self.now >= since + PATIENCE {
                self.happen(Input::GiveUp);
            }
        }
        self.connection.handle_timeout(self.now);
    }

    fn check(&self) {
        let connection = &self.connection;
        let expected = match self.phase {
            Phase::Open => State::Open,
            Phase::Waiting | Phase::Answered | Phase::Failed => State::Closing,
            Phase::Ended | Phase::Cut => State::Closed,
        };
        assert_eq!(connection.state(), expected, "{:?}", self.phase);
        let over = self.phase.is_over();
        let written = over || !connection.wants_write();
        let server_done = self.role == Role::Server && self.phase == Phase::Answered && written;
        assert!(!over || !connection.wants_write());
        assert_eq!(connection.wants_read(), !over && !server_done);
        let failed = self.phase == Phase::Failed && written;
        assert_eq!(connection.wants_shutdown(), over || server_done || failed);
        let deadline = self.closing_since.filter(|_| !over);
        assert_eq!(
            connection.poll_timeout(),
            deadline.map(|since| since + PATIENCE)
        );
        let outcome = connection.outcome();
        assert_eq!(outcome.is_some(), over);
        let Some(outcome) = outcome else { return };
        let clean = self.phase == Phase::Ended;
        assert_eq!((outcome.clean, outcome.cause), (clean, self.cause));
        let initiator = if self.closed_by_peer {
            Initiator::Remote
        } else {
            Initiator::Local
        };
        assert_eq!(outcome.initiator, initiator);
        let received = outcome.received.map(|frame| u16::from(frame.code));
        assert_eq!(received, self.received);
        let sent = outcome.sent.map(|frame| u16::from(frame.code));
        assert_eq!(sent, self.close_said());
    }

    fn close_said(&self) -> Option<u16> {
        let (_, payload) = self.said.iter().find(|(first, _)| *first == 0x88)?;
        Some(match payload[..] {
            [high, low, ..] => u16::from_be_bytes([high, low]),
            _ => 1005,
        })
    }

    /// What was said is what was written, with Pongs in between that answer the latest Pings.
    fn check_written(&self) {
        let (frames, rest) = frames::parse(self.role, &self.written);
        let mut said = self.said.iter();
        let mut answered = None;
        let mut closed = false;
        for (first, payload) in frames {
            assert!(!closed, "something stands behind our Close frame");
            if first == 0x8a {
                let [high, low] = payload[..] else {
                    panic!("a Pong with {payload:?}");
                };
                let number = u16::from_be_bytes([high, low]);
                assert!(answered < Some(number) && Some(number) <= self.last_ping);
                answered = Some(number);
                continue;
            }
            let (kind, expected) = said.next().expect("more was written than said");
            assert_eq!(first, *kind);
            closed = first == 0x88;
            // What a fault adds in words is not looked at.
            assert!(payload.starts_with(expected), "{payload:?}, {expected:?}");
        }
        if !self.phase.is_over() {
            assert_eq!((rest, said.next()), (0, None), "not all was written");
        }
        if self.phase == Phase::Open {
            assert_eq!(answered, self.last_ping, "a Ping has no answer");
        }
    }
}
