//! Any value of `Sec-WebSocket-Extensions`, to either side; see `oracles::ext_negotiation`.
#![no_main]

#[path = "../../tests/oracles/mod.rs"]
mod oracles;

libfuzzer_sys::fuzz_target!(|data: &[u8]| oracles::ext_negotiation(data));
