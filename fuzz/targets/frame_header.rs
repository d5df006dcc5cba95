//! Any bytes as a frame header; see `oracles::frame_header`.
#![no_main]

#[path = "../../tests/oracles/mod.rs"]
mod oracles;

libfuzzer_sys::fuzz_target!(|data: &[u8]| oracles::frame_header(data));
