//! Time of each path of the core for one message: the least of many rounds, which what else the
//! machine does can hardly change.

use std::env;
use std::time::{Duration, Instant};

use fullduplex_benches::paths::paths;

/// How long each path runs.
const TIME: Duration = Duration::from_millis(400);

/// The fewest rounds, for paths whose rounds are long.
const ROUNDS: u32 = 20;

fn main() {
    let filters: Vec<String> = env::args().skip(1).collect();
    println!("| path | ns | GB/s |");
    println!("|---|--:|--:|");
    for path in paths() {
        if !filters.is_empty() && !filters.iter().any(|part| path.name.contains(part)) {
            continue;
        }
        let mut round = (path.prepare)();
        let start = Instant::now();
        let (mut least, mut rounds, mut messages) = (Duration::MAX, 0, 0);
        while rounds < ROUNDS || start.elapsed() < TIME {
            let start = Instant::now();
            messages = round();
            least = least.min(start.elapsed());
            rounds += 1;
        }
        let each = least.as_secs_f64() * 1e9 / messages as f64;
        let rate = path.payload as f64 / each;
        println!("| {} | {each:.1} | {rate:.1} |", path.name);
    }
}
