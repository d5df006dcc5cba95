//! All adapters behind one trait, over hostile streams, so that each test is written once.
//!
//! What a blocking adapter could not do yet is done again when its stream is stirred, as an async
//! task would be woken.
#![cfg(feature = "std")]
#![allow(
    dead_code,
    unreachable_pub,
    unused_macros,
    async_fn_in_trait,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "each test crate uses its own part, and a helper that panics fails the test"
)]

use std::io::{Read, Write};

use fullduplex::blocking::{self, Accepting, Connecting, Incoming};
use fullduplex::handshake::Step;
use fullduplex::handshake::client::Request;
use fullduplex::handshake::server::{Acceptance, Options};
use fullduplex::{
    CloseCode, Config, Connection, Error, Event, Inbox, MaskKeys, Message, Outcome, Role,
};

use super::hostile::Hostile;
use super::pair::{Seen, own};

/// Whether messages are sent back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Echo,
    Nothing,
}

impl Answer {
    fn give(self, event: &Event<'_>, connection: &mut Connection) {
        match (self, event) {
            (Self::Echo, Event::Text(text)) => connection.send_text(text).unwrap(),
            (Self::Echo, Event::Binary(bytes)) => connection.send_binary(bytes).unwrap(),
            _ => {}
        }
    }
}

/// An open WebSocket.
pub trait Socket {
    /// The next event, answered.
    async fn next(&mut self, answer: Answer) -> Result<Option<Seen>, Error>;
    async fn recv(&mut self) -> Result<Option<Message>, Error>;
    async fn send(&mut self, message: Message) -> Result<(), Error>;
    async fn flush(&mut self) -> Result<(), Error>;
    async fn close(&mut self, code: CloseCode, reason: &str) -> Result<Outcome, Error>;
    fn connection(&mut self) -> &mut Connection;
    fn outcome(&self) -> Option<Outcome>;
}

/// How WebSockets come about over a hostile stream.
pub trait Opener {
    type Socket: Socket;

    /// Whether a stream can claim to have read more than it was given room for.
    const READS_CAN_LIE: bool;

    /// Whether it ends its side of a stream that is no socket.
    const SHUTS_DOWN: bool;

    /// Whose opening handshake is done.
    async fn open(
        line: &Hostile,
        role: Role,
        connection: Connection,
    ) -> Result<Self::Socket, Error>;
    async fn accept(line: &Hostile, options: &Options) -> Result<Self::Socket, Error>;
    async fn connect(
        line: &Hostile,
        request: Request,
        config: &Config,
    ) -> Result<Self::Socket, Error>;
}

pub fn connection(role: Role, config: &Config) -> Connection {
    match role {
        Role::Client => Connection::client(config, MaskKeys::seeded([7; 32])),
        Role::Server => Connection::server(config),
    }
}

/// A blocking WebSocket, whose stream does not block.
pub struct Patient<S> {
    socket: blocking::WebSocket<S>,
    line: Hostile,
}

impl<S: Read + Write> Patient<S> {
    pub fn new(line: &Hostile, stream: S, connection: Connection) -> Self {
        Self::over(
            line,
            blocking::WebSocket::new(stream, connection, Inbox::new()),
        )
    }

    pub fn over(line: &Hostile, socket: blocking::WebSocket<S>) -> Self {
        let line = line.clone();
        Self { socket, line }
    }

    pub async fn accept(line: &Hostile, stream: S, options: &Options) -> Result<Self, Error> {
        Self::accepting(line, Accepting::new(stream, options)).await
    }

    pub async fn accepting(line: &Hostile, accepting: Accepting<S>) -> Result<Self, Error> {
        match advance(line, accepting, Accepting::advance).await? {
            Incoming::Upgrade(upgrade) => Ok(Self::over(line, upgrade.accept(Acceptance::new())?)),
            Incoming::Http(_) => panic!("it asks for a WebSocket"),
        }
    }

    pub async fn connect(
        line: &Hostile,
        stream: S,
        request: Request,
        config: &Config,
    ) -> Result<Self, Error> {
        Self::connecting(line, Connecting::new(stream, request, config)).await
    }

    pub async fn connecting(line: &Hostile, connecting: Connecting<S>) -> Result<Self, Error> {
        let connected = advance(line, connecting, Connecting::advance).await?;
        Ok(Self::over(line, connected.socket))
    }

