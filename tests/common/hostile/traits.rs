//! What a [`Hostile`] is to its users.

use std::io::{self, IoSlice, Read, Write};

#[cfg(any(feature = "tokio", feature = "futures"))]
use std::{
    io::ErrorKind,
    pin::Pin,
    task::{Context, Poll},
};

use super::Hostile;

impl Read for Hostile {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.read_now(None, room)
    }
}

impl Write for Hostile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_now(None, &[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.write_now(None, slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.flush_now(None)
    }
}

#[cfg(any(feature = "tokio", feature = "futures"))]
fn poll<T>(result: io::Result<T>) -> Poll<io::Result<T>> {
    match result {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Poll::Pending,
        result => Poll::Ready(result),
    }
}

#[cfg(feature = "tokio")]
impl tokio::io::AsyncRead for Hostile {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        room: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        poll(self.read_now(Some(cx.waker()), room.initialize_unfilled()))
            .map(|result| result.map(|count| room.advance(count.min(room.remaining()))))
    }
}

#[cfg(feature = "futures")]
impl smol::io::AsyncRead for Hostile {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        room: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        poll(self.read_now(Some(cx.waker()), room))
    }
}

/// Both runtimes write in the same way, but for the name of the call that ends it.
macro_rules! async_write {
    ($($feature:literal, $trait:path, $shut_down:ident;)*) => {$(
        #[cfg(feature = $feature)]
        impl $trait for Hostile {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bytes: &[u8],
            ) -> Poll<io::Result<usize>> {
                poll(self.write_now(Some(cx.waker()), &[IoSlice::new(bytes)]))
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                slices: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                poll(self.write_now(Some(cx.waker()), slices))
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                poll(self.flush_now(Some(cx.waker())))
            }

            fn $shut_down(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                poll(self.shut_down_now(Some(cx.waker())))
            }
        }
    )*};
}

async_write! {
    "tokio", tokio::io::AsyncWrite, poll_shutdown;
    "futures", smol::io::AsyncWrite, poll_close;
}
