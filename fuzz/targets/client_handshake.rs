//! Any bytes, cut in any way, as a response that a client receives; see `oracles::client_handshake`.
#![no_main]

#[path = "../meter.rs"]
mod meter;
#[path = "../../tests/oracles/mod.rs"]
mod oracles;

#[global_allocator]
static METER: meter::Meter = meter::Meter::new();

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    oracles::client_handshake(data, |work| METER.peak(work));
});
