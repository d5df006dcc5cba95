//! Runs one path of the core so often, for counting instructions; see `instructions.py`.
//!
//! Without arguments it lists the paths.

use std::env;
use std::process::ExitCode;

use fullduplex_benches::paths::paths;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let mut paths = paths();
    let (name, rounds) = match &arguments[..] {
        [] => {
            paths.iter().for_each(|path| println!("{}", path.name));
            return ExitCode::SUCCESS;
        }
        [name, rounds] => (name, rounds.parse::<u32>()),
        _ => return usage(),
    };
    let (Some(at), Ok(rounds)) = (paths.iter().position(|path| path.name == *name), rounds) else {
        return usage();
    };
    let mut round = (paths.swap_remove(at).prepare)();
    let messages: usize = (0..rounds).map(|_| round()).sum();
    println!("{messages}");
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    eprintln!("usage: instructions [PATH ROUNDS]");
    ExitCode::FAILURE
}
