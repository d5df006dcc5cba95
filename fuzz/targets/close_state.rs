//! What both sides do in any order until a connection has ended; see `oracles::close_state`.
#![no_main]

#[path = "../../tests/oracles/mod.rs"]
mod oracles;

libfuzzer_sys::fuzz_target!(|data: &[u8]| oracles::close_state(data));
