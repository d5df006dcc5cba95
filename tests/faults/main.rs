//! Each call that an adapter makes of its transport goes wrong in turn, in each way it can: up to
//! there nothing is lost, doubled or put in another order, what came is delivered before the error,
//! the error says what happened and stays, and nobody waits or loops for ever (W3, W4, W8).
#![cfg(feature = "std")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "tests have std, and a panic is how they fail"
)]

#[path = "../common/mod.rs"]
mod common;
mod scenes;
mod splits;
mod stagecraft;
mod streams;
mod tasks;
mod tls;

use std::io::ErrorKind;

use common::hostile::{Fault, On};
use scenes::Stage;
use stagecraft::{INTERRUPTED, Stagecraft, TROUBLES, assert_enough, ever, once};

/// How many runs there are at least, for each adapter: all together are more than 20,000.
const RUNS: usize = 7000;
const TLS_RUNS: usize = 5000;
const _: () = assert!(3 * RUNS + 2 * TLS_RUNS > 20_000);

/// A socket with a timeout says when that has passed, and may be interrupted all the time.
#[test]
fn blocking() {
    let late = Fault::Error(ErrorKind::TimedOut);
    let more = [
        once(late, On::Both),
        ever(late, On::Both),
        ever(INTERRUPTED, On::Both),
    ];
    let troubles = [TROUBLES, &more].concat();
    let whole = Stagecraft::alone::<common::sockets::Blocking>(Stage::new);
    let halves = Stagecraft::halves(Stage::new, |scene, stage| {
        splits::play_by_threads(scene, stage, splits::halves)
    });
    let runs = whole.play_all(&troubles) + halves.play_all(&splits::one_way(TROUBLES));
    assert_enough(runs, RUNS);
}

#[cfg(any(feature = "tokio", feature = "futures"))]
fn async_streams<A: common::adapters::Adapter>() {
    let whole = Stagecraft::alone::<A>(Stage::new);
    let halves = Stagecraft::halves(Stage::new, tasks::play_by_tasks::<A, _>);
    let runs = whole.play_all(TROUBLES) + halves.play_all(TROUBLES);
    assert_enough(runs, RUNS);
}

#[cfg(feature = "tokio")]
fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().build().unwrap()
}

#[cfg(feature = "tokio")]
#[test]
fn tokio() {
    let runtime = runtime();
    let _timers_work = runtime.enter();
    async_streams::<common::adapters::Tokio>();
}

#[cfg(feature = "futures")]
#[test]
fn futures() {
    async_streams::<common::adapters::Futures>();
}

/// What can be asked of the TLS streams of others. They wait for a stream that takes nothing, and
/// tokio-rustls gives up when it is interrupted, which no socket of tokio's ever is.
#[cfg(feature = "rustls")]
fn troubles_for_tls(but: Option<Fault>) -> Vec<stagecraft::Trouble> {
    let all = TROUBLES.iter().copied();
    all.filter(|trouble| trouble.fault != Fault::Nothing || trouble.on == On::Reads)
        .filter(|trouble| Some(trouble.fault) != but)
        .collect()
}

#[cfg(feature = "rustls")]
#[test]
fn blocking_over_tls() {
    let whole = Stagecraft {
        reads_apart: false, // the stream that rustls brings writes before it gives what it has read
        ..Stagecraft::alone::<streams::Blocking>(Stage::over_tls)
    };
    assert_enough(whole.play_all(&troubles_for_tls(None)), TLS_RUNS);
}

#[cfg(feature = "tokio-rustls")]
#[test]
fn tokio_over_tls() {
    let runtime = runtime();
    let _timers_work = runtime.enter();
    let whole = Stagecraft::alone::<streams::Tokio>(Stage::over_tls);
    let halves = Stagecraft::halves(Stage::over_tls, tasks::play_by_tasks::<streams::Tokio, _>);
    let troubles = troubles_for_tls(Some(INTERRUPTED));
    let runs = whole.play_all(&troubles) + halves.play_all(&troubles);
    assert_enough(runs, TLS_RUNS);
}
