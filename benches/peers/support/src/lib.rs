//! What the servers share: their arguments, and the loop of those that run on tokio.

mod handshake;

use std::env;
use std::io;
use std::net::TcpListener;

use tokio::net::TcpStream;

pub use handshake::{answer, open};

/// The largest message that a server has to take. Its default limit may be lower, or none.
pub const LARGEST: usize = 16 * 1024 * 1024;

/// What a server is told: `ADDRESS [--quiet] [--batch] [--tuned] [--upgrade]
/// [--deflate[=takeover]] [--read BYTES] [--bytes IN:OUT]`.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "arguments")]
pub struct Options {
    /// Queue answers while more messages are ready, then write them together: by hand, where the
    /// library does not do it by itself.
    pub batch: bool,
    /// permessage-deflate, and whether the context is kept between messages.
    pub deflate: bool,
    pub takeover: bool,
    /// Let the library open the connections, though that may cost more later.
    pub upgrade: bool,
    /// Larger buffers, where a library's own benchmarks use them.
    pub tuned: bool,
    /// For servers that know no protocol: the size of reads, and that of so many bytes that come so
    /// many go back, since frames of servers have no masking key.
    pub read: Option<usize>,
    pub bytes: Option<(usize, usize)>,
}

impl Options {
    fn parse() -> Result<(String, Self), String> {
        let mut options = Self::default();
        let mut address = None;
        let mut arguments = env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match &*argument {
                "--quiet" => {}
                "--batch" => options.batch = true,
                "--upgrade" => options.upgrade = true,
                "--tuned" => options.tuned = true,
                "--deflate" => options.deflate = true,
                "--deflate=takeover" => (options.deflate, options.takeover) = (true, true),
                "--read" => {
                    let size = arguments.next().and_then(|size| size.parse().ok());
                    options.read = Some(size.ok_or("--read BYTES")?);
                }
                "--bytes" => {
                    let sizes = arguments.next().unwrap_or_default();
                    let sizes = sizes.split_once(':').and_then(|(received, sent)| {
                        Some((received.parse().ok()?, sent.parse().ok()?))
                    });
                    options.bytes = Some(sizes.ok_or("--bytes IN:OUT")?);
                }
                other if other.starts_with('-') || address.is_some() => {
                    return Err(format!("unknown argument {other}"));
                }
                _ => address = Some(argument),
            }
        }
        Ok((address.ok_or("no address")?, options))
    }
}

/// Listens where the arguments say, and prints where that is.
pub fn start() -> io::Result<(TcpListener, Options)> {
    let (address, options) = Options::parse().map_err(io::Error::other)?;
    let listener = TcpListener::bind(address)?;
    println!("listening on ws://{}", listener.local_addr()?);
    Ok((listener, options))
}

/// Runs `handle` for each connection: one thread, a task each.
pub fn serve<F>(handle: impl Fn(TcpStream, Options) -> F) -> io::Result<()>
where
    F: Future<Output: Send> + Send + 'static,
{
    let (listener, options) = start()?;
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            // How a connection ends is of no interest: the load generator just drops it.
            tokio::spawn(handle(stream, options));
        }
    })
}

/// How many bytes go back for those that come, so that a server without a protocol moves exactly
/// the bytes that a WebSocket server would.
#[derive(Debug)]
pub struct Proportion {
    received: usize,
    sent: usize,
    /// What came and went since both were last in step.
    came: usize,
    went: usize,
}

impl Proportion {
    pub fn new(options: &Options) -> Self {
        let (received, sent) = options.bytes.unwrap_or((1, 1));
        Self {
            received,
            sent,
            came: 0,
            went: 0,
        }
    }

    /// How many bytes are due for `count` more.
    #[inline]
    pub fn due(&mut self, count: usize) -> usize {
        self.came += count;
        let whole = self.came / self.received;
        self.came -= whole * self.received;
        let target = whole * self.sent + self.came * self.sent / self.received;
        let due = target - self.went;
        self.went = target - whole * self.sent;
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_frame_makes_a_whole_answer_however_it_comes() {
        for step in [1, 3, 7, 22, 100] {
            let mut proportion = Proportion::new(&Options {
                bytes: Some((22, 18)),
                ..Options::default()
            });
            let (mut came, mut went) = (0, 0);
            while came < 22 * 1000 {
                let count = step.min(22 * 1000 - came);
                came += count;
                went += proportion.due(count);
            }
            assert_eq!(went, 18 * 1000);
        }
    }
}
