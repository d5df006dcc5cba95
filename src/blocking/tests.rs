//! The scenes of `tests/faults` over our own TLS steps, which nobody else can have without a socket.
#![allow(
    dead_code,
    clippy::expect_used,
    clippy::field_reassign_with_default,
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "tests have std, a panic is how they fail, and other tests use the rest"
)]

#[path = "../../tests/common"]
mod common {
    #[cfg(any(feature = "tokio", feature = "futures"))]
    pub(crate) mod adapters;
    pub(crate) mod executor;
    pub(crate) mod hostile;
    pub(crate) mod net;
    pub(crate) mod pair;
    pub(crate) mod sockets;
    pub(crate) mod tls;
}
#[path = "../../tests/faults/scenes.rs"]
mod scenes;
#[path = "../../tests/faults/splits.rs"]
mod splits;
#[path = "../../tests/faults/stagecraft.rs"]
mod stagecraft;
#[path = "../../tests/faults/tls.rs"]
mod tls;

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use fullduplex::handshake::client::Request;
use fullduplex::handshake::server::Options;
use fullduplex::{Config, Connection, Error, Inbox, Role};
use rustls::{ClientConnection, ServerConnection, StreamOwned};

use super::split::tests::split_tls_over;
use super::stream::{Session, Stream, is_not_now};
use super::{Accepting, Connecting, WebSocket, tls as steps};
use common::executor::block_on;
use common::hostile::{Fault, Hostile, MOST_IDLE, On, Steps};
use common::pair::ROLES;
use common::sockets::{Opener, Patient, connection};
use scenes::{Scene, Stage, scenes};
use splits::{Halves, one_way, play_by_threads, shutdown};
use stagecraft::{Stagecraft, TROUBLES, assert_enough};

/// A session for either end.
enum Tls {
    Client(StreamOwned<ClientConnection, Hostile>),
    Server(StreamOwned<ServerConnection, Hostile>),
}

/// Has `$tls` stand for the session of either end.
macro_rules! either {
    ($io:expr, $tls:ident => $call:expr) => {
        match $io {
            Tls::Client($tls) => $call,
            Tls::Server($tls) => $call,
        }
    };
}

const SESSION: Session<Tls> = Session {
    read: |io, room| either!(io, tls => steps::read(&mut tls.conn, &mut tls.sock, room)),
    write: |io, slices| either!(io, tls => steps::write(&mut tls.conn, &mut tls.sock, slices)),
    flush: |io| either!(io, tls => steps::flush(&mut tls.conn, &mut tls.sock)),
    close: |io| either!(io, tls => tls.conn.send_close_notify()),
};

impl Tls {
    fn new(line: &Hostile, role: Role) -> Self {
        let line = line.clone();
        match role {
            Role::Client => Self::Client(StreamOwned::new(tls::client(), line)),
            Role::Server => Self::Server(StreamOwned::new(tls::server(), line)),
        }
    }

    /// Goes as far as the stream allows.
    fn shake_hands(&mut self) -> Result<(), Error> {
        either!(self, tls => {
            steps::shake_hands(&mut tls.conn, &mut tls.sock, None, |_, _| Ok(()))
        })
    }
}

fn is_to_be_repeated(result: &Result<(), Error>) -> bool {
    matches!(result, Err(Error::Io(error)) if is_not_now(error))
}

/// Bytes take the way through the steps.
impl Read for Tls {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        unreachable!("a step reads")
    }
}

impl Write for Tls {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        unreachable!("a step writes")
    }

    fn write_vectored(&mut self, _: &[IoSlice<'_>]) -> io::Result<usize> {
        unreachable!("a step writes")
    }

    fn flush(&mut self) -> io::Result<()> {
        unreachable!("a step flushes")
    }
}

/// One for timeouts to be set on and to be ended, while bytes go through a hostile stream.
static SOCKETS: LazyLock<[TcpStream; 2]> = LazyLock::new(|| {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let one = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    [one, listener.accept().unwrap().0]
});

async fn stream(line: &Hostile, role: Role) -> Result<Stream<Tls>, Error> {
    let mut tls = Tls::new(line, role);
    loop {
        let result = tls.shake_hands();
        if !is_to_be_repeated(&result) {
            result?;
            // What another run has left.
            SOCKETS[0].set_read_timeout(None)?;
            SOCKETS[0].set_write_timeout(None)?;
            return Ok(Stream::socket(tls, |_| &SOCKETS[0], Some(SESSION)));
        }
        line.stirred().await;
    }
}

struct Own;

