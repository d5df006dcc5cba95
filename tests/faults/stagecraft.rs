//! Plays scenes with every trouble at every step, and compares them with how they go without.
//!
//! The unit tests of `src/blocking` use this too, over what no other crate can reach.

use std::future::poll_fn;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;

use fullduplex::handshake::client::Request;
use fullduplex::handshake::server::Options;
use fullduplex::handshake::{HandshakeError, OriginPolicy};
use fullduplex::{CloseCode, Error, Outcome, ReceiveError, Role};

use super::common::executor::Executor;
use super::common::hostile::{Fault, Hostile, On, Steps};
use super::common::pair::{ROLES, Seen};
use super::common::sockets::{Answer, Opener, Socket, connection};
use super::scenes::{Act, Scene, Stage, scenes};

/// More calls than this that wait in vain are a stream that blocks for ever.
const MOST_STIRS: usize = 1000;

/// A stream that sends all calls away does so that often, and then works again.
const PATIENCE: usize = 5;

/// What goes wrong, in which calls, once or from then on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trouble {
    pub(crate) fault: Fault,
    pub(crate) on: On,
    pub(crate) lasts: bool,
}

impl Trouble {
    const fn at(self, step: usize) -> Steps {
        if self.lasts {
            Steps::From(step)
        } else {
            Steps::Only(step)
        }
    }
}

pub(crate) const fn once(fault: Fault, on: On) -> Trouble {
    let lasts = false;
    Trouble { fault, on, lasts }
}

pub(crate) const fn ever(fault: Fault, on: On) -> Trouble {
    let lasts = true;
    Trouble { fault, on, lasts }
}

const RESET: Fault = Fault::Error(ErrorKind::ConnectionReset);
const CUT: Fault = Fault::Error(ErrorKind::UnexpectedEof);
const LATER: Fault = Fault::Error(ErrorKind::WouldBlock);
pub(crate) const INTERRUPTED: Fault = Fault::Error(ErrorKind::Interrupted);

pub(crate) const TROUBLES: &[Trouble] = &[
    once(LATER, On::Both),
    ever(LATER, On::Both),
    once(INTERRUPTED, On::Both),
    once(Fault::Short, On::Both),
    ever(Fault::Short, On::Both),
    ever(Fault::Nothing, On::Both),
    ever(Fault::Nothing, On::Reads),
    ever(Fault::Nothing, On::Writes),
    ever(RESET, On::Both),
    ever(RESET, On::Reads),
    ever(RESET, On::Writes),
    ever(CUT, On::Both),
    ever(CUT, On::Reads),
    ever(CUT, On::Writes),
];

/// Those after which a stream goes on as if nothing had been.
const fn is_survived(fault: Fault) -> bool {
    match fault {
        Fault::Short => true,
        Fault::Error(kind) => matches!(
            kind,
            ErrorKind::WouldBlock | ErrorKind::Interrupted | ErrorKind::TimedOut
        ),
        Fault::Nothing | Fault::Lie => false,
    }
}

/// What our end saw.
#[derive(Debug)]
pub(crate) struct Run {
    /// Whether the opening handshake, if there was one, went well.
    pub(crate) is_open: bool,
    pub(crate) heard: Vec<Seen>,
    /// An error twice, if it can be told again.
    pub(crate) end: Result<(), Vec<String>>,
    pub(crate) outcome: Option<Outcome>,
}

impl Default for Run {
    fn default() -> Self {
        Self {
            is_open: false,
            heard: Vec::new(),
            end: Ok(()),
            outcome: None,
        }
    }
}

/// Says which error it is.
pub(crate) fn describe(error: &Error) -> String {
    match error {
        Error::Io(error) => format!("{:?}", error.kind()),
        Error::Receive(ReceiveError::UnexpectedEof)
        | Error::Handshake(HandshakeError::ConnectionClosed) => "the end".to_owned(),
        other => format!("{other:?}"),
    }
}

pub(crate) async fn start<O: Opener>(scene: &Scene, line: &Hostile) -> Result<O::Socket, Error> {
    match (scene.opens, scene.role) {
        (false, role) => O::open(line, role, connection(role, &scene.config)).await,
        (true, Role::Server) => {
            let options = Options::new(OriginPolicy::any()).config(scene.config.clone());
            O::accept(line, &options).await
        }
        (true, Role::Client) => {
            let request = Request::new("ws://localhost/chat").unwrap();
            O::connect(line, request, &scene.config).await
        }
    }
}

