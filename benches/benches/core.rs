//! The core in memory: how long a message takes, without any transport.
//!
//! Many messages are put into the inbox at once, so that neither the harness nor the copy that
//! stands for a read is what is measured.

use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput};
use fullduplex::frame::{Opcode, apply_mask};
use fullduplex::utf8::Decoder;
use fullduplex::{Connection, Event, Role};
use fullduplex_benches::{Lane, echo, look, stream};

/// So many bytes of stream are read at once, where messages are small.
const READ: usize = 60 * 1024;

const SIZES: [usize; 5] = [16, 125, 1024, 16 * 1024, 1024 * 1024];

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    messages(&mut criterion);
    answers(&mut criterion);
    texts(&mut criterion);
    primitives(&mut criterion);
    criterion.final_summary();
}

/// Benches reads of `bytes`, which hold `count` messages of `payload` bytes.
fn bench_reads(
    group: &mut BenchmarkGroup<'_, WallTime>,
    id: BenchmarkId,
    role: Role,
    (bytes, count, payload): (&[u8], usize, usize),
    mut act: impl FnMut(&mut Connection, Event<'_>),
) {
    group.throughput(if payload < 1024 {
        Throughput::Elements(count as u64)
    } else {
        Throughput::Bytes((count * payload) as u64)
    });
    let mut lane = Lane::new(role);
    group.bench_function(id, |bencher| {
        bencher.iter(|| {
            let events = lane.receive(black_box(bytes), &mut act);
            lane.flush();
            events
        });
    });
}

/// How many messages of `size` bytes go into one read.
fn batch(size: usize) -> usize {
    (READ / (size + 8)).max(1)
}

fn messages(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    for size in SIZES {
        let count = batch(size);
        let payload = vec![b'x'; size];
        let server = stream(Role::Server, Opcode::Binary, &payload, 1, count);
        let client = stream(Role::Client, Opcode::Binary, &payload, 1, count);
        let input = (&server[..], count, size);
        let id = |name| BenchmarkId::new(name, size);
        bench_reads(&mut group, id("lent"), Role::Server, input, look);
        bench_reads(
            &mut group,
            id("detached"),
            Role::Server,
            input,
            |_, event| {
                black_box(event.into_message());
            },
        );
        let input = (&client[..], count, size);
        bench_reads(
            &mut group,
            id("lent by a client"),
            Role::Client,
            input,
            look,
        );
        let pieces = stream(Role::Server, Opcode::Binary, &payload, 4, count);
        let input = (&pieces[..], count, size);
        bench_reads(&mut group, id("in 4 fragments"), Role::Server, input, look);

        group.throughput(Throughput::Bytes(server.len() as u64));
        let mut lane = Lane::new(Role::Server);
        group.bench_function(id("in ordinary reads"), |bencher| {
            bencher.iter(|| lane.receive_in_reads(black_box(&server), look));
        });
        let mut room = vec![0; server.len()];
        group.bench_function(id("the copy that stands for the read"), |bencher| {
            bencher.iter(|| black_box(&mut room).copy_from_slice(black_box(&server)));
        });
    }
}

fn answers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode and answer");
    for size in SIZES {
        let count = batch(size);
        let payload = vec![b'x'; size];
        for role in [Role::Server, Role::Client] {
            let bytes = stream(role, Opcode::Binary, &payload, 1, count);
            let id = BenchmarkId::new(format!("{role:?}"), size);
            bench_reads(&mut group, id, role, (&bytes, count, size), echo);
        }
    }
    let payload = vec![b'x'; 1024 * 1024];
    let bytes = stream(Role::Server, Opcode::Binary, &payload, 1, 1);
    let id = BenchmarkId::new("Server, without a copy", payload.len());
    let input = (&bytes[..], 1, payload.len());
    bench_reads(&mut group, id, Role::Server, input, |connection, event| {
        if let Some(message) = event.into_message() {
            connection.send(message).unwrap();
        }
    });
}

fn texts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("text");
    let mixed = "{\"name\":\"김철수\",\"note\":\"naïve café\",\"n\":12345}";
    for size in SIZES {
        let count = batch(size);
        let ascii = "x".repeat(size);
        let mut other: String = mixed.chars().cycle().take(size).collect();
        while other.len() > size {
            other.pop();
        }
        for (name, text) in [("ASCII", &ascii), ("mixed", &other)] {
            let bytes = stream(Role::Server, Opcode::Text, text.as_bytes(), 1, count);
            let input = (&bytes[..], count, text.len());
            let id = BenchmarkId::new(name, size);
            bench_reads(&mut group, id, Role::Server, input, look);
        }
    }
}

fn primitives(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("mask");
    for size in SIZES {
        let mut payload = vec![b'x'; size];
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter(|| apply_mask(black_box(&mut payload), [1, 2, 3, 4], 0));
        });
    }
    group.finish();
    let mut group = criterion.benchmark_group("utf8 in pieces of 509 bytes");
    for (name, unit) in [("ASCII", "abcdefgh"), ("Korean", "한국어"), ("emoji", "🦀")] {
        let text = unit.repeat(64 * 1024 / unit.len());
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut decoder = Decoder::new();
                for piece in black_box(text.as_bytes()).chunks(509) {
                    decoder.push(piece, |text| _ = black_box(text)).unwrap();
                }
                decoder.finish().unwrap();
            });
        });
    }
}
