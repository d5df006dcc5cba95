//! Stand-in.

/// Settings of a connection.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Config {
    /// What a peer may make this end hold.
    pub limits: Limits,
}

/// What a peer may make this end hold.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of a handshake head.
    pub max_head: usize,
    /// Header lines of a handshake head.
    pub max_headers: usize,
    /// Bytes kept of the body of a response that refuses the handshake.
    pub max_rejection_body: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_head: 16 << 10,
            max_headers: 100,
            max_rejection_body: 64 << 10,
        }
    }
}
