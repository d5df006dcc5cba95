//! What the operations work on.

use core::cell::Cell;
use core::future::poll_fn;
use core::pin::Pin;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, Waker};
use std::sync::{Arc, Mutex};
use std::task::Wake;

use fullduplex::tokio::{Reader, WebSocket, Writer};
use fullduplex::{CloseCode, Error, Message};

use super::hostile::Hostile;

/// An open WebSocket, whole or in halves.
pub enum Ends {
    Whole(WebSocket<Hostile>),
    Halves(Reader<Hostile>, Writer<Hostile>),
}

impl Ends {
    pub async fn recv(&mut self) -> Result<Option<Message>, Error> {
        match self {
            Self::Whole(socket) => socket.recv().await,
            Self::Halves(reader, _) => reader.recv().await,
        }
    }

    pub async fn send(&mut self, message: Message) -> Result<(), Error> {
        match self {
            Self::Whole(socket) => socket.send(message).await,
            Self::Halves(_, writer) => writer.send(message).await,
        }
    }

    pub async fn feed(&mut self, message: Message) -> Result<(), Error> {
        match self {
            Self::Whole(socket) => socket.feed(message).await,
            Self::Halves(_, writer) => writer.feed(message).await,
        }
    }

    pub async fn flush(&mut self) -> Result<(), Error> {
        match self {
            Self::Whole(socket) => socket.flush().await,
            Self::Halves(_, writer) => writer.flush().await,
        }
    }

    pub async fn ping(&mut self) -> Result<(), Error> {
        match self {
            Self::Whole(socket) => socket.ping(b"ping").await,
            Self::Halves(_, writer) => writer.ping(b"ping").await,
        }
    }

    pub async fn close(&mut self) -> Result<(), Error> {
        match self {
            Self::Whole(socket) => socket.close(CloseCode::NORMAL, "bye").await.map(drop),
            Self::Halves(_, writer) => writer.close(CloseCode::NORMAL, "bye").await,
        }
    }

    pub fn queued(&mut self) -> usize {
        match self {
            Self::Whole(socket) => socket.connection().queued(),
            Self::Halves(_, writer) => writer.queued(),
        }
    }
}

/// The waker of one of two tasks.
struct Woken {
    is_woken: AtomicBool,
    /// Who polls both.
    outer: Mutex<Waker>,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.is_woken.store(true, Ordering::Relaxed);
        self.outer.lock().expect("no panic").wake_by_ref();
    }
}

/// Runs two tasks, and polls each only when it was woken itself. With `force` it polls both, and
/// insists that this is in vain.
pub async fn both<F: Future<Output = ()>, G: Future<Output = ()>>(
    mut first: Pin<&mut F>,
    mut second: Pin<&mut G>,
    force: &Cell<bool>,
) {
    let woken = [(); 2].map(|()| {
        Arc::new(Woken {
            is_woken: AtomicBool::new(true),
            outer: Mutex::new(Waker::noop().clone()),
        })
    });
    let mut done = [false; 2];
    poll_fn(|cx| {
        for (i, woken) in woken.iter().enumerate() {
            let is_woken = woken.is_woken.swap(false, Ordering::Relaxed);
            if done[i] || !is_woken && !force.get() {
                continue;
            }
            woken.outer.lock().expect("no panic").clone_from(cx.waker());
            let waker = Waker::from(Arc::clone(woken));
            let cx = &mut Context::from_waker(&waker);
            done[i] = match i {
                0 => first.as_mut().poll(cx).is_ready(),
                _ => second.as_mut().poll(cx).is_ready(),
            };
            assert!(is_woken || !done[i], "nobody woke the task");
        }
        if done == [true; 2] {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}
