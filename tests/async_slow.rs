//! Clients that dribble, ten thousand at a time: what they hold, and for how long.
#![cfg(any(feature = "tokio", feature = "futures"))]
#![allow(
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "tests have std, and a panic is how they fail"
)]

mod common;

use allocation_counter::measure;
use common::adapters::Adapter;
use common::executor::Executor;
use common::handshake::{REQUEST, head, options};
use common::hostile::Hostile;
use common::script::After;

for_each_adapter! {
    ten_thousand_slow_clients_hold_less_than_40_mib,
}

const CLIENTS: usize = 10_000;
const MOST: u64 = 40 << 20;

/// A stream whose own memory is not counted.
fn stream() -> Hostile {
    let stream = Hostile::new(b"", After::Silence);
    stream.state().input.reserve(16);
    stream
}

/// H12: after each byte of ten.
fn ten_thousand_slow_clients_hold_less_than_40_mib<A: Adapter>() {
    let streams: Vec<Hostile> = (0..CLIENTS).map(|_| stream()).collect();
    let request = head(REQUEST);
    let options = options();
    let info = measure(|| {
        let mut executor = Executor::new();
        for stream in &streams {
            executor.spawn(A::accept(stream.clone(), &options));
        }
        for byte in request.iter().take(10) {
            for stream in &streams {
                stream.push_input(&[*byte]);
            }
            assert_eq!(executor.run_until_stuck(), CLIENTS);
        }
    });
    assert!(info.bytes_max <= MOST, "{}", info.bytes_max);
}

#[cfg(feature = "tokio")]
mod deadline {
    use std::time::Duration;

    use fullduplex::handshake::HandshakeError;
    use fullduplex::{Error, tokio as ws};
    use tokio::task::JoinSet;
    use tokio::time::{Instant, sleep};

    use super::*;

    /// H12: a byte each second does not put off the deadline, and when it has come nothing is left.
    #[tokio::test(start_paused = true)]
    async fn ten_thousand_slow_clients_are_gone_at_the_deadline() {
        let streams: Vec<Hostile> = (0..CLIENTS).map(|_| stream()).collect();
        let mut accepting = JoinSet::new();
        for stream in &streams {
            let stream = stream.clone();
            accepting.spawn(async move { ws::accept(stream, &options()).await.map(drop) });
        }
        let start = Instant::now();
        for byte in head(REQUEST).iter().take(9) {
            for stream in &streams {
                stream.push_input(&[*byte]);
            }
            sleep(Duration::from_secs(1)).await;
            assert_eq!(accepting.len(), CLIENTS);
        }
        while let Some(ended) = accepting.join_next().await {
            let error = ended.unwrap().unwrap_err();
            assert!(matches!(error, Error::Handshake(HandshakeError::TimedOut)));
        }
        // A second more to see whether the client, which is told, ends its side.
        assert!(start.elapsed() <= Duration::from_millis(11_010));
        assert!(streams.iter().all(|stream| stream.users() == 1));
    }
}