async fn play<O: Opener>(scene: &Scene, line: &Hostile) -> Run {
    let mut run = Run::default();
    let mut socket = match start::<O>(scene, line).await {
        Ok(socket) => {
            run.is_open = true;
            socket
        }
        Err(error) => {
            run.end = Err(vec![describe(&error); 2]);
            return run;
        }
    };
    let mut answer = Answer::Nothing;
    match scene.act {
        Act::Echo => answer = Answer::Echo,
        Act::CloseAndRead => {
            let connection = socket.connection();
            connection.send_text("last").unwrap();
            connection.close(CloseCode::NORMAL, "done").unwrap();
        }
        Act::Close => {
            socket.connection().send_text("last").unwrap();
            let outcome = socket.close(CloseCode::NORMAL, "done").await.unwrap();
            assert_eq!(socket.outcome(), Some(outcome));
        }
        Act::Split => unreachable!("it is played by halves"),
    }
    loop {
        line.state().start();
        match socket.next(answer).await {
            Ok(Some(seen)) => run.heard.push(seen),
            Ok(None) => break,
            Err(error) => {
                let again = socket.next(answer).await.expect_err("errors stay");
                run.end = Err(vec![describe(&error), describe(&again)]);
                break;
            }
        }
    }
    if run.end.is_ok() {
        assert_eq!(socket.next(answer).await.unwrap(), None, "the end stays");
    }
    run.outcome = socket.outcome();
    run
}

/// Runs tasks whose every poll is watched, and stirs the stream while all of them wait.
pub(crate) fn drive<'f>(stage: &Stage, tasks: impl FnOnce(&mut Executor<'f>)) {
    let line = &stage.line;
    let mut executor = Executor::new();
    tasks(&mut executor);
    let mut stirs = 0;
    executor.run(|| {
        stirs += 1;
        assert!(stirs < MOST_STIRS, "it blocks for ever");
        line.stir()
    });
    assert!(!line.state().is_busy, "a busy loop");
}

/// Calls of the transport without progress are counted anew with each poll.
pub(crate) async fn watched<T>(line: Hostile, task: impl Future<Output = T>) -> T {
    let mut task = pin!(task);
    poll_fn(|cx| {
        line.state().start();
        task.as_mut().poll(cx)
    })
    .await
}

/// A scene played to its end by one task.
fn play_alone<O: Opener>(scene: &Scene, stage: &Stage) -> Run {
    let line = &stage.line;
    let mut run = None;
    drive(stage, |executor| {
        let (scene, own) = (scene.clone(), line.clone());
        let playing = async move { play::<O>(&scene, &own).await };
        run = Some(executor.spawn(watched(line.clone(), playing)));
    });
    run.unwrap().take().unwrap()
}

/// A way to play some of the scenes.
pub(crate) struct Stagecraft {
    pub(crate) set: fn(&Scene) -> Stage,
    pub(crate) play: fn(&Scene, &Stage) -> Run,
    pub(crate) acts: fn(Act) -> bool,
    /// Whether what has come is delivered even if nothing can be written.
    pub(crate) reads_apart: bool,
}

impl Stagecraft {
    pub(crate) const fn alone<O: Opener>(set: fn(&Scene) -> Stage) -> Self {
        Self {
            set,
            play: play_alone::<O>,
            acts: |act| act != Act::Split,
            reads_apart: true,
        }
    }

    pub(crate) const fn halves(set: fn(&Scene) -> Stage, play: fn(&Scene, &Stage) -> Run) -> Self {
        Self {
            set,
            play,
            acts: |act| act == Act::Split,
            reads_apart: true,
        }
    }

