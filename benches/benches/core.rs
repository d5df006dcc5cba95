//! The core in memory: how long a message takes, without any transport.

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use fullduplex_benches::paths::paths;

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    for path in paths() {
        let mut round = (path.prepare)();
        let messages = u32::try_from(round()).unwrap();
        let (group, name) = path.name.split_once('/').unwrap();
        let mut group = criterion.benchmark_group(group);
        group.throughput(Throughput::BytesDecimal(path.payload as u64));
        group.bench_function(name, |bencher| {
            // What is reported as an iteration is one message.
            bencher.iter_custom(|rounds| {
                let start = Instant::now();
                for _ in 0..rounds {
                    round();
                }
                start.elapsed() / messages
            });
        });
        group.finish();
    }
    criterion.final_summary();
}
