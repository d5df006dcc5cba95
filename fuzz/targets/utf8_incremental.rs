//! Any bytes, cut in any way, as a text; see `oracles::utf8_incremental`.
#![no_main]

#[path = "../../tests/oracles/mod.rs"]
mod oracles;

libfuzzer_sys::fuzz_target!(|data: &[u8]| oracles::utf8_incremental(data));
