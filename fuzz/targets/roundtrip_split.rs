//! Messages between two connections, cut in any way; see `oracles::roundtrip_split`.
#![no_main]

#[path = "../../tests/oracles/mod.rs"]
mod oracles;

libfuzzer_sys::fuzz_target!(|data: &[u8]| oracles::roundtrip_split(data));