impl Opener for Own {
    type Socket = Patient<Tls>;

    const READS_CAN_LIE: bool = false;
    const SHUTS_DOWN: bool = false;

    async fn open(
        line: &Hostile,
        role: Role,
        connection: Connection,
    ) -> Result<Self::Socket, Error> {
        let stream = stream(line, role).await?;
        let socket = WebSocket::over(stream, connection, Inbox::new());
        Ok(Patient::over(line, socket))
    }

    async fn accept(line: &Hostile, options: &Options) -> Result<Self::Socket, Error> {
        let stream = stream(line, Role::Server).await?;
        Patient::accepting(line, Accepting::over(stream, options)).await
    }

    async fn connect(
        line: &Hostile,
        request: Request,
        config: &Config,
    ) -> Result<Self::Socket, Error> {
        let stream = stream(line, Role::Client).await?;
        let connecting = Connecting::over(stream, Inbox::new(), request, config);
        Patient::connecting(line, connecting).await
    }
}

/// As a socket is split that has TLS on it.
fn halves(scene: &Scene, line: &Hostile) -> Halves<impl Read + use<>, impl Write + Send + use<>> {
    let mut tls = Tls::new(line, scene.role);
    loop {
        line.state().start();
        let result = tls.shake_hands();
        if !is_to_be_repeated(&result) {
            result?;
            break;
        }
        thread::yield_now();
    }
    let session = either!(tls, tls => tls.conn.into());
    let connection = connection(scene.role, &scene.config);
    let (stream, shutdown) = (line.clone(), shutdown(line.clone()));
    Ok(split_tls_over(session, stream, shutdown, connection))
}

/// Each step makes one call.
fn stage(scene: &Scene) -> Stage {
    let stage = Stage::over_tls(scene);
    stage.line.state().most_idle = MOST_IDLE;
    stage
}

/// W3, W4, W8: under TLS of our own, too.
#[test]
fn tls_steps_survive_each_fault_at_each_call() {
    let whole = Stagecraft::alone::<Own>(stage);
    assert_enough(whole.play_all(TROUBLES), 5000);
}

/// W3, W4, W8: with the session shared by two threads.
#[test]
fn split_tls_survives_each_fault_at_each_call() {
    let halves = Stagecraft::halves(stage, |scene, stage| play_by_threads(scene, stage, halves));
    assert_enough(halves.play_all(&one_way(TROUBLES)), 400);
}

/// W8: what came before writing failed is delivered, also if the application does not wait for as
/// long as it takes to read a record. Found by the test above on a machine that was busy.
#[test]
fn a_record_is_read_to_its_end_after_writing_failed() {
    let small = |scene: &Scene| scene.name == "small";
    for scene in ROLES.into_iter().flat_map(scenes).filter(small) {
        let stage = stage(&scene);
        let line = &stage.line;
        line.state().read_size = 1;
        let stream = block_on(stream(line, scene.role), || false).unwrap();
        let connection = connection(scene.role, &scene.config);
        let mut socket = WebSocket::over(stream, connection, Inbox::new());
        socket.set_read_timeout(Some(Duration::ZERO));
        socket.connection().send_text("lost").unwrap();
        {
            let mut line = line.state();
            let reset = Fault::Error(ErrorKind::ConnectionReset);
            (line.fault, line.on, line.steps) = (reset, On::Writes, Steps::From(0));
        }
        let (mut heard, mut waits) = (0, 0);
        loop {
            match socket.next_event() {
                Ok(Some(_)) => heard += 1,
                Err(Error::WouldBlock) => waits += 1,
                Ok(None) => break,
                Err(error) => panic!("{error:?} after {heard} events and {waits} attempts"),
            }
        }
        let events = stage.talk.lock().unwrap().events().len();
        assert_eq!(heard, events);
        assert!(waits > 5 * heard && line.state().faults > 0, "{waits}");
    }
}

/// W4: shaking hands over a stream that takes nothing is an error. It was tried again without end.
#[test]
fn a_tls_handshake_that_cannot_be_written_is_an_error() {
    for scene in ROLES.into_iter().flat_map(scenes) {
        let stage = stage(&scene);
        {
            let mut line = stage.line.state();
            (line.fault, line.on, line.steps) = (Fault::Nothing, On::Writes, Steps::From(0));
        }
        let result = Tls::new(&stage.line, scene.role).shake_hands();
        assert!(
            matches!(&result, Err(Error::Io(error)) if error.kind() == ErrorKind::WriteZero),
            "{result:?}"
        );
        assert_eq!(stage.line.state().writes, 1);
    }
}
