//! Any frames, cut in any way, to a server that agreed on compression; see `deflate::stream`.
#![no_main]

#[path = "../../tests/oracles/deflate.rs"]
mod deflate;
#[path = "../meter.rs"]
mod meter;

#[global_allocator]
static METER: meter::Meter = meter::Meter::new();

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    deflate::stream(data, |work| METER.peak(work));
});
