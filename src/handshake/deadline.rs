//! The deadline of an opening handshake, on the caller's clock.

use core::time::Duration;

use super::error::HandshakeError;

/// One deadline for the whole handshake: a peer that sends a byte now and then does not move it.
#[derive(Debug)]
pub(super) struct Deadline {
    timeout: Option<Duration>,
    /// Known from the first call of `handle_timeout` on.
    at: Option<Duration>,
}

impl Deadline {
    pub(super) const fn new(timeout: Option<Duration>) -> Self {
        Self { timeout, at: None }
    }

    /// When `handle_timeout` is to be called: at once, as long as the clock has not been started.
    pub(super) fn poll_timeout(&self) -> Option<Duration> {
        self.timeout?;
        Some(self.at.unwrap_or(Duration::ZERO))
    }

    pub(super) fn handle_timeout(&mut self, now: Duration) -> Result<(), HandshakeError> {
        match (self.timeout, self.at) {
            (None, _) => Ok(()),
            (Some(timeout), None) => {
                self.at = Some(now.saturating_add(timeout));
                Ok(())
            }
            (Some(_), Some(at)) if now < at => Ok(()),
            (Some(_), Some(_)) => Err(HandshakeError::TimedOut),
        }
    }
}
