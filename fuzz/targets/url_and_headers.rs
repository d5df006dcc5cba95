//! What an application puts into requests and responses; see `oracles::url_and_headers`.
#![no_main]

#[path = "../../tests/oracles/mod.rs"]
mod oracles;

libfuzzer_sys::fuzz_target!(|data: &[u8]| oracles::url_and_headers(data));
