//! Messages and payloads through the codec and through another inflater; see `deflate::diff`.
#![no_main]

#[path = "../../tests/oracles/mod.rs"]
mod oracles;

libfuzzer_sys::fuzz_target!(|data: &[u8]| oracles::deflate::diff(data));
