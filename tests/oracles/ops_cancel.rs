//! Operations on the adapter for tokio, over a stream that does what it is told.

mod ends;
#[path = "../common/hostile/mod.rs"]
mod hostile;

use core::cell::{Cell, RefCell};
use core::pin::pin;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, Waker};
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Wake;

use ends::{Ends, both};
use fullduplex::tokio::WebSocket;
use fullduplex::{Config, Connection, Error, Inbox, MaskKeys, Message, Role};
use hostile::{After, Fault, Hostile, On, Steps};
use tokio::runtime::{Builder, Runtime};

use super::{Options, Script, frames};

/// The application may have as much queued as this, and one message more.
const QUEUE: usize = 64;

/// Pongs that are queued as long as there are few, a Close frame, and headers.
const ANSWERS: usize = 2 * 1024;

/// Sizes of messages.
const SIZES: [usize; 8] = [2, 3, 10, 40, 124, 125, 126, 1000];

/// A read offers no more room than this while nothing larger is on its way.
const MOST_ROOM: usize = 64 * 1024;

thread_local! {
    static RUNTIME: Runtime = Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
}

/// Whatever an application does on a WebSocket, whichever futures it drops and whatever goes wrong
/// below: the application receives what the peer sent, in order, and the peer what the application
/// sent, each once; a message that was said to be sent or queued is, one whose `feed` was dropped
/// is not; nobody waits for what has happened; and what is held is bounded.
///
/// Input: options (bit 0: a client; 1: split; 2: the stream ends behind its input; 3: each call is
/// to be made twice; 4: little room to write; 5 and 6: sizes of reads and writes), what goes wrong,
/// and at which call; then what is done, two bytes each; see [`Run::step`]. While an operation with
/// an odd number of polls waits, something happens.
///
/// # Panics
///
/// If that does not hold.
pub fn ops_cancel(data: &[u8]) {
    let mut script = Script(data);
    let (Some(options), Some(fault), Some(at)) = (script.next(), script.next(), script.next())
    else {
        return;
    };
    RUNTIME.with(|runtime| {
        let _entered = runtime.enter();
        let mut run = Run::new(&Options(options), fault, at.into());
        while let (Some(byte), Some(polls)) = (script.next(), script.next()) {
            run.step(byte, polls);
            run.check();
        }
        run.finish();
    });
}

/// What became of a message that the application wanted sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It was said to be queued.
    Queued,
    /// Its future was dropped.
    Unknown,
    /// It cannot have been queued.
    Refused,
}