    /// Plays each scene with each trouble at each step, until it is not reached any more, and
    /// returns how often that was.
    pub(crate) fn play_all(&self, troubles: &[Trouble]) -> usize {
        let mut runs = 0;
        let mut failed = Vec::new();
        let scenes = ROLES.into_iter().flat_map(scenes);
        for scene in scenes.filter(|scene| (self.acts)(scene.act)) {
            for &size in scene.sizes {
                let sized = |steps: Steps, trouble: Trouble| {
                    let stage = (self.set)(&scene);
                    // Of records there is more to be moved than of frames.
                    let size = size.saturating_mul(if stage.is_tls() { 20 } else { 1 });
                    {
                        let mut line = stage.line.state();
                        (line.read_size, line.write_size) = (size, size);
                        (line.fault, line.on) = (trouble.fault, trouble.on);
                        line.steps = steps;
                        if is_survived(trouble.fault) && trouble.fault != Fault::Short {
                            line.most_faults = PATIENCE;
                        }
                    }
                    stage
                };
                let stage = sized(Steps::None, troubles[0]);
                let usual = Usual::new((self.play)(&scene, &stage), &stage);
                // Byte by byte, much would take long.
                let bearable = |trouble: &&Trouble| {
                    trouble.fault != Fault::Short || !trouble.lasts || scene.name != "large"
                };
                for trouble in troubles.iter().filter(bearable) {
                    for step in 0.. {
                        let stage = sized(trouble.at(step), *trouble);
                        let attempt = AssertUnwindSafe(|| {
                            let run = (self.play)(&scene, &stage);
                            usual.check(&scene, &stage, &run, *trouble);
                            if run.is_open && scene.act != Act::Close && self.reads_apart {
                                usual.check_delivery(&stage, &run, *trouble);
                            }
                        });
                        runs += 1;
                        if catch_unwind(attempt).is_err() {
                            let (name, role) = (scene.name, scene.role);
                            failed.push(format!("{name} {role:?} {size} {trouble:?} at {step}"));
                        } else if stage.line.state().faults == 0 {
                            break;
                        }
                        assert!(failed.len() < 10 && step < 10_000, "{failed:#?}");
                    }
                }
            }
        }
        assert!(failed.is_empty(), "{failed:#?}");
        runs
    }
}

/// What happens when nothing goes wrong.
struct Usual {
    run: Run,
    transcript: Vec<u8>,
    messages: Vec<Vec<u8>>,
    /// Where in what the peer says each event is complete.
    events: Vec<usize>,
}

impl Usual {
    fn new(run: Run, stage: &Stage) -> Self {
        let talk = stage.talk.lock().unwrap();
        let usual = Self {
            run,
            transcript: talk.transcript(),
            messages: talk.messages(),
            events: talk.events(),
        };
        assert_eq!(usual.run.end, Ok(()));
        usual
    }

    /// Nothing more than usual happened, and in the same order; and all of it unless something went
    /// wrong that cannot be helped.
    fn check(&self, scene: &Scene, stage: &Stage, run: &Run, trouble: Trouble) {
        let talk = stage.talk.lock().unwrap();
        let (written, messages) = (talk.transcript(), talk.messages());
        let usual = &self.messages;
        assert!(
            usual.starts_with(&messages),
            "{messages:?}, {usual:?}, {run:?}"
        );
        if scene.act != Act::Split {
            let shown = written.escape_ascii();
            assert!(self.transcript.starts_with(&written), "{run:?}: {shown}");
        }
        assert!(self.run.heard.starts_with(&run.heard), "{run:?}");
        let is_clean = run.outcome.as_ref().is_some_and(|outcome| outcome.clean);
        let is_survived = is_survived(trouble.fault) || stage.line.state().faults == 0;
        match &run.end {
            Ok(()) => {
                assert!(is_clean, "{run:?}");
                assert_eq!(run.heard, self.run.heard);
            }
            Err(errors) => {
                assert!(!is_survived && !is_clean, "{run:?}");
                assert_eq!(errors[0], errors[1], "the error stays");
                let named = match trouble.fault {
                    Fault::Error(kind) => vec![format!("{kind:?}")],
                    _ if !run.is_open && errors[0] == "Tls(ConnectionClosed)" => errors.clone(),
                    // Without TLS having ended, a stream may have been cut.
                    _ if stage.is_tls() => vec!["UnexpectedEof".into(), "WriteZero".into()],
                    _ => vec!["the end".into(), "WriteZero".into()],
                };
                assert!(named.contains(&errors[0]), "{errors:?}");
            }
        }
        if is_survived {
            assert!(messages == self.messages);
            assert_eq!(written.len(), self.transcript.len());
        }
    }

    /// What has come is delivered, and whoever cannot write still reads all that there is.
    fn check_delivery(&self, stage: &Stage, run: &Run, trouble: Trouble) {
        let delivered = stage.delivered();
        let due = self.events.iter().filter(|end| **end <= delivered);
        assert_eq!(run.heard.len(), due.count(), "{run:?}");
        if trouble.on == On::Writes {
            assert_eq!(delivered, stage.talk.lock().unwrap().said(), "{run:?}");
        }
    }
}

pub(crate) fn assert_enough(runs: usize, least: usize) {
    println!("{runs} runs");
    assert!(runs >= least, "{runs} runs");
}
