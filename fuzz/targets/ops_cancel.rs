//! Operations on the adapter for tokio, cancelled and disturbed; see `oracles::ops_cancel`.
#![no_main]

#[path = "../../tests/oracles/mod.rs"]
mod oracles;

libfuzzer_sys::fuzz_target!(|data: &[u8]| oracles::ops_cancel(data));