#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
struct Run {
    role: Role,
    stream: Hostile,
    ends: Ends,
    /// What the peer sent and the application has not received.
    incoming: VecDeque<Vec<u8>>,
    peer_messages: u8,
    peer_closed: bool,
    /// By number, with its size.
    outgoing: Vec<(usize, Fate)>,
    /// Whether `close` of the whole has begun, which drops what still comes.
    drops: bool,
    closed: bool,
    failed: bool,
    /// Whether something goes wrong below, or the peer goes away without a word.
    disturbed: bool,
    /// Whether a call may fail that is only made to see whether a wake-up was lost.
    faulty: bool,
    /// What the peer sends while somebody waits.
    later: VecDeque<Vec<u8>>,
    /// Whether tasks are polled that nobody woke.
    force: Rc<Cell<bool>>,
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Run {
    fn new(options: &Options, fault: u8, at: usize) -> Self {
        let role = if options.bit(0) {
            Role::Client
        } else {
            Role::Server
        };
        let after = if options.bit(2) {
            After::End
        } else {
            After::Silence
        };
        let stream = Hostile::new(b"", After::Silence);
        let what = match fault & 7 {
            4 => Some(Fault::Error(ErrorKind::ConnectionReset)),
            5 => Some(Fault::Nothing),
            6 => Some(Fault::Error(ErrorKind::WouldBlock)),
            7 => Some(Fault::Error(ErrorKind::BrokenPipe)),
            _ => None,
        };
        let on = [On::Both, On::Reads, On::Writes, On::Both][usize::from(fault >> 3 & 3)];
        {
            let mut state = stream.state();
            let size = [usize::MAX, 1, 3, 20][usize::from(options.0 >> 5 & 3)];
            (state.read_size, state.write_size) = (size, size);
            if options.bit(4) {
                state.room = 20;
            }
            state.is_halting = options.bit(3);
            state.after = after;
            if let Some(fault) = what {
                (state.fault, state.on, state.steps) = (fault, on, Steps::Only(at));
            }
        }
        let halts = what == Some(Fault::Error(ErrorKind::WouldBlock));
        let mut config = Config::default();
        config.timeouts.keepalive = None;
        config.timeouts.close = None;
        config.limits.max_outgoing = QUEUE;
        let connection = match role {
            Role::Server => Connection::server(&config),
            Role::Client => Connection::client(&config, MaskKeys::seeded([7; 32])),
        };
        let socket = WebSocket::new(stream.clone(), connection, Inbox::new());
        let ends = if options.bit(1) {
            let (reader, writer) = socket.split();
            Ends::Halves(reader, writer)
        } else {
            Ends::Whole(socket)
        };
        Self {
            role,
            stream,
            ends,
            incoming: VecDeque::new(),
            peer_messages: 0,
            peer_closed: false,
            outgoing: Vec::new(),
            drops: false,
            closed: false,
            failed: false,
            disturbed: options.bit(2) || what.is_some() && !halts,
            faulty: what.is_some() && !halts,
            later: VecDeque::new(),
            force: Rc::default(),
        }
    }

    /// What the next two bytes say: what is done, with how much of it in the upper four bits, and
    /// after how many polls the future is dropped.
    fn step(&mut self, byte: u8, polls: u8) {
        let much = usize::from(byte >> 4);
        let size = SIZES[much & 7];
        match byte & 15 {
            0 | 1 => {
                self.peer_messages = self.peer_messages.wrapping_add(1);
                let mut payload = vec![self.peer_messages; size.min(125)];
                payload[0] = b'm';
                self.hear(0x82, &payload, polls);
                if !self.peer_closed {
                    self.incoming.push_back(payload);
                }
            }
            2 => self.hear(0x89, b"there?", polls),
            3 => {
                self.hear(0x88, &[3, 0xe8], polls);
                self.peer_closed = true;
            }
            4 => {
                for frame in self.later.drain(..) {
                    self.stream.push_input(&frame);
                }
                self.stream.end();
                self.disturbed |= !self.peer_closed;
            }
            5 => self.stream.make_room(size),
            6 => {
                self.stream.stir();
            }
            7 => self.recv(polls),
            8 => self.recv_and_send(polls, size),
            9 => self.send(polls, size),
            10 => self.feed(polls, size),
            11 => {
                let told = self.run(polls, async |ends| ends.flush().await);
                self.judge(told);
            }
            12 => {
                let told = self.run(polls, async |ends| ends.ping().await);
                self.judge(told);
            }
            13 => {
                self.closed = true;
                self.drops |= matches!(self.ends, Ends::Whole(_));
                let told = self.run(polls, async |ends| ends.close().await);
                self.judge(told);
            }
            14 => self.stream.make_room(usize::MAX / 2),
            _ => self.recv(polls | 0xf0),
        }
    }

    /// The peer sends a frame, unless it has closed: now, or while somebody waits.
    fn hear(&mut self, first: u8, payload: &[u8], polls: u8) {
        if self.peer_closed {
            return;
        }
        let frame = frames::frame_to(self.role, first, payload);
        if polls & 1 == 1 || !self.later.is_empty() {
            self.later.push_back(frame);
        } else {
            self.stream.push_input(&frame);
        }
    }

    fn recv(&mut self, polls: u8) {
        if let Some(told) = self.run(polls, async |ends| ends.recv().await) {
            self.received(told);
        }
    }

    fn received(&mut self, told: Result<Option<Message>, Error>) {
        match told {
            Ok(Some(message)) => {
                while self.drops
                    && self
                        .incoming
                        .front()
                        .is_some_and(|m| m != message.as_bytes())
                {
                    self.incoming.pop_front();
                }
                let expected = self.incoming.pop_front();
                assert_eq!(expected.as_deref(), Some(message.as_bytes()));
            }
            Ok(None) => {
                assert!(self.peer_closed, "an end without a Close frame");
                assert!(self.drops || self.incoming.is_empty(), "messages are lost");
            }
            Err(error) => self.judge(Some(Err(error))),
        }
    }

    /// Both halves at once, each a task of its own.
    fn recv_and_send(&mut self, polls: u8, size: usize) {
        if matches!(self.ends, Ends::Whole(_)) {
            return self.recv(polls);
        }
        let message = self.next_message(size);
        let (received, sent) = (RefCell::new(None), RefCell::new(None));
        let force = Rc::clone(&self.force);
        self.run(polls, async |ends| {
            let Ends::Halves(reader, writer) = ends else {
                return;
            };
            let receiving = async { *received.borrow_mut() = Some(reader.recv().await) };
            let sending = async { *sent.borrow_mut() = Some(writer.send(message).await) };
            both(pin!(receiving), pin!(sending), &force).await;
        });
        self.was_sent(sent.into_inner());
        if let Some(told) = received.into_inner() {
            self.received(told);
        }
    }

    fn next_message(&mut self, size: usize) -> Message {
        let number = self.outgoing.len();
        self.outgoing.push((size, Fate::Unknown));
        let mut payload = vec![0x55; size];
        let number = u16::try_from(number).unwrap_or_default();
        payload[..2].copy_from_slice(&number.to_be_bytes());
        Message::binary(payload)
    }

    fn send(&mut self, polls: u8, size: usize) {
        let message = self.next_message(size);
        let told = self.run(polls, async |ends| ends.send(message).await);
        self.was_sent(told);
    }

    /// What became of the last message.
    fn was_sent(&mut self, told: Option<Result<(), Error>>) {
        let fate = match &told {
            Some(Ok(())) => Fate::Queued,
            Some(Err(Error::Unsent(_))) => Fate::Refused,
            _ => Fate::Unknown,
        };
        self.outgoing.last_mut().expect("this message").1 = fate;
        self.judge(told);
    }

    fn feed(&mut self, polls: u8, size: usize) {
        let message = self.next_message(size);
        let told = self.run(polls, async |ends| ends.feed(message).await);
        let fate = match &told {
            Some(Ok(())) => Fate::Queued,
            _ => Fate::Refused,
        };
        self.outgoing.last_mut().expect("this message").1 = fate;
        self.judge(told);
    }

    /// An operation fails only if something is wrong below, or when the connection is closing.
    fn judge(&mut self, told: Option<Result<(), Error>>) {
        match told {
            None | Some(Ok(())) => {}
            Some(Err(Error::Unsent(_) | Error::Send(_))) => {
                assert!(self.closed || self.peer_closed || self.disturbed);
            }
            // Nothing more can be written to a peer that has closed.
            Some(Err(error)) => {
                assert!(self.disturbed || self.peer_closed, "{error}");
                self.failed = true;
            }
        }
    }

    /// Polls a future when it is woken, and drops it after so many polls or when it waits.
    fn run<T>(&mut self, polls: u8, operation: impl AsyncFnOnce(&mut Ends) -> T) -> Option<T> {
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let mut future = pin!(operation(&mut self.ends));
        let mut cx = Context::from_waker(&waker);
        for _ in 0..=polls {
            woken.0.store(false, Ordering::Relaxed);
            let (calls, moved) = progress(&self.stream);
            let polled = future.as_mut().poll(&mut cx);
            let (calls_then, moved_then) = progress(&self.stream);
            let (calls, moved) = (calls_then - calls, moved_then - moved);
            assert!(calls <= 2 * moved + 8, "{calls} calls for {moved} bytes");
            if let Poll::Ready(value) = polled {
                return Some(value);
            }
            while self.stream.stir() {}
            let helps = polls & 1 == 1 && !woken.0.load(Ordering::Relaxed);
            if helps {
                help(&self.stream, &mut self.later);
            }
            if woken.0.load(Ordering::Relaxed) {
                continue;
            }
            // It waits. What it waits for cannot have happened.
            if !self.faulty {
                let (_, moved) = progress(&self.stream);
                self.force.set(true);
                let again = future.as_mut().poll(&mut cx);
                self.force.set(false);
                let idle = progress(&self.stream).1 == moved;
                assert!(again.is_pending() && idle, "it waits for what has happened");
            }
            return None;
        }
        None
    }

    fn check(&mut self) {
        let largest = self.outgoing.iter().map(|message| message.0).max();
        let most = QUEUE + largest.unwrap_or_default() + ANSWERS;
        assert!(
            self.ends.queued() <= most,
            "{} bytes queued",
            self.ends.queued()
        );
        assert!(self.stream.state().largest_room <= MOST_ROOM);
    }

    /// Everything that was queued leaves, if it can; and what left is what was meant.
    fn finish(mut self) {
        self.stream.make_room(usize::MAX / 2);
        let mut flushed = false;
        for _ in 0..300 {
            let told = self.run(u8::MAX, async |ends| ends.flush().await);
            match told {
                None => {}
                Some(Ok(())) => {
                    flushed = true;
                    break;
                }
                Some(Err(error)) => {
                    self.judge(Some(Err(error)));
                    break;
                }
            }
        }
        assert!(
            flushed || self.disturbed || self.failed,
            "it is not flushed"
        );
        let output = self.stream.output();
        let (frames, rest) = frames::parse(self.role, &output);
        assert!(rest == 0 || !flushed, "{rest} bytes of a frame");
        let mut next = 0;
        let mut said_close = false;
        for (first, payload) in frames {
            assert!(!said_close, "something behind our Close frame");
            match first {
                0x82 => {
                    let number = usize::from(u16::from_be_bytes([payload[0], payload[1]]));
                    assert!(
                        number >= next,
                        "message {number} is doubled or out of order"
                    );
                    self.assert_left(next..number);
                    let (size, fate) = self.outgoing[number];
                    assert_ne!(fate, Fate::Refused, "message {number} was dropped");
                    assert!(payload.len() == size && payload[2..].iter().all(|b| *b == 0x55));
                    next = number + 1;
                }
                0x89 => assert_eq!(payload, b"ping"),
                0x8a => assert_eq!(payload, b"there?"),
                0x88 => said_close = true,
                other => panic!("a frame that starts with {other:#x}"),
            }
        }
        if flushed && !self.failed {
            self.assert_left(next..self.outgoing.len());
        }
    }

    /// None of these messages was said to be queued.
    fn assert_left(&self, numbers: core::ops::Range<usize>) {
        for number in numbers {
            let fate = self.outgoing[number].1;
            assert_ne!(fate, Fate::Queued, "message {number} is lost");
        }
    }
}

/// Something happens that a task may be waiting for.
fn help(stream: &Hostile, later: &mut VecDeque<Vec<u8>>) {
    if let Some(frame) = later.pop_front() {
        stream.push_input(&frame);
    }
    stream.make_room(13);
}

/// How many calls were made, and how many bytes were moved.
fn progress(stream: &Hostile) -> (usize, usize) {
    let state = stream.state();
    (state.calls, state.output.len() + state.taken)
}
