//! Scenes played by two halves in tasks of their own: one receives, the other sends.
#![cfg(any(feature = "tokio", feature = "futures"))]

use crate::common::pair::own;
use crate::common::sockets::Opener;
use crate::scenes::{SENT, Scene, Stage};
use crate::splits::message;
use crate::stagecraft::{Run, describe, drive, start, watched};

pub(crate) fn play_by_tasks<O, I>(scene: &Scene, stage: &Stage) -> Run
where
    O: Opener<Socket = fullduplex::asynchronous::WebSocket<I>>,
    I: fullduplex::asynchronous::Io,
{
    let line = &stage.line;
    let mut opened = None;
    drive(stage, |executor| {
        let (scene, own) = (scene.clone(), line.clone());
        let opening = async move { start::<O>(&scene, &own).await };
        opened = Some(executor.spawn(watched(line.clone(), opening)));
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
    drive(stage, |executor| {
        received = Some(executor.spawn(watched(line.clone(), receiving)));
        executor.spawn(watched(line.clone(), sending));
    });
    received.unwrap().take().unwrap()
}
