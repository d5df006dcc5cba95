//! Any frames, cut in any way, to a server that agreed on compression; see `deflate::stream`.
#![no_main]

#[path = "../meter.rs"]
mod meter;
#[path = "../../tests/oracles/mod.rs"]
mod oracles;

#[global_allocator]
static METER: meter::Meter = meter::Meter::new();

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    oracles::deflate::stream(data, |work| METER.peak(work));
});