    /// Makes a call until it does not block.
    async fn insist<T>(
        &mut self,
        mut call: impl FnMut(&mut blocking::WebSocket<S>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        loop {
            self.line.state().start();
            match call(&mut self.socket) {
                Err(error) if error.is_would_block() => self.line.stirred().await,
                result => return result,
            }
        }
    }
}

async fn advance<A, D>(
    line: &Hostile,
    mut handshake: A,
    advance: impl Fn(A) -> Result<Step<A, D>, Error>,
) -> Result<D, Error> {
    loop {
        line.state().start();
        match advance(handshake)? {
            Step::Done(done) => return Ok(done),
            Step::Continue(again) => handshake = again,
        }
        line.stirred().await;
    }
}

impl<S: Read + Write> Socket for Patient<S> {
    async fn next(&mut self, answer: Answer) -> Result<Option<Seen>, Error> {
        self.insist(|socket| {
            let next = socket.next_event()?;
            Ok(next.map(|(event, connection)| {
                answer.give(&event, connection);
                own(event)
            }))
        })
        .await
    }

    async fn recv(&mut self) -> Result<Option<Message>, Error> {
        self.insist(blocking::WebSocket::recv).await
    }

    async fn send(&mut self, message: Message) -> Result<(), Error> {
        self.insist(|socket| socket.feed(message.clone())).await?;
        self.flush().await
    }

    async fn flush(&mut self) -> Result<(), Error> {
        self.insist(blocking::WebSocket::flush).await
    }

    async fn close(&mut self, code: CloseCode, reason: &str) -> Result<Outcome, Error> {
        self.insist(|socket| socket.close(code, reason)).await
    }

    fn connection(&mut self) -> &mut Connection {
        self.socket.connection()
    }

    fn outcome(&self) -> Option<Outcome> {
        self.socket.outcome()
    }
}

#[cfg(any(feature = "tokio", feature = "futures"))]
impl<I: fullduplex::asynchronous::Io> Socket for fullduplex::asynchronous::WebSocket<I> {
    async fn next(&mut self, answer: Answer) -> Result<Option<Seen>, Error> {
        let next = self.next_event().await?;
        Ok(next.map(|(event, connection)| {
            answer.give(&event, connection);
            own(event)
        }))
    }

    async fn recv(&mut self) -> Result<Option<Message>, Error> {
        self.recv().await
    }

    async fn send(&mut self, message: Message) -> Result<(), Error> {
        self.send(message).await
    }

    async fn flush(&mut self) -> Result<(), Error> {
        self.flush().await
    }

    async fn close(&mut self, code: CloseCode, reason: &str) -> Result<Outcome, Error> {
        self.close(code, reason).await
    }

    fn connection(&mut self) -> &mut Connection {
        self.connection()
    }

    fn outcome(&self) -> Option<Outcome> {
        self.outcome()
    }
}

pub struct Blocking;

impl Opener for Blocking {
    type Socket = Patient<Hostile>;

    const READS_CAN_LIE: bool = true;
    const SHUTS_DOWN: bool = false;

    async fn open(line: &Hostile, _: Role, connection: Connection) -> Result<Self::Socket, Error> {
        Ok(Patient::new(line, line.clone(), connection))
    }

    async fn accept(line: &Hostile, options: &Options) -> Result<Self::Socket, Error> {
        Patient::accept(line, line.clone(), options).await
    }

    async fn connect(
        line: &Hostile,
        request: Request,
        config: &Config,
    ) -> Result<Self::Socket, Error> {
        Patient::connect(line, line.clone(), request, config).await
    }
}

#[cfg(any(feature = "tokio", feature = "futures"))]
impl<A: super::adapters::Adapter> Opener for A {
    type Socket = fullduplex::asynchronous::WebSocket<A::Io>;

    const READS_CAN_LIE: bool = A::READS_CAN_LIE;
    const SHUTS_DOWN: bool = true;

    async fn open(line: &Hostile, _: Role, connection: Connection) -> Result<Self::Socket, Error> {
        Ok(A::new(line.clone(), connection, Inbox::new()))
    }

    async fn accept(line: &Hostile, options: &Options) -> Result<Self::Socket, Error> {
        A::accept(line.clone(), options).await
    }

    async fn connect(
        line: &Hostile,
        request: Request,
        config: &Config,
    ) -> Result<Self::Socket, Error> {
        let connected = A::connect_over(line.clone(), request, config).await?;
        Ok(connected.socket)
    }
}

/// Makes a test of each function, for each adapter.
#[macro_export]
macro_rules! for_each_socket {
    ($($name:ident,)*) => {
        mod blocking {
            $(#[test] fn $name() { super::$name::<super::common::sockets::Blocking>(); })*
        }

        #[cfg(any(feature = "tokio", feature = "futures"))]
        $crate::for_each_adapter! { $($name,)* }
    };
}
