//! The TLS streams of others, over hostile ones.
#![cfg(feature = "rustls")]

use std::io::{Read, Write};

use fullduplex::handshake::client::Request;
use fullduplex::handshake::server::Options;
use fullduplex::{Config, Connection, Error, Role};
use rustls::StreamOwned;

use super::common::hostile::Hostile;
use super::common::sockets::{Opener, Patient};
use super::tls::{client, server};

/// Blocking, over the stream that rustls brings.
pub(crate) struct Blocking;

/// Either end.
pub(crate) trait Line: Read + Write {}

impl<T: Read + Write> Line for T {}

fn stream(line: &Hostile, role: Role) -> Box<dyn Line> {
    match role {
        Role::Client => Box::new(StreamOwned::new(client(), line.clone())),
        Role::Server => Box::new(StreamOwned::new(server(), line.clone())),
    }
}

impl Opener for Blocking {
    type Socket = Patient<Box<dyn Line>>;

    const READS_CAN_LIE: bool = false;
    const SHUTS_DOWN: bool = false;

    async fn open(
        line: &Hostile,
        role: Role,
        connection: Connection,
    ) -> Result<Self::Socket, Error> {
        Ok(Patient::new(line, stream(line, role), connection))
    }

    async fn accept(line: &Hostile, options: &Options) -> Result<Self::Socket, Error> {
        Patient::accept(line, stream(line, Role::Server), options).await
    }

    async fn connect(
        line: &Hostile,
        request: Request,
        config: &Config,
    ) -> Result<Self::Socket, Error> {
        Patient::connect(line, stream(line, Role::Client), request, config).await
    }
}

#[cfg(feature = "tokio-rustls")]
pub(crate) struct Tokio;

#[cfg(feature = "tokio-rustls")]
mod under_tokio {
    use std::sync::Arc;

    use fullduplex::Inbox;
    use fullduplex::tokio::{self as ws, WebSocket};
    use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

    use super::*;
    use crate::tls::{CONFIGS, name};

    async fn shake_hands(line: &Hostile, role: Role) -> Result<TlsStream<Hostile>, Error> {
        Ok(match role {
            Role::Client => {
                let connector = TlsConnector::from(Arc::clone(&CONFIGS.0));
                connector.connect(name(), line.clone()).await?.into()
            }
            Role::Server => {
                let acceptor = TlsAcceptor::from(Arc::clone(&CONFIGS.1));
                acceptor.accept(line.clone()).await?.into()
            }
        })
    }

    impl Opener for Tokio {
        type Socket = WebSocket<TlsStream<Hostile>>;

        const READS_CAN_LIE: bool = false;
        const SHUTS_DOWN: bool = true;

        async fn open(
            line: &Hostile,
            role: Role,
            connection: Connection,
        ) -> Result<Self::Socket, Error> {
            let stream = shake_hands(line, role).await?;
            Ok(WebSocket::new(stream, connection, Inbox::new()))
        }

        async fn accept(line: &Hostile, options: &Options) -> Result<Self::Socket, Error> {
            ws::accept(shake_hands(line, Role::Server).await?, options).await
        }

        async fn connect(
            line: &Hostile,
            request: Request,
            config: &Config,
        ) -> Result<Self::Socket, Error> {
            let stream = shake_hands(line, Role::Client).await?;
            Ok(ws::connect_over(stream, request, config).await?.socket)
        }
    }
}
