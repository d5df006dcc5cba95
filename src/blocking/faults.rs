//! The scenes of `tests/faults` over our own TLS steps, which nobody else can have without a socket.
#![allow(
    dead_code,
    clippy::expect_used,
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

use std::io::{self, IoSlice, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::LazyLock;
use std::thread;

use fullduplex::handshake::client::Request;
use fullduplex::handshake::server::Options;
use fullduplex::{Config, Connection, Error, Inbox, Role};
use rustls::{ClientConnection, ServerConnection, StreamOwned};

use super::split::tests::split_tls_over;
use super::stream::{Session, Stream, is_not_now};
use super::{Accepting, Connecting, WebSocket, tls as steps};
use common::hostile::{Hostile, MOST_IDLE};
use common::sockets::{Opener, Patient, connection};
use scenes::{Scene, Stage};
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
fn halves(
    scene: &Scene,
    line: &Hostile,
) -> Result<Halves<impl Read + use<>, impl Write + Send + use<>>, Error> {
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
    assert_enough(whole.play_all(TROUBLES), 7000);
}

/// W3, W4, W8: with the session shared by two threads.
#[test]
fn split_tls_survives_each_fault_at_each_call() {
    let halves = Stagecraft::halves(stage, |scene, stage| play_by_threads(scene, stage, halves));
    assert_enough(halves.play_all(&one_way(TROUBLES)), 500);
}
