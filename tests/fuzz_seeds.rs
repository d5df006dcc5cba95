//! Replays the seeds of the fuzz targets, and variations of them, without a fuzzer.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

#[path = "../fuzz/oracles.rs"]
mod oracles;

use std::fs;
use std::path::Path;

use fullduplex::Role;

/// The seeds of `target`, each also with every other option, cut short, and with one bit flipped in
/// turn.
fn replay(target: &str, options: u8, oracle: impl Fn(&[u8])) {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/seeds")
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
            if seed.len() > 2000 {
                continue; // each variation takes too long without optimisation
            }
            for bit in [end % 7, 7] {
                seed[end] ^= 1 << bit;
                oracle(&seed);
                seed[end] ^= 1 << bit;
            }
        }
        count += 1;
    }
    assert!(count >= 10, "{count} seeds for {target}");
}

/// L1, L2, L4, F6, F7.
#[test]
fn the_seeds_of_frame_header_hold() {
    replay("frame_header", 8, oracles::frame_header);
}

/// What is allocated is not measured here, but by the target itself.
fn unmeasured(work: &mut dyn FnMut()) -> usize {
    work();
    0
}

/// L5, F1, F2, U1.
#[test]
fn the_seeds_of_server_stream_hold() {
    replay("server_stream", 16, |seed| {
        oracles::stream(Role::Server, seed, unmeasured);
    });
}

/// L5, F1, F2, U1.
#[test]
fn the_seeds_of_client_stream_hold() {
    replay("client_stream", 16, |seed| {
        oracles::stream(Role::Client, seed, unmeasured);
    });
}
