//! Scenes played by two halves in threads of their own: one receives, the other sends.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::thread;
use std::time::{Duration, Instant};

use fullduplex::blocking::{Reader, Sender, Writer, split_over};
use fullduplex::{Error, Inbox, Message};

use super::common::hostile::{Hostile, On};
use super::common::net::{LONG, in_time};
use super::common::pair::own;
use super::common::sockets::connection;
use super::scenes::{SENT, Scene, Stage};
use super::stagecraft::{Run, Trouble, describe};

/// How long the Reader's thread lets the Writer's work when there is nothing to read.
const BREATH: Duration = Duration::from_micros(100);

pub(crate) fn message(number: usize) -> Message {
    Message::text(format!("number {number}"))
}

/// What is left of `troubles` when two threads make calls in any order.
pub(crate) fn one_way(troubles: &[Trouble]) -> Vec<Trouble> {
    let directions = |trouble: &Trouble| match trouble.on {
        On::Both => vec![On::Reads, On::Writes],
        _ => Vec::new(),
    };
    let one_way = troubles.iter().flat_map(|trouble| {
        let on = directions(trouble).into_iter();
        on.map(|on| Trouble { on, ..*trouble })
    });
    one_way.collect()
}

/// What a connection is split into, if it opens.
pub(crate) type Halves<R, W> = Result<(Reader<R>, Sender, Writer<W>), Error>;

/// Over a stream whose opening handshake is done.
#[allow(clippy::unnecessary_wraps, reason = "what has TLS to open can fail")]
pub(crate) fn halves(scene: &Scene, line: &Hostile) -> Halves<Hostile, Hostile> {
    let connection = connection(scene.role, &scene.config);
    let (read, write, shutdown) = (line.clone(), line.clone(), shutdown(line.clone()));
    Ok(split_over(read, write, shutdown, connection, Inbox::new()))
}

/// Ends a stream for both sides, as that of a socket does.
pub(crate) fn shutdown(line: Hostile) -> impl Fn(Shutdown) -> io::Result<()> + Send + Sync {
    move |how| {
        if how == Shutdown::Both {
            line.end();
        }
        Ok(())
    }
}

/// Two threads.
pub(crate) fn play_by_threads<R: Read, W: Write + Send + 'static>(
    scene: &Scene,
    stage: &Stage,
    open: fn(&Scene, &Hostile) -> Halves<R, W>,
) -> Run {
    let line = &stage.line;
    let mut run = Run::default();
    let (mut reader, sender, writer) = match open(scene, line) {
        Ok(halves) => halves,
        Err(error) => {
            run.end = Err(vec![describe(&error); 2]);
            return run;
        }
    };
    run.is_open = true;
    line.state().has_two_users = true;
    let writing = thread::spawn(|| writer.run());
    for number in 0..SENT {
        // It may have ended by now.
        let _ = sender.send(message(number));
    }
    let until = Instant::now() + LONG;
    loop {
        match reader.next_event() {
            Ok(Some(event)) => run.heard.push(own(event)),
            Ok(None) => break,
            Err(Error::WouldBlock) => {
                assert!(Instant::now() < until, "it blocks for ever");
                thread::sleep(BREATH);
                line.state().start();
            }
            Err(error) => {
                let again = reader.next_event().expect_err("errors stay");
                run.end = Err(vec![describe(&error), describe(&again)]);
                break;
            }
        }
    }
    run.outcome = Some(in_time(|| writing.join().unwrap()));
    assert_eq!(run.outcome, reader.outcome());
    assert!(!line.state().is_busy, "a busy loop");
    run
}
