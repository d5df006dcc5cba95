//! Replays the seeds of the fuzz targets, and variations of them, without a fuzzer.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "tests"
)]

mod oracles;

use std::fs;
use std::path::Path;

use fullduplex::Role;

/// The seeds of `target` as they are, with their names.
fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/seeds")
        .join(target);
    let read = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().unwrap();
        (name, fs::read(entry.path()).unwrap())
    };
    fs::read_dir(seeds)
        .unwrap()
        .map(|entry| read(entry.unwrap()))
        .collect()
}

/// The seeds of `target`, each also with every other option, and cut short or with one bit flipped
/// at some places, which depend on its length.
fn replay<I>(target: &str, options: u8, places: fn(usize) -> I, oracle: impl Fn(&[u8]))
where
    I: Iterator<Item = usize>,
{
    let mut count = 0;
    for (_, mut seed) in seeds(target) {
        let first = seed[0];
        for option in 0..options {
            seed[0] = option;
            oracle(&seed);
        }
        seed[0] = first;
        for end in places(seed.len()) {
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

/// Where headers are.
fn at_the_start(length: usize) -> impl Iterator<Item = usize> {
    0..length.min(64)
}

/// Here and there: byte by byte, a head takes long without optimisation.
fn throughout(length: usize) -> impl Iterator<Item = usize> {
    (0..6).map(move |place| place * length / 6)
}

/// L1, L2, L4, F6, F7.
#[test]
fn the_seeds_of_frame_header_hold() {
    replay("frame_header", 8, at_the_start, oracles::frame_header);
}

/// What is allocated is not measured here, but by the target itself.
fn unmeasured(work: &mut dyn FnMut()) -> usize {
    work();
    0
}

/// L5, F1, F2, U1.
#[test]
fn the_seeds_of_server_stream_hold() {
    replay("server_stream", 16, at_the_start, |seed| {
        oracles::stream(Role::Server, seed, unmeasured);
    });
}

/// L5, F1, F2, U1.
#[test]
fn the_seeds_of_client_stream_hold() {
    replay("client_stream", 16, at_the_start, |seed| {
        oracles::stream(Role::Client, seed, unmeasured);
    });
}

/// H1, H2, H3, H4, H5, H6, H7, H8, H9, H11.
#[test]
fn the_seeds_of_server_handshake_hold() {
    replay("server_handshake", 16, throughout, |seed| {
        oracles::server_handshake(seed, unmeasured);
    });
}

/// H2, H3, H5, H7, H8, H9, H11.
#[test]
fn the_seeds_of_client_handshake_hold() {
    replay("client_handshake", 16, throughout, |seed| {
        oracles::client_handshake(seed, unmeasured);
    });
}

/// H5, H6, H8, H9: the seeds whose names say so open a connection, and no others.
#[test]
fn the_seeds_of_handshakes_are_what_they_are_called() {
    let wrong = |target: &str, opens: fn(&[u8]) -> bool| {
        let mut wrong = seeds(target);
        wrong.retain(|(name, seed)| opens(seed) != name.starts_with("open-"));
        wrong.into_iter().map(|(name, _)| name).collect::<Vec<_>>()
    };
    let server = wrong("server_handshake", |seed| {
        oracles::server_handshake(seed, unmeasured)
    });
    let client = wrong("client_handshake", |seed| {
        oracles::client_handshake(seed, unmeasured)
    });
    assert!(
        server.is_empty() && client.is_empty(),
        "{server:?} {client:?}"
    );
}

/// U1: the position of an error.
#[test]
fn the_seeds_of_utf8_incremental_hold() {
    replay(
        "utf8_incremental",
        1,
        at_the_start,
        oracles::utf8_incremental,
    );
}

/// W7, W8, U2: both orders of both sides' Close frames, faults, ends and deadlines.
#[test]
fn the_seeds_of_close_state_hold() {
    replay("close_state", 2, at_the_start, oracles::close_state);
}

/// F3, F6, F7, L1, L4, U1: what another implementation accepts and refuses.
#[test]
fn the_seeds_of_diff_tungstenite_hold() {
    replay(
        "diff_tungstenite",
        4,
        at_the_start,
        oracles::diff_tungstenite,
    );
}

/// H4.
#[test]
fn the_seeds_of_url_and_headers_hold() {
    replay("url_and_headers", 8, at_the_start, oracles::url_and_headers);
}

/// W3, W4, W9: operations that are cancelled, and streams that fail.
#[cfg(feature = "tokio")]
#[test]
fn the_seeds_of_ops_cancel_hold() {
    replay("ops_cancel", 128, throughout, oracles::ops_cancel);
}

/// D4, D5, D6, D9, R7692-7.2.2-03: what is allocated is measured by the target itself.
#[cfg(feature = "deflate")]
#[test]
fn the_seeds_of_deflate_stream_hold() {
    replay("deflate_stream", 64, at_the_start, |seed| {
        oracles::deflate::stream(seed, unmeasured);
    });
}

/// D6, R7692-7.2.1-01, R7692-7.2.2-01.
#[cfg(feature = "deflate")]
#[test]
fn the_seeds_of_diff_deflate_hold() {
    replay("diff_deflate", 32, at_the_start, oracles::deflate::diff);
}

/// D1, D2.
#[cfg(feature = "deflate")]
#[test]
fn the_seeds_of_deflate_bomb_hold() {
    replay("deflate_bomb", 8, throughout, |seed| {
        oracles::deflate_bomb(seed, unmeasured);
    });
}

/// D4, D6, D9, M2, W4: messages both ways, in any form and cut in any way.
#[cfg(feature = "deflate")]
#[test]
fn the_seeds_of_roundtrip_split_hold() {
    replay("roundtrip_split", 16, throughout, oracles::roundtrip_split);
}

/// D3, D11, H3.
#[cfg(feature = "deflate")]
#[test]
fn the_seeds_of_ext_negotiation_hold() {
    replay(
        "ext_negotiation",
        64,
        at_the_start,
        oracles::ext_negotiation,
    );
}
