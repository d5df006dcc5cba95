//! Replays the seeds of the fuzz targets for compression, and variations of them.
#![cfg(feature = "deflate")]
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

#[path = "oracles/deflate.rs"]
mod deflate;

use std::fs;
use std::path::Path;

/// The seeds of `target`, each also with every other option, cut short, and with bits flipped.
fn replay(target: &str, options: u8, oracle: impl Fn(&[u8])) {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/seeds")
        .join(target);
    let mut count = 0;
    for entry in fs::read_dir(seeds).unwrap() {
        let mut seed = fs::read(entry.unwrap().path()).unwrap();
        let first = seed[0];
        for option in 0..options {
            seed[0] = option;
            oracle(&seed);
        }
        seed[0] = first;
        for end in 0..seed.len().min(64) {
            oracle(&seed[..end]);
            for bit in 0..8 {
                seed[end] ^= 1 << bit;
                oracle(&seed);
                seed[end] ^= 1 << bit;
            }
        }
        count += 1;
    }
    assert!(count >= 10, "{count} seeds for {target}");
}

/// D4, D5, D6, D9, R7692-7.2.2-03: what is allocated is measured by the target itself.
#[test]
fn the_seeds_of_deflate_stream_hold() {
    replay("deflate_stream", 64, |seed| {
        deflate::stream(seed, |work| {
            work();
            0
        });
    });
}

/// D6, R7692-7.2.1-01, R7692-7.2.2-01.
#[test]
fn the_seeds_of_diff_deflate_hold() {
    replay("diff_deflate", 32, deflate::diff);
}
