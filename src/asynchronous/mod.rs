//! What the adapters for async runtimes share: all but the streams and the clock.
//!
//! [`tokio`](crate::tokio) and [`futures`](crate::futures) name these types for their streams; use
//! them from there.
//!
//! ```text
//!   WebSocket ── split ──► Reader, Writer          one task, or two under a lock
//!       │                      │
//!       └─► Core ◄─────────────┘   a connection over a stream; who waits, and until when
//!             ├── Driver           the loop that all adapters share
//!             ├── Wakers           both tasks: a stream remembers one waker for writing
//!             └── Alarm            one timer, moved only when it would go off too late
//!       Memory                     receive memory, from a pool of the thread while it is needed
//!       Shutdown                   closes many connections, and waits for them
//! ```

mod core;
mod io;
mod memory;
#[cfg(all(test, fullduplex_model, feature = "tokio"))]
mod model;
mod opening;
mod shutdown;
mod split;
mod sync;
mod wakers;
mod websocket;

pub(crate) use io::sealed;
pub use io::{Clock, Io};
#[cfg(feature = "tokio")]
pub(crate) use opening::open_tunnel;
pub use opening::{Connected, Incoming, Pending};
pub(crate) use opening::{accept, connect_over, receive};
pub use shutdown::Shutdown;
pub use split::{NotTogether, Reader, Writer};
pub use websocket::WebSocket;
