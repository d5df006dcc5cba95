//! An executor that does nothing for its tasks that it does not owe them: it polls a task only if
//! the waker of that task's *last* poll was woken. A lost wake-up is a test that fails.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "each test crate uses its own part, and a helper that panics fails the test"
)]

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// More polls in a row without any help from outside are a busy loop.
const MOST_POLLS: usize = 1_000_000;

/// One poll's waker.
#[derive(Default)]
struct Signal(AtomicBool);

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A future that is polled only when it was woken.
struct Task<'f> {
    future: Pin<Box<dyn Future<Output = ()> + 'f>>,
    signal: Arc<Signal>,
    done: bool,
}

impl<'f> Task<'f> {
    fn new(future: impl Future<Output = ()> + 'f) -> Self {
        Self {
            future: Box::pin(future),
            signal: Arc::new(Signal(AtomicBool::new(true))),
            done: false,
        }
    }

    /// Polls the task if it was woken, and tells whether it was.
    fn run(&mut self) -> bool {
        if self.done || !self.signal.0.load(Ordering::SeqCst) {
            return false;
        }
        self.signal = Arc::default(); // whatever was told to wake this task before means nothing now
        let waker = Waker::from(Arc::clone(&self.signal));
        let polled = self.future.as_mut().poll(&mut Context::from_waker(&waker));
        self.done = polled.is_ready();
        true
    }
}

/// Tasks that share a thread. `'f` outlives what they borrow.
#[derive(Default)]
pub struct Executor<'f> {
    tasks: Vec<Task<'f>>,
    pub polls: usize,
}

/// What a task returns, once it has.
pub type Slot<T> = Rc<RefCell<Option<T>>>;

impl<'f> Executor<'f> {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn spawn<T: 'f>(&mut self, future: impl Future<Output = T> + 'f) -> Slot<T> {
        let slot = Slot::default();
        let result = Rc::clone(&slot);
        self.tasks.push(Task::new(async move {
            let value = future.await;
            *result.borrow_mut() = Some(value);
        }));
        slot
    }

    /// Runs until all tasks wait or have ended, and returns how many wait.
    pub fn run_until_stuck(&mut self) -> usize {
        let mut in_a_row = 0;
        loop {
            let mut any = false;
            for task in &mut self.tasks {
                if task.run() {
                    any = true;
                    self.polls += 1;
                    in_a_row += 1;
                }
            }
            assert!(in_a_row < MOST_POLLS, "a busy loop");
            if !any {
                return self.tasks.iter().filter(|task| !task.done).count();
            }
        }
    }

    /// Runs until all tasks have ended. When all of them wait, `help` lets something happen outside;
    /// if it cannot, a wake-up was lost.
    pub fn run(&mut self, mut help: impl FnMut() -> bool) {
        while self.run_until_stuck() > 0 {
            assert!(help(), "a task waits for ever: nobody will wake it");
        }
    }
}

/// Runs one future to its end.
pub fn block_on<T>(future: impl Future<Output = T>, help: impl FnMut() -> bool) -> T {
    let mut executor = Executor::new();
    let slot = executor.spawn(future);
    executor.run(help);
    slot.take().unwrap()
}

/// Which futures are dropped before they are ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drops {
    Never,
    /// The one that is polled then: polls are counted over all futures.
    At(usize),
    /// Each, when it has been polled so often.
    Each(usize),
}

/// Runs futures and drops some of them.
pub struct Cancelling {
    pub drops: Drops,
    pub polls: usize,
}

impl Cancelling {
    pub fn new(drops: Drops) -> Self {
        Self { drops, polls: 0 }
    }

    /// Runs a future to its end, or until it is to be dropped.
    pub fn run<T>(
        &mut self,
        future: impl Future<Output = T>,
        mut help: impl FnMut() -> bool,
    ) -> Option<T> {
        let slot = Slot::default();
        let result = Rc::clone(&slot);
        let mut task = Task::new(async move {
            let value = future.await;
            *result.borrow_mut() = Some(value);
        });
        let mut polls = 0;
        loop {
            while !task.run() {
                assert!(help(), "a task waits for ever: nobody will wake it");
            }
            if task.done {
                return slot.take();
            }
            let poll = self.polls;
            (self.polls, polls) = (self.polls + 1, polls + 1);
            let is_due = match self.drops {
                Drops::Never => false,
                Drops::At(at) => poll == at,
                Drops::Each(most) => polls >= most,
            };
            if is_due {
                drop(task);
                help(); // something happens in the meantime
                return None;
            }
        }
    }
}

/// Lets the other tasks run once.
pub async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(|cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// A waker that counts.
#[derive(Default)]
pub struct Count(pub AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}
