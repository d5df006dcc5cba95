//! The codec of permessage-deflate against C zlib, by way of Python: these tests need `python3`.
#![cfg(feature = "deflate")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test that is wrong about its data is to fail"
)]

mod codec;

use core::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use codec::{Random, agreement, receive_by, send};
use fullduplex::deflate::codec::{Deflater, Inflater};
use fullduplex::deflate::{ContextTakeover, Level, MemoryLevel};

struct Oracle {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Oracle {
    fn start() -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/zlib_oracle.py");
        let mut process = Command::new("python3")
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("these tests need python3");
        Self {
            input: process.stdin.take().unwrap(),
            output: BufReader::new(process.stdout.take().unwrap()),
            process,
        }
    }

    fn ask(&mut self, question: &str, items: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut line = question.to_owned();
        for item in items {
            line.push_str(" x");
            for octet in item {
                write!(line, "{octet:02x}").unwrap();
            }
        }
        writeln!(self.input, "{line}").unwrap();
        let mut answer = String::new();
        self.output.read_line(&mut answer).unwrap();
        let items = answer.split_whitespace().map(|item| {
            let digits = &item.as_bytes()[1..];
            let octet = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16);
            digits.chunks(2).map(|pair| octet(pair).unwrap()).collect()
        });
        items.collect()
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// R7692-7.2.1-03, R7692-7.1.2-03: what we send C zlib inflates with a window of the agreed size,
/// 8 bits included.
#[test]
fn zlib_reads_what_is_sent() {
    let mut oracle = Oracle::start();
    let mut random = Random(0x5eed_0004);
    for _ in 0..500 {
        let bits = 8 + random.below(8) as u8;
        let takeover = random.pick(&[ContextTakeover::On, ContextTakeover::Off]);
        let level = 1 + random.below(9) as u8;
        let memory_level = 1 + random.below(9) as u8;
        let question = format!("inflate {bits} {takeover:?} {level} {memory_level}");
        let mut deflater = Deflater::new(
            &agreement(bits, takeover),
            Level::new(level).unwrap(),
            MemoryLevel::new(memory_level).unwrap(),
        );
        let messages: Vec<_> = (0..=random.below(6)).map(|_| random.message()).collect();
        let payloads: Vec<_> = messages.iter().map(|m| send(&mut deflater, m)).collect();
        assert!(oracle.ask(&question, &payloads) == messages, "{question}");
    }
}

/// R7692-7.2.2-01, R7692-7.2.2-02, D4: what C zlib sends we read, with a history no longer than the
/// agreed window; its empty messages without a single octet are among it.
#[test]
fn what_zlib_sends_is_read() {
    let mut oracle = Oracle::start();
    let mut random = Random(0x5eed_0005);
    for _ in 0..500 {
        let bits = 9 + random.below(7) as u8;
        let takeover = random.pick(&[ContextTakeover::On, ContextTakeover::Off]);
        let level = random.below(10);
        let memory_level = 1 + random.below(9);
        let question = format!("compress {bits} {takeover:?} {level} {memory_level}");
        let messages: Vec<_> = (0..=random.below(6)).map(|_| random.message()).collect();
        let payloads = oracle.ask(&question, &messages);
        assert_eq!(payloads.len(), messages.len());
        let mut inflater = Inflater::new(&agreement(bits, takeover));
        for (payload, message) in payloads.iter().zip(&messages) {
            let chunk = 1 + random.below(1000);
            let received = receive_by(&mut inflater, payload, chunk, 2000);
            assert!(received.as_ref() == Ok(message), "{question}");
        }
    }
}
