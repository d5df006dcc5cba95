//! Allocations of each path of the core for one message, in steady state.

use std::env;

use allocation_counter::measure;
use fullduplex_benches::paths::paths;

fn main() {
    let filter = env::args().nth(1).unwrap_or_default();
    println!("| path | allocations | bytes |");
    println!("|---|--:|--:|");
    for path in paths() {
        if !path.name.contains(&filter) {
            continue;
        }
        let mut round = (path.prepare)();
        for _ in 0..20 {
            round(); // buffers reach their size
        }
        let mut messages = 0;
        let info = measure(|| {
            for _ in 0..20 {
                messages += round();
            }
        });
        let each = |total: u64| total as f64 / messages as f64;
        let (count, bytes) = (each(info.count_total), each(info.bytes_total));
        println!("| {} | {count:.2} | {bytes:.0} |", path.name);
    }
}
