//! Any bytes, cut in any way, as what a server receives; see `oracles::stream`.
#![no_main]

#[path = "../meter.rs"]
mod meter;
#[path = "../../tests/oracles/mod.rs"]
mod oracles;

#[global_allocator]
static METER: meter::Meter = meter::Meter::new();

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    oracles::stream(fullduplex::Role::Server, data, |work| METER.peak(work));
});
