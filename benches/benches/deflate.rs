//! What compression costs on a connection, as a multiple of what the backend alone takes for the
//! same messages with the same parameters: JSON of about 1 KiB.
//!
//! Each number is the least of many rounds, in which all candidates take turns, so that what else
//! the machine does shows in none of them. Further arguments are ignored.

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Buf;
use fullduplex::Config;
use fullduplex::deflate::{Compress, ContextTakeover, Deflate, Level};
use fullduplex_benches::handshakes::lanes;
use fullduplex_benches::{Lane, json};
use zlib_rs::{
    Deflate as RawDeflate, DeflateConfig, DeflateFlush, Inflate as RawInflate, InflateFlush,
};

const ROUNDS: usize = 40;

/// What follows each flush and is not transmitted.
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

fn main() {
    let messages = json::thousand();
    let bytes: usize = messages.iter().map(String::len).sum();
    println!(
        "1000 messages of {} bytes on average; µs per message\n",
        bytes / 1000
    );
    println!("| direction | level | takeover | ratio | backend | connection | multiple |");
    println!("|---|--:|---|--:|--:|--:|--:|");
    for level in [1, 6] {
        for takeover in [ContextTakeover::On, ContextTakeover::Off] {
            let payloads = raw_payloads(&messages, level, takeover);
            let compressed: usize = payloads.iter().map(Vec::len).sum();
            let ratio = bytes as f64 / compressed as f64;

            let mut raw = RawSender::new(level, takeover);
            let mut server = lane(level, takeover).1;
            let [backend, connection] = compare([&mut || raw.compress_all(&messages), &mut || {
                for message in &messages {
                    server.connection.send_text(black_box(message)).unwrap();
                    server.flush();
                }
            }]);
            row("compress", level, takeover, ratio, backend, connection);
            let (backend_so_far, connection_so_far) = (backend, connection);

            let mut wire = Vec::new();
            let mut server = lane(level, takeover).1;
            for message in &messages {
                server.connection.send_text(message).unwrap();
                let mut frame = vec![0; server.connection.outgoing().remaining()];
                server.connection.outgoing().copy_to_slice(&mut frame);
                wire.push(frame);
            }
            let mut raw = RawReceiver::new(takeover);
            let mut client = lane(level, takeover).0;
            let [backend, connection] = compare([&mut || raw.inflate_all(&payloads), &mut || {
                for frame in &wire {
                    let events = client.receive(black_box(frame), |_, event| {
                        black_box(&event);
                    });
                    assert_eq!(events, 1);
                }
            }]);
            row("inflate", level, takeover, ratio, backend, connection);
            let (backend, connection) = (backend + backend_so_far, connection + connection_so_far);
            row("both", level, takeover, ratio, backend, connection);
        }
    }
    ratios(&messages);
}

/// How much smaller the messages get for each window and memory level.
fn ratios(messages: &[String]) {
    let bytes: usize = messages.iter().map(String::len).sum();
    let ratio = |level, takeover, bits, memory_level| {
        let mut sender = RawSender::with(level, takeover, bits, memory_level);
        let compressed = messages
            .iter()
            .map(|message| sender.compress(message).len());
        bytes as f64 / compressed.sum::<usize>() as f64
    };
    for level in [1, 6] {
        println!("\nlevel {level}: how much smaller\n");
        println!("| window bits | no takeover | primed | takeover, memory level 1 | 5 | 8 | 9 |");
        println!("|--:|--:|--:|--:|--:|--:|--:|");
        for bits in 9..=15 {
            print!(
                "| {bits} | {:.2} | {:.2} |",
                ratio(level, ContextTakeover::Off, bits, 8),
                primed_ratio(messages, level, bits),
            );
            for memory_level in [1, 5, 8, 9] {
                print!(
                    " {:.2} |",
                    ratio(level, ContextTakeover::On, bits, memory_level)
                );
            }
            println!();
        }
    }
}

