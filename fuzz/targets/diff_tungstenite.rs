//! Any bytes, cut in any way, to the crate and to another implementation; see `oracles::diff_tungstenite`.
#![no_main]

#[path = "../../tests/oracles/mod.rs"]
mod oracles;

libfuzzer_sys::fuzz_target!(|data: &[u8]| oracles::diff_tungstenite(data));
