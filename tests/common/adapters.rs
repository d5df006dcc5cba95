//! Both async adapters behind one trait, so that each test is written once.
#![allow(
    dead_code,
    unreachable_pub,
    unused_macros,
    async_fn_in_trait,
    reason = "each test crate uses its own part"
)]

use fullduplex::asynchronous::{Connected, Incoming, Io, WebSocket};
use fullduplex::handshake::client::Request;
use fullduplex::handshake::server::Options;
use fullduplex::{Config, Connection, Error, Inbox, MaskKeys, Role};

use super::hostile::Hostile;

/// An adapter over hostile streams.
pub trait Adapter {
    type Io: Io<Stream = Hostile>;

    /// Whether a stream can claim to have read more than it was given room for.
    const READS_CAN_LIE: bool;

    fn new(stream: Hostile, connection: Connection, inbox: Inbox) -> WebSocket<Self::Io>;

    async fn accept(stream: Hostile, options: &Options) -> Result<WebSocket<Self::Io>, Error>;

    async fn receive(stream: Hostile, options: &Options) -> Result<Incoming<Self::Io>, Error>;

    async fn connect_over(
        stream: Hostile,
        request: Request,
        config: &Config,
    ) -> Result<Connected<Self::Io>, Error>;

    /// An open WebSocket that shares its stream with the test.
    fn open(role: Role, config: &Config, stream: &Hostile) -> WebSocket<Self::Io> {
        let connection = match role {
            Role::Client => Connection::client(config, MaskKeys::seeded([7; 32])),
            Role::Server => Connection::server(config),
        };
        Self::new(stream.clone(), connection, Inbox::new())
    }
}

macro_rules! adapter {
    ($name:ident, $feature:literal, $module:ident, $lies:literal) => {
        #[cfg(feature = $feature)]
        pub struct $name;

        #[cfg(feature = $feature)]
        impl Adapter for $name {
            type Io = fullduplex::$module::Io<Hostile>;

            const READS_CAN_LIE: bool = $lies;

            fn new(stream: Hostile, connection: Connection, inbox: Inbox) -> WebSocket<Self::Io> {
                WebSocket::<Self::Io>::new(stream, connection, inbox)
            }

            async fn accept(
                stream: Hostile,
                options: &Options,
            ) -> Result<WebSocket<Self::Io>, Error> {
                fullduplex::$module::accept(stream, options).await
            }

            async fn receive(
                stream: Hostile,
                options: &Options,
            ) -> Result<Incoming<Self::Io>, Error> {
                fullduplex::$module::receive(stream, options).await
            }

            async fn connect_over(
                stream: Hostile,
                request: Request,
                config: &Config,
            ) -> Result<Connected<Self::Io>, Error> {
                fullduplex::$module::connect_over(stream, request, config).await
            }
        }
    };
}

adapter!(Tokio, "tokio", tokio, false);
adapter!(Futures, "futures", futures, true);

/// Makes a test of each function, for each adapter.
#[macro_export]
macro_rules! for_each_adapter {
    ($($(#[$attribute:meta])* $name:ident,)*) => {
        #[cfg(feature = "tokio")]
        mod with_tokio {
            $(
                #[test]
                $(#[$attribute])*
                fn $name() {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
                    let runtime = runtime.unwrap();
                    let _timers_work = runtime.enter();
                    super::$name::<super::common::adapters::Tokio>();
                }
            )*
        }

        #[cfg(feature = "futures")]
        mod with_futures {
            $(#[test] $(#[$attribute])* fn $name() { super::$name::<super::common::adapters::Futures>(); })*
        }
    };
}
