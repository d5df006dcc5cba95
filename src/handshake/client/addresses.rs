//! In which order, and how long after each other, the addresses of a host are tried (RFC 8305).

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

/// How long an attempt to connect has for itself before the next address is tried beside it: 250
/// ms, as RFC 8305, section 5, recommends. A handshake around the world takes less.
pub const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Puts the addresses of a host into the order in which to try them: IPv6 and IPv4 take turns,
/// beginning with the family of the first, and keep their order otherwise (RFC 8305, section 4).
/// So a family that is broken on the way costs one attempt.
///
/// ```
/// use fullduplex::handshake::client::attempt_order;
///
/// let resolved = ["[2001:db8::1]:80", "[2001:db8::2]:80", "192.0.2.1:80"];
/// let order = attempt_order(resolved.iter().flat_map(|address| address.parse()));
/// let order: Vec<_> = order.iter().map(ToString::to_string).collect();
/// assert_eq!(order, ["[2001:db8::1]:80", "192.0.2.1:80", "[2001:db8::2]:80"]);
/// ```
pub fn attempt_order(addresses: impl IntoIterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let mut addresses = addresses.into_iter();
    let Some(first) = addresses.next() else {
        return Vec::new();
    };
    let (mut same, mut other) = (VecDeque::from([first]), VecDeque::new());
    for address in addresses {
        if address.is_ipv6() == first.is_ipv6() {
            same.push_back(address);
        } else {
            other.push_back(address);
        }
    }
    let mut order = Vec::with_capacity(same.len() + other.len());
    while !same.is_empty() || !other.is_empty() {
        order.extend(same.pop_front());
        order.extend(other.pop_front());
    }
    order
}
