//! Any payload as a compressed message, again and again; see `oracles::deflate_bomb`.
#![no_main]

#[path = "../meter.rs"]
mod meter;
#[path = "../../tests/oracles/mod.rs"]
mod oracles;

#[global_allocator]
static METER: meter::Meter = meter::Meter::new();

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    oracles::deflate_bomb(data, |work| METER.peak(work));
});
