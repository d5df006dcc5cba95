//! Scenes played by two halves: one receives, the other sends.

use std::thread;
use std::time::{Duration, Instant};

use fullduplex::blocking::split_over;
use fullduplex::{Error, Inbox, Message};

use crate::common::hostile::On;
use crate::common::net::{LONG, in_time};
use crate::common::pair::own;
use crate::common::sockets::connection;
use crate::scenes::{SENT, Scene, Stage};
use crate::{Run, Trouble, describe};

/// How long the Reader's thread lets the Writer's work when there is nothing to read.
const BREATH: Duration = Duration::from_micros(100);

fn message(number: usize) -> Message {
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

/// Two tasks.
#[cfg(any(feature = "tokio", feature = "futures"))]
pub(crate) fn play_by_tasks<O, I>(scene: &Scene, stage: &Stage) -> Run
where
    O: crate::Opener<Socket = fullduplex::asynchronous::WebSocket<I>>,
    I: fullduplex::asynchronous::Io,
{
    let line = &stage.line;
    let mut opened = None;
    crate::drive(stage, |executor| {
        let (scene, own) = (scene.clone(), line.clone());
        let opening = async move { crate::start::<O>(&scene, &own).await };
        opened = Some(executor.spawn(crate::watched(line.clone(), opening)));
    });
    let mut run = Run::default();
    let socket = match opened.unwrap().take().unwrap() {
        Ok(socket) => socket,
        Err(error) => {
            run.end = Err(vec![describe(&error); 2]);
            return run;
        }
    };
    run.is_open = true;
    let (mut reader, mut writer) = socket.split();
    let sending = async move {
        let mut all_went = true;
        for number in 0..SENT {
            let sent = writer.send(message(number)).await;
            assert!(all_went || sent.is_err(), "an error stays");
            all_went = sent.is_ok();
        }
        writer
    };
    let own_line = line.clone();
    let receiving = async move {
        loop {
            own_line.state().start();
            match reader.next_event().await {
                Ok(Some(event)) => run.heard.push(own(event)),
                Ok(None) => break,
                Err(error) => {
                    let again = reader.next_event().await.expect_err("errors stay");
                    run.end = Err(vec![describe(&error), describe(&again)]);
                    break;
                }
            }
        }
        run.outcome = reader.outcome();
        run
    };
    let mut received = None;
    crate::drive(stage, |executor| {
        received = Some(executor.spawn(crate::watched(line.clone(), receiving)));
        executor.spawn(crate::watched(line.clone(), sending));
    });
    received.unwrap().take().unwrap()
}

/// Two threads.
pub(crate) fn play_by_threads(scene: &Scene, stage: &Stage) -> Run {
    let line = stage.line.clone();
    line.state().most_idle = u32::MAX; // both threads' calls are counted as one's
    let ending = line.clone();
    // It ends for both sides, as a socket does.
    let shutdown = move |how| {
        if how == std::net::Shutdown::Both {
            ending.end();
        }
        Ok(())
    };
    let connection = connection(scene.role, &scene.config);
    let (read, write) = (line.clone(), line);
    let (mut reader, sender, writer) = split_over(read, write, shutdown, connection, Inbox::new());
    let writing = thread::spawn(|| writer.run());
    let mut run = Run {
        is_open: true,
        ..Run::default()
    };
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
    run
}
