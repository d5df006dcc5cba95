//! Proxies that open one tunnel, to where the test says.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::indexing_slicing,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "each test crate uses its own part, and a helper that panics fails the test"
)]

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread::{self, JoinHandle};

use super::net::{listen, patient, read_head};

#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Http,
    Socks5,
}

/// The URL of a proxy that opens a tunnel to `server`, and what it was asked for: a host with its
/// port, and `user:password` in front if it was told those.
pub fn proxy(kind: Kind, server: SocketAddr) -> (String, JoinHandle<String>) {
    let (listener, address) = listen();
    let scheme = match kind {
        Kind::Http => "http",
        Kind::Socks5 => "socks5",
    };
    let asked = thread::spawn(move || {
        let mut client = patient(listener.accept().unwrap().0);
        let asked = match kind {
            Kind::Http => http(&mut client),
            Kind::Socks5 => socks5(&mut client),
        };
        let server = patient(TcpStream::connect(server).unwrap());
        for (from, to) in [(&client, &server), (&server, &client)] {
            let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
            thread::spawn(move || {
                let _ = io::copy(&mut from, &mut to);
                to.shutdown(Shutdown::Write)
            });
        }
        asked
    });
    (format!("{scheme}://us:pw@{address}"), asked)
}

fn http(client: &mut TcpStream) -> String {
    let head = read_head(client);
    client
        .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
        .unwrap();
    assert!(head.contains("\r\nProxy-Authorization: Basic dXM6cHc=\r\n"));
    let target = head.split(' ').nth(1).unwrap();
    format!("us:pw@{target}")
}

fn socks5(client: &mut TcpStream) -> String {
    assert_eq!(take(client, 4), [5, 2, 0, 2]);
    client.write_all(&[5, 2]).unwrap();
    assert_eq!(take(client, 7), *b"\x01\x02us\x02pw");
    client.write_all(&[1, 0]).unwrap();
    assert_eq!(take(client, 3), [5, 1, 0]);
    let host = match take(client, 1)[0] {
        1 => {
            let [a, b, c, d] = take(client, 4).try_into().unwrap();
            format!("{a}.{b}.{c}.{d}")
        }
        3 => {
            let length = take(client, 1)[0];
            String::from_utf8(take(client, usize::from(length))).unwrap()
        }
        other => panic!("type of address {other}"),
    };
    let port = u16::from_be_bytes(take(client, 2).try_into().unwrap());
    client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).unwrap();
    format!("us:pw@{host}:{port}")
}

fn take(client: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    client.read_exact(&mut bytes).unwrap();
    bytes
}
