//! Replays what the fuzz targets found worth keeping, without a fuzzer: see `fuzz/README.md`.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "tests"
)]

mod oracles;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;

use fullduplex::Role;

/// Gives the oracle each input in `tests/corpus/TARGET`, a file that `fuzz/corpus.py` packs: each
/// behind its length in two bytes.
fn replay(target: &str, oracle: impl Fn(&[u8])) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/corpus")
        .join(target);
    let packed = fs::read(path).unwrap();
    let mut rest = &packed[..];
    let mut count = 0;
    while let Some((length, after)) = rest.split_first_chunk() {
        let (input, after) = after.split_at(u16::from_be_bytes(*length).into());
        rest = after;
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| oracle(input))) {
            eprintln!("input {count} of {target}: {input:?}");
            resume_unwind(panic);
        }
        count += 1;
    }
    assert!(rest.is_empty() && count >= 20, "{count} inputs");
}

/// What is allocated is not measured here, but by the target itself.
fn unmeasured(work: &mut dyn FnMut()) -> usize {
    work();
    0
}

#[test]
fn the_corpus_of_frame_header_holds() {
    replay("frame_header", oracles::frame_header);
}

#[test]
fn the_corpus_of_server_stream_holds() {
    replay("server_stream", |input| {
        oracles::stream(Role::Server, input, unmeasured);
    });
}

#[test]
fn the_corpus_of_client_stream_holds() {
    replay("client_stream", |input| {
        oracles::stream(Role::Client, input, unmeasured);
    });
}

#[test]
fn the_corpus_of_diff_tungstenite_holds() {
    replay("diff_tungstenite", oracles::diff_tungstenite);
}

#[test]
fn the_corpus_of_server_handshake_holds() {
    replay("server_handshake", |input| {
        oracles::server_handshake(input, unmeasured);
    });
}

#[test]
fn the_corpus_of_client_handshake_holds() {
    replay("client_handshake", |input| {
        oracles::client_handshake(input, unmeasured);
    });
}

#[test]
fn the_corpus_of_utf8_incremental_holds() {
    replay("utf8_incremental", oracles::utf8_incremental);
}

#[test]
fn the_corpus_of_close_state_holds() {
    replay("close_state", oracles::close_state);
}

#[test]
fn the_corpus_of_url_and_headers_holds() {
    replay("url_and_headers", oracles::url_and_headers);
}

#[cfg(feature = "tokio")]
#[test]
fn the_corpus_of_ops_cancel_holds() {
    replay("ops_cancel", oracles::ops_cancel);
}

#[cfg(feature = "deflate")]
#[test]
fn the_corpus_of_roundtrip_split_holds() {
    replay("roundtrip_split", oracles::roundtrip_split);
}

#[cfg(feature = "deflate")]
#[test]
fn the_corpus_of_diff_deflate_holds() {
    replay("diff_deflate", oracles::deflate::diff);
}

#[cfg(feature = "deflate")]
#[test]
fn the_corpus_of_deflate_stream_holds() {
    replay("deflate_stream", |input| {
        oracles::deflate::stream(input, unmeasured);
    });
}

#[cfg(feature = "deflate")]
#[test]
fn the_corpus_of_deflate_bomb_holds() {
    replay("deflate_bomb", |input| {
        oracles::deflate_bomb(input, unmeasured);
    });
}

#[cfg(feature = "deflate")]
#[test]
fn the_corpus_of_ext_negotiation_holds() {
    replay("ext_negotiation", oracles::ext_negotiation);
}
