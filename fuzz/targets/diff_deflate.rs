//! Messages and payloads through the codec and through another inflater; see `deflate::diff`.
#![no_main]

#[path = "../../tests/oracles/deflate.rs"]
mod deflate;

libfuzzer_sys::fuzz_target!(|data: &[u8]| deflate::diff(data));
