//! A server and the reference side by side, talked to by turns: a machine that changes its speed
//! meanwhile does so for both.

use std::time::Duration;

use crate::Result;
use crate::load::{Load, Look, Measured};
use crate::measure::{Sample, Seen, Times};
use crate::results::median;
use crate::server::Server;

/// How long one of the two talks before it is the other's turn. Short, since a shared machine may
/// be another one a tenth of a second later; long beside the changeover, in which caches are filled
/// anew and clocks are read.
const SLICE: Duration = Duration::from_millis(25);

/// So many times at least each connection gets its echoes in a slice, because at the start and at
/// the end not all of them are under way. Where one time takes more than 4 ms, as with 500
/// connections and 16 KiB (20 ms), slices are longer for it.
const ROUND_TRIPS: u32 = 6;

/// What talks to a server.
pub trait Talk {
    /// For so long. At the end nothing is under way.
    fn talk(&mut self, time: Duration, look: Look) -> Result<Measured>;
}

impl Talk for Load {
    fn talk(&mut self, time: Duration, look: Look) -> Result<Measured> {
        self.run(time, look)
    }
}

/// One of the two: a process, which sleeps while the other is talked to.
pub struct Side<T> {
    pub load: T,
    pub server: Server,
}

impl<T: Talk> Side<T> {
    /// Returns how long a round trip took.
    fn warm_up(&mut self, time: Duration) -> Result<Duration> {
        Ok(self.load.talk(time, Look::AtAll)?.round_trip())
    }

    fn slice(&mut self, time: Duration) -> Result<Seen> {
        Seen::of(&self.server, || self.load.talk(time, Look::AtSome))
    }
}

/// A slice of the peer's and the one of the reference's just before or behind it.
struct Pair {
    peer: Seen,
    reference: Seen,
}

/// What the peer did in all of its slices, and the ratio to what the reference did in those between.
pub fn compare<T: Talk>(mut peer: Side<T>, mut reference: Side<T>, times: Times) -> Result<Sample> {
    let round_trip = peer.warm_up(times.warm_up)?;
    let round_trip = round_trip.max(reference.warm_up(times.warm_up)?);
    let slice = slice(round_trip, times.measured);
    let mut pairs = Vec::new();
    while least_wall(&pairs) < times.measured {
        // ABBA: a steady drift favours the peer in one pair and the reference in the other.
        pairs.push(Pair {
            reference: reference.slice(slice)?,
            peer: peer.slice(slice)?,
        });
        pairs.push(Pair {
            peer: peer.slice(slice)?,
            reference: reference.slice(slice)?,
        });
    }
    let ratio = ratio(&pairs);
    let mut all = Seen::default();
    for pair in &pairs {
        all.add(&pair.peer);
    }
    Ok(Sample {
        ratio,
        ..all.sample()
    })
}

/// At most half of what is measured, so that two make the time full.
fn slice(round_trip: Duration, measured: Duration) -> Duration {
    SLICE.max(round_trip * ROUND_TRIPS).min(measured / 2)
}

/// How long each side has been talked to at least.
fn least_wall(pairs: &[Pair]) -> Duration {
    let wall = |seen: fn(&Pair) -> &Seen| pairs.iter().map(|pair| seen(pair).wall()).sum();
    Duration::min(wall(|pair| &pair.peer), wall(|pair| &pair.reference))
}

/// The median of the ratios of single pairs, which a neighbour cannot move by what it takes from one
/// slice. With the reference against itself beside a compiler, 100 times in eight rows, these were
/// off by 2.3 % in the mean, and by 9 % at most; those of sums by 2.9 and 13 %, medians of groups of
/// four slices by 2.6 and 11 %. Samples had 400 ms each, and the choice was made on these figures.
fn ratio(pairs: &[Pair]) -> f64 {
    median(
        pairs
            .iter()
            .map(|pair| pair.peer.cpu() / pair.reference.cpu()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(messages: usize, microseconds: f64) -> Seen {
        Seen {
            measured: Measured {
                messages,
                wall: SLICE,
                ..Measured::default()
            },
            server: microseconds / 1e6,
            ..Seen::default()
        }
    }

    fn pair(peer: (usize, f64), reference: (usize, f64)) -> Pair {
        Pair {
            peer: seen(peer.0, peer.1),
            reference: seen(reference.0, reference.1),
        }
    }

    #[track_caller]
    fn assert_ratio(pairs: &[Pair], expected: f64) {
        let ratio = ratio(pairs);
        assert!((ratio - expected).abs() < 1e-9, "{ratio}");
    }

    #[test]
    fn ratios_are_of_the_time_for_a_message() {
        assert_ratio(&[pair((100, 300.0), (400, 800.0))], 1.5);
    }

    #[test]
    fn a_machine_that_slows_down_changes_nothing() {
        let pairs = [
            pair((100, 120.0), (100, 100.0)),
            pair((50, 120.0), (50, 100.0)),
        ];
        assert_ratio(&pairs, 1.2);
    }

    #[test]
    fn a_steady_drift_cancels_out() {
        // Each slice takes 10 % more than the one before; in the second pair the peer is first.
        let pairs = [
            pair((100, 110.0), (100, 100.0)),
            pair((100, 121.0), (100, 133.1)),
        ];
        assert_ratio(&pairs, f64::midpoint(1.1, 1.0 / 1.1));
    }

    #[test]
    fn one_spoilt_slice_changes_nothing() {
        let pairs = [
            pair((100, 120.0), (100, 100.0)),
            pair((100, 900.0), (100, 100.0)),
            pair((100, 120.0), (100, 100.0)),
        ];
        assert_ratio(&pairs, 1.2);
    }

    #[test]
    fn time_is_full_when_both_sides_had_it() {
        assert_eq!(least_wall(&[]), Duration::ZERO);
        let mut pairs = [pair((1, 1.0), (1, 1.0)), pair((1, 1.0), (1, 1.0))];
        pairs[1].peer.measured.wall *= 2;
        assert_eq!(least_wall(&pairs), 2 * SLICE);
    }

    #[test]
    fn slices_have_room_for_some_round_trips() {
        let millis = Duration::from_millis;
        assert_eq!(slice(millis(0), millis(400)), SLICE);
        assert_eq!(slice(millis(20), millis(400)), millis(120));
        assert_eq!(slice(millis(90), millis(400)), millis(200));
    }
}
