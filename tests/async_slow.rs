//! Clients that dribble, ten thousand at a time: what they hold, and for how long.
#![cfg(any(feature = "tokio", feature = "futures"))]
#![allow(
    clippy::indexing_slicing,
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
use common::hostile::After;
use common::hostile::Hostile;

for_each_adapter! {
    ten_thousand_slow_clients_hold_less_than_40_mib,
    #[cfg(unix)]
    a_byte_costs_the_same_anywhere_in_a_frame,
}

#[cfg(unix)]
use work::a_byte_costs_the_same_anywhere_in_a_frame;

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

#[cfg(unix)]
mod work {
    use std::time::Duration;

    use common::executor::block_on;
    use common::pair::{BINARY, frame_to, timeless};
    use fullduplex::Role;
    use rustix::time::{ClockId, clock_gettime};

    use super::*;

    const MIB: usize = 1 << 20;

    /// The processor time that this thread has had.
    fn now() -> Duration {
        clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap()
    }

    /// What it costs to receive 500 bytes one by one behind `come` bytes of a frame, on a thread where
    /// another connection has received a large message.
    fn dribbled<A: Adapter>(come: usize) -> Duration {
        let frame = frame_to(Role::Server, BINARY, &vec![0; MIB]);
        let stream = Hostile::new(&frame, After::Silence);
        let mut socket = A::open(Role::Server, &timeless(), &stream);
        assert!(block_on(socket.recv(), || false).is_ok());
        drop(socket);

        let stream = Hostile::new(&frame[..come], After::Silence);
        let mut socket = A::open(Role::Server, &timeless(), &stream);
        let mut executor = Executor::new();
        executor.spawn(async move { socket.recv().await.map(drop) });
        assert_eq!(executor.run_until_stuck(), 1);
        let start = now();
        for byte in &frame[come..][..500] {
            stream.push_input(&[*byte]);
            assert_eq!(executor.run_until_stuck(), 1);
        }
        now().saturating_sub(start)
    }

    /// F5: a byte costs what it costs, however much of its frame came before.
    pub(super) fn a_byte_costs_the_same_anywhere_in_a_frame<A: Adapter>() {
        const TIMES: u32 = 4;
        for come in [MIB / 64, MIB / 25, MIB / 20, MIB / 8, MIB / 3] {
            // The least counts, of so many that one is not disturbed.
            let mut least = [Duration::MAX; 2];
            let holds = (0..20).any(|_| {
                least[0] = least[0].min(dribbled::<A>(1000));
                least[1] = least[1].min(dribbled::<A>(come));
                least[1] <= TIMES * least[0]
            });
            assert!(holds, "{come}: {least:?}");
        }
    }
}
