//! Clients under tokio that fail a test instead of hanging it.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "each test crate uses its own part, and a helper that panics fails the test"
)]

use core::future::Future;

use fullduplex::handshake::client::Request;
use fullduplex::tokio::{self as ws, Connected, MaybeTls};
use fullduplex::{ConnectOptions, Error};

use super::net::LONG;

pub async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LONG, future).await.expect("it hangs")
}

pub async fn connect(url: &str, options: &ConnectOptions) -> Result<Connected<MaybeTls>, Error> {
    in_time(ws::connect_to(Request::new(url).unwrap(), options)).await
}