/// The same where connections take turns with one compressor, so that it is primed for each message
/// with what one connection keeps of those before.
fn primed_ratio(messages: &[String], level: u8, bits: i32) -> f64 {
    // Each message finds it reset and primed.
    let mut sender = RawSender::with(level, ContextTakeover::On, bits, 8);
    let most = 4096.min(1 << bits);
    let mut sent = Vec::new();
    let mut compressed = 0;
    for message in messages {
        sender.state.reset();
        if !sent.is_empty() {
            let history = &sent[sent.len() - most.min(sent.len())..];
            sender.state.set_dictionary(history).unwrap();
        }
        compressed += sender.compress(message).len();
        sent.extend_from_slice(message.as_bytes());
    }
    sent.len() as f64 / compressed as f64
}

fn row(
    direction: &str,
    level: u8,
    takeover: ContextTakeover,
    ratio: f64,
    backend: Duration,
    connection: Duration,
) {
    // A round is a thousand messages, so that its milliseconds are microseconds each.
    let [backend, connection] = [backend, connection].map(|time| time.as_secs_f64() * 1e3);
    println!(
        "| {direction} | {level} | {takeover:?} | {ratio:.2} | {backend:.2} | {connection:.2} | {:.3} |",
        connection / backend,
    );
}

/// The least time that each takes.
fn compare<const N: usize>(candidates: [&mut dyn FnMut(); N]) -> [Duration; N] {
    let mut least = [Duration::MAX; N];
    let mut candidates = candidates;
    for _ in 0..ROUNDS {
        for (candidate, least) in candidates.iter_mut().zip(&mut least) {
            let start = Instant::now();
            candidate();
            *least = start.elapsed().min(*least);
        }
    }
    least
}

/// A client and a server that agreed on `takeover` for what the server sends.
fn lane(level: u8, takeover: ContextTakeover) -> (Lane, Lane) {
    let deflate = Deflate::new()
        .level(Level::new(level).unwrap())
        .compress(Compress::Always);
    let mut config = Config::default();
    config.deflate = Some(deflate.clone().takeover(takeover));
    let mut client_config = Config::default();
    client_config.deflate = Some(deflate.peer_takeover(takeover));
    lanes(client_config, config)
}

struct RawSender {
    state: RawDeflate,
    takeover: ContextTakeover,
    output: Vec<u8>,
}

impl RawSender {
    fn new(level: u8, takeover: ContextTakeover) -> Self {
        Self::with(level, takeover, 15, 8)
    }

    fn with(level: u8, takeover: ContextTakeover, bits: i32, memory_level: i32) -> Self {
        let config = DeflateConfig {
            level: i32::from(level),
            window_bits: -bits,
            mem_level: memory_level,
            ..DeflateConfig::default()
        };
        Self {
            state: RawDeflate::new_with_config(config),
            takeover,
            output: vec![0; 64 * 1024],
        }
    }

    fn compress(&mut self, message: &str) -> &[u8] {
        if self.takeover == ContextTakeover::Off {
            self.state.reset();
        }
        let before = self.state.total_out();
        let flush = DeflateFlush::SyncFlush;
        self.state
            .compress(message.as_bytes(), &mut self.output, flush)
            .unwrap();
        let length = (self.state.total_out() - before) as usize;
        &self.output[..length - TAIL.len()]
    }

    fn compress_all(&mut self, messages: &[String]) {
        for message in messages {
            black_box(self.compress(black_box(message)));
        }
    }
}

fn raw_payloads(messages: &[String], level: u8, takeover: ContextTakeover) -> Vec<Vec<u8>> {
    let mut sender = RawSender::new(level, takeover);
    let payloads = messages.iter().map(|message| {
        let mut payload = sender.compress(message).to_vec();
        payload.extend(TAIL);
        payload
    });
    payloads.collect()
}

struct RawReceiver {
    state: RawInflate,
    takeover: ContextTakeover,
    output: Vec<u8>,
}

impl RawReceiver {
    fn new(takeover: ContextTakeover) -> Self {
        Self {
            state: RawInflate::new(false, 15),
            takeover,
            output: vec![0; 64 * 1024],
        }
    }

    fn inflate_all(&mut self, payloads: &[Vec<u8>]) {
        for payload in payloads {
            if self.takeover == ContextTakeover::Off {
                self.state.reset(false);
            }
            let flush = InflateFlush::SyncFlush;
            self.state
                .decompress(black_box(payload), &mut self.output, flush)
                .unwrap();
            black_box(&self.output);
        }
    }
}
