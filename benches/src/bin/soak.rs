//! Keeps an echo server under load for a while: no error may show, and its memory has to stay where it
//! is. `tests/soak/run.sh` runs it.
//!
//!     soak SECONDS PATH-OF-SERVER [--idle N] [--active N] [ARGUMENT-OF-SERVER...]
//!
//! Idle connections answer the server's Pings and nothing else. Active ones send messages of many
//! sizes, text and binary, now and then a large one, compare what comes back, and are closed and
//! opened anew after a hundred messages.

use std::env;
use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use fullduplex::tokio::{self as ws, MaybeTls, WebSocket};
use fullduplex::{CloseCode, Message};
use fullduplex_benches::server::Server;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Messages on a connection before it is closed, and the pause between two of them.
const MESSAGES: u64 = 100;
const PAUSE: Duration = Duration::from_millis(100);

/// Sizes of messages, one after the other.
const SIZES: [usize; 10] = [16, 0, 125, 126, 1_000, 16, 300, 4_000, 16, 65_536];

/// How long the server may take to get to the memory that it needs, in tenths of the whole time.
const WARM_UP: usize = 3;

/// How much more or less its memory may be at the end than after that.
const FLAT: f64 = 0.05;

#[derive(Default)]
struct Tally {
    messages: AtomicU64,
    closed: AtomicU64,
    errors: AtomicU64,
    over: AtomicBool,
    /// Microseconds, of one message in ten.
    latencies: Mutex<Vec<u32>>,
}

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let (Some(seconds), Some(program)) = (
        arguments.next().and_then(|seconds| seconds.parse().ok()),
        arguments.next(),
    ) else {
        eprintln!("usage: soak SECONDS PATH-OF-SERVER [--idle N] [--active N] [ARGUMENT...]");
        return ExitCode::FAILURE;
    };
    let (mut idle, mut active, mut rest) = (10_000, 1_000, Vec::new());
    while let Some(argument) = arguments.next() {
        let number = match &*argument {
            "--idle" => &mut idle,
            "--active" => &mut active,
            _ => {
                rest.push(argument);
                continue;
            }
        };
        let given = arguments.next().and_then(|count| count.parse().ok());
        *number = given.unwrap_or(*number);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    let ended = match runtime {
        Ok(runtime) => runtime.block_on(run(seconds, &program, &rest, idle, active)),
        Err(error) => Err(error.into()),
    };
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(
    seconds: u64,
    program: &str,
    arguments: &[String],
    idle: usize,
    active: usize,
) -> Result<bool> {
    let server = Server::start(program, arguments).map_err(|error| error.to_string())?;
    let tally = Arc::new(Tally::default());
    // More at a time would overflow the server's queue of connections to be accepted.
    let doors = Arc::new(Semaphore::new(64));
    let mut clients = JoinSet::new();
    for index in 0..idle + active {
        let (url, tally, doors) = (server.url.clone(), tally.clone(), doors.clone());
        clients.spawn(async move {
            let ended = if index < idle {
                rest(&url, &tally, &doors).await
            } else {
                talk(&url, &tally, &doors, index).await
            };
            if let Err(error) = ended
                && tally.errors.fetch_add(1, Relaxed) < 10
            {
                eprintln!("connection {index}: {error}");
            }
        });
    }
    let sampled = watch(&server, Duration::from_secs(seconds)).await?;
    tally.over.store(true, Relaxed);
    let grace = sleep(Duration::from_secs(30));
    tokio::pin!(grace);
    while !clients.is_empty() {
        tokio::select! {
            ended = clients.join_next() => drop(ended),
            () = &mut grace => break,
        }
    }
    Ok(report(program, &tally, &sampled, clients.len()))
}

/// The server's resident memory in KiB, twice a second.
async fn watch(server: &Server, time: Duration) -> Result<Vec<u64>> {
    let start = Instant::now();
    let mut ticks = interval(Duration::from_millis(500));
    let mut samples = Vec::new();
    while start.elapsed() < time {
        ticks.tick().await;
        samples.push(server.resident().map_err(|error| error.to_string())?);
    }
    Ok(samples)
}

async fn open(url: &str, doors: &Semaphore) -> Result<WebSocket<MaybeTls>> {
    let _turn = doors.acquire().await?;
    Ok(ws::connect(url).await?)
}

/// Waits until all is over, then closes.
async fn rest(url: &str, tally: &Tally, doors: &Semaphore) -> Result<()> {
    let mut socket = open(url, doors).await?;
    loop {
        tokio::select! {
            received = socket.recv() => {
                return Err(format!("{received:?} on an idle connection").into());
            }
            () = sleep(Duration::from_secs(1)) => {}
        }
        if tally.over.load(Relaxed) {
            return close(socket, tally).await;
        }
    }
}

/// Sends messages and awaits their echo until all is over.
async fn talk(url: &str, tally: &Tally, doors: &Semaphore, seed: usize) -> Result<()> {
    let mut count = seed as u64;
    loop {
        let mut socket = open(url, doors).await?;
        for _ in 0..MESSAGES {
            if tally.over.load(Relaxed) {
                return close(socket, tally).await;
            }
            count += 1;
            let message = message(count);
            let start = Instant::now();
            socket.send(message.clone()).await?;
            let echo = socket.recv().await?;
            if echo.as_ref() != Some(&message) {
                return Err(format!("{echo:?} came for {message:?}").into());
            }
            tally.messages.fetch_add(1, Relaxed);
            if count.is_multiple_of(10)
                && let Ok(mut latencies) = tally.latencies.lock()
            {
                latencies.push(u32::try_from(start.elapsed().as_micros()).unwrap_or(u32::MAX));
            }
            sleep(PAUSE).await;
        }
        close(socket, tally).await?;
    }
}

fn message(count: u64) -> Message {
    let size = SIZES[usize::try_from(count).unwrap_or(0) / 7 % SIZES.len()];
    let byte = b'a' + u8::try_from(count % 26).unwrap_or(0);
    let payload = vec![byte; size];
    match String::from_utf8(payload) {
        Ok(text) if count.is_multiple_of(2) => Message::from(text),
        Ok(text) => Message::from(text.into_bytes()),
        Err(error) => Message::from(error.into_bytes()),
    }
}

async fn close(mut socket: WebSocket<MaybeTls>, tally: &Tally) -> Result<()> {
    let outcome = socket.close(CloseCode::NORMAL, "").await?;
    if !outcome.clean {
        return Err(format!("not closed cleanly: {outcome:?}").into());
    }
    tally.closed.fetch_add(1, Relaxed);
    Ok(())
}

/// Prints what happened and tells whether all was well.
fn report(program: &str, tally: &Tally, samples: &[u64], hanging: usize) -> bool {
    let warm = samples.len() * WARM_UP / 10;
    let settled = samples.get(warm..).unwrap_or_default();
    let tenth = (settled.len() / 10).max(1);
    let mean = |part: &[u64]| part.iter().sum::<u64>() as f64 / part.len().max(1) as f64;
    let first = mean(settled.get(..tenth).unwrap_or_default());
    let last = mean(
        settled
            .get(settled.len().saturating_sub(tenth)..)
            .unwrap_or_default(),
    );
    let change = last / first - 1.0;
    let mut latencies = tally
        .latencies
        .lock()
        .map(|mut list| std::mem::take(&mut *list));
    let latencies = latencies.as_mut().map_or(&mut [][..], |list| list);
    latencies.sort_unstable();
    let at = |share: usize| {
        latencies
            .get(latencies.len() * share / 1000)
            .copied()
            .unwrap_or(0)
    };
    let errors = tally.errors.load(Relaxed);
    println!(
        "{program}: {} messages, {} connections closed, {errors} errors, {hanging} hang",
        tally.messages.load(Relaxed),
        tally.closed.load(Relaxed),
    );
    println!(
        "round trip: median {} µs, 99 % {} µs, 99.9 % {} µs",
        at(500),
        at(990),
        at(999)
    );
    println!(
        "resident: {:.1} MiB, at the end {:.1} MiB ({:+.1} %), at most {:.1} MiB",
        first / 1024.0,
        last / 1024.0,
        change * 100.0,
        samples.iter().max().copied().unwrap_or(0) as f64 / 1024.0
    );
    let flat = change.abs() <= FLAT;
    if !flat {
        eprintln!("the server's memory is not flat");
    }
    errors == 0 && hanging == 0 && flat && !latencies.is_empty()
}
