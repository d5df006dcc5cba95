//! Clients under tokio that fail a test instead of hanging it.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "each test crate uses its own part, and a helper that panics fails the test"
)]

use core::future::Future;
use std::net::{SocketAddr, TcpStream};

use fullduplex::handshake::client::Request;
use fullduplex::tokio::{self as ws, Connected, MaybeTls};
use fullduplex::{ConnectOptions, Error};
use tokio::task::{JoinHandle, spawn_blocking};

use super::net::{LONG, listen};

pub async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LONG, future).await.expect("it hangs")
}

pub async fn connect(url: &str, options: &ConnectOptions) -> Result<Connected<MaybeTls>, Error> {
    in_time(ws::connect_to(Request::new(url).unwrap(), options)).await
}

/// A server that takes a connection and says nothing. Paused time stands still before it has.
pub fn silent() -> (SocketAddr, JoinHandle<TcpStream>) {
    let (listener, address) = listen();
    (
        address,
        spawn_blocking(move || listener.accept().unwrap().0),
    )
}
