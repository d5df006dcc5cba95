//! What the core spends on payloads, masking and the validation of text, each beside the machine's
//! floor and what else there is.

use std::hint::black_box;
use std::str;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput};
use fullduplex::frame::apply_mask;
use fullduplex::utf8::Decoder;
use fullduplex_benches::texts;

const SIZES: [usize; 9] = [7, 16, 32, 125, 256, 1024, 4096, 16 * 1024, 1024 * 1024];

const KEY: [u8; 4] = [1, 2, 3, 4];

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(500))
        .configure_from_args();
    masking(&mut criterion);
    for (name, text) in [("ASCII", 0), ("mixed", 1)] {
        validation(&mut criterion, name, |size| texts(size)[text].clone());
    }
    criterion.final_summary();
}

fn masking(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("mask");
    for size in SIZES {
        let mut payload = vec![b'x'; size];
        let source = payload.clone();
        bench(&mut group, "ours", size, || {
            apply_mask(black_box(&mut payload), black_box(KEY), 0);
        });
        bench(&mut group, "byte by byte", size, || {
            let payload = black_box(&mut payload).iter_mut();
            payload
                .zip(black_box(KEY).into_iter().cycle())
                .for_each(|(byte, key)| *byte ^= key);
        });
        bench(&mut group, "copy", size, || {
            black_box(&mut payload).copy_from_slice(black_box(&source));
        });
    }
}

fn validation(criterion: &mut Criterion, name: &str, text: impl Fn(usize) -> String) {
    let mut group = criterion.benchmark_group(format!("utf8/{name}"));
    for size in SIZES {
        let text = text(size).into_bytes();
        bench(&mut group, "ours", size, || {
            let mut decoder = Decoder::new();
            decoder
                .push(black_box(&text), |text| _ = black_box(text))
                .unwrap();
            decoder.finish().unwrap();
        });
        bench(&mut group, "std", size, || {
            _ = black_box(str::from_utf8(black_box(&text)));
        });
        bench(&mut group, "simdutf8", size, || {
            _ = black_box(simdutf8::basic::from_utf8(black_box(&text)));
        });
        if size > 1024 {
            bench(&mut group, "ours in pieces of 509", size, || {
                let mut decoder = Decoder::new();
                for piece in black_box(&text).chunks(509) {
                    decoder.push(piece, |text| _ = black_box(text)).unwrap();
                }
                decoder.finish().unwrap();
            });
        }
    }
}

fn bench(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    size: usize,
    mut work: impl FnMut(),
) {
    group.throughput(Throughput::BytesDecimal(size as u64));
    group.bench_function(BenchmarkId::new(name, size), |bencher| {
        bencher.iter(&mut work)
    });
}
