//! Runs one path of the core so often, for counting instructions; see the README of the benches.

use std::env;
use std::hint::black_box;
use std::process::ExitCode;

use fullduplex::Role;
use fullduplex::frame::Opcode;
use fullduplex_benches::{Lane, echo, look, stream};

const BATCH: usize = 1000;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [case, batches] = &arguments[..] else {
        eprintln!("usage: instructions decode|echo|detach|text|client BATCHES-OF-1000");
        return ExitCode::FAILURE;
    };
    let Ok(batches) = batches.parse::<u32>() else {
        eprintln!("{batches} is no number");
        return ExitCode::FAILURE;
    };
    let (role, opcode) = match case.as_str() {
        "client" => (Role::Client, Opcode::Binary),
        "text" => (Role::Server, Opcode::Text),
        _ => (Role::Server, Opcode::Binary),
    };
    let bytes = stream(role, opcode, &[b'x'; 16], 1, BATCH);
    let mut lane = Lane::new(role);
    for _ in 0..batches {
        let count = match case.as_str() {
            "echo" => {
                let count = lane.receive(&bytes, echo);
                lane.flush();
                count
            }
            "detach" => lane.receive(&bytes, |_, event| {
                black_box(event.into_message());
            }),
            _ => lane.receive(&bytes, look),
        };
        assert_eq!(count, BATCH);
    }
    ExitCode::SUCCESS
}
