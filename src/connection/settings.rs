//! What of a [`Config`] an open connection needs: one value for all that were configured alike.

use alloc::sync::Arc;
#[cfg(feature = "std")]
use {core::cell::RefCell, std::thread_local};

use super::config::{Config, Delivery, Limits, Timeouts};
use super::timers::Periods;

/// Limits and deadlines of a connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) max_frame: u64,
    pub(super) max_message: u64,
    pub(super) max_fragments: u32,
    pub(super) delivery: Delivery,
    pub(super) max_outgoing: usize,
    pub(super) max_frame_payload: usize,
    pub(super) periods: Periods,
}

#[cfg(feature = "std")]
thread_local! {
    /// What the thread's latest connection was given. A server configures thousands alike, and each
    /// keeps a pointer instead of a copy.
    static LATEST: RefCell<Option<Arc<Settings>>> = const { RefCell::new(None) };
}

impl Settings {
    fn new(config: &Config) -> Self {
        let Config {
            limits:
                Limits {
                    max_frame,
                    max_message,
                    max_fragments,
                    max_outgoing,
                    ..
                },
            delivery,
            ..
        } = *config;
        let timeouts: Timeouts = config.timeouts;
        Self {
            max_frame,
            max_message,
            max_fragments: max_fragments.max(1), // a message is at least one frame
            delivery,
            max_outgoing,
            max_frame_payload: config.max_frame_payload.unwrap_or(usize::MAX).max(1),
            periods: Periods::new(timeouts),
        }
    }

    #[cfg(feature = "std")]
    pub(super) fn shared(config: &Config) -> Arc<Self> {
        let settings = Self::new(config);
        let known = LATEST.try_with(|latest| {
            let mut latest = latest.borrow_mut();
            match &*latest {
                Some(known) if **known == settings => Arc::clone(known),
                _ => Arc::clone(latest.insert(Arc::new(settings))),
            }
        });
        // A thread that ends has nothing to share any more.
        known.unwrap_or_else(|_| Arc::new(Self::new(config)))
    }

    #[cfg(not(feature = "std"))]
    pub(super) fn shared(config: &Config) -> Arc<Self> {
        Arc::new(Self::new(config))
    }
}
