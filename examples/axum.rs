//! WebSockets on a server of axum's, over HTTP/1.1 and HTTP/2: an extractor opens them.
//!
//!     cargo run --features http,tokio --example axum [ADDR]
//!
//! Open the printed address in a browser (http instead of ws) for a page that talks to it. Ctrl-C
//! closes all connections with 1001.
#![allow(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "a program"
)]

use std::io::{self, Write};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRef, FromRequestParts, OptionalFromRequestParts, Path, State};
use axum::http::{StatusCode, request::Parts};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::any;
use fullduplex::handshake::OriginPolicy;
use fullduplex::handshake::server::{self, Acceptance, Incoming, Options, Upgrade};
use fullduplex::tokio::{Error, WebSocket};
use fullduplex::{CloseCode, Inbox, http};
use hyper::ext::Protocol;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// How long connections may take to say good-bye at the end.
const GOOD_BYE: Duration = Duration::from_secs(6);

/// The page for browsers.
const PAGE: &str = include_str!("echo.html");

type Socket = WebSocket<TokioIo<Upgraded>>;

/// A request for a WebSocket. As an argument of a handler, it refuses all other requests; as an
/// optional one, it lets them through.
struct WebSocketUpgrade {
    upgrade: Upgrade,
    stream: OnUpgrade,
}

impl WebSocketUpgrade {
    #[expect(
        clippy::result_large_err,
        reason = "what axum calls a rejection is a response"
    )]
    fn negotiate(parts: &mut Parts, options: Options) -> Result<Option<Self>, Response> {
        // Only HTTP/2 has it. There the method is CONNECT, so that routes are for `any`.
        let protocol = parts.extensions.get::<Protocol>().map(Protocol::as_str);
        match http::negotiate_parts(parts, protocol, options) {
            Ok(Incoming::Upgrade(upgrade)) => match parts.extensions.remove() {
                Some(stream) => Ok(Some(Self { upgrade, stream })),
                None => Err(StatusCode::INTERNAL_SERVER_ERROR.into_response()),
            },
            Ok(Incoming::Http(_)) => Ok(None),
            Err(refusal) => Err(refusal.response().map(Body::from)),
        }
    }

    /// Accepts, and lets `serve` have the connection in a task of its own.
    fn open<F>(self, serve: impl FnOnce(Socket) -> F + Send + 'static) -> Response
    where
        F: Future<Output = ()> + Send,
    {
        let Self { upgrade, stream } = self;
        let Ok((response, connection)) = http::accept(upgrade, Acceptance::new()) else {
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        };
        tokio::spawn(async move {
            // The stream is handed over once the response is out, unless the client has gone.
            if let Ok(stream) = stream.await {
                serve(WebSocket::new(
                    TokioIo::new(stream),
                    connection,
                    Inbox::new(),
                ))
                .await;
            }
        });
        response.map(|()| Body::empty())
    }
}

impl<S: Sync> FromRequestParts<S> for WebSocketUpgrade
where
    Options: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let version = parts.version;
        Self::negotiate(parts, Options::from_ref(state))?.ok_or_else(|| {
            let answer = server::Response::upgrade_required();
            http::response(&answer, version).map(Body::from)
        })
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for WebSocketUpgrade
where
    Options: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Response> {
        Self::negotiate(parts, Options::from_ref(state))
    }
}

#[derive(Clone)]
struct Server {
    options: Options,
    /// Whether the server is to end. Each connection looks at it and holds it as long as it lives.
    ending: watch::Sender<bool>,
}

impl FromRef<Server> for Options {
    fn from_ref(server: &Server) -> Self {
        server.options.clone()
    }
}

/// The page, or an echo: which one, the request says.
async fn root(upgrade: Option<WebSocketUpgrade>, State(server): State<Server>) -> Response {
    let ending = server.ending.subscribe();
    match upgrade {
        Some(upgrade) => upgrade.open(|socket| run(socket, None, ending)),
        None => Html(PAGE).into_response(),
    }
}

/// An echo that says hello first. The path is there for the extractors as in any other handler.
async fn greet(
    upgrade: WebSocketUpgrade,
    Path(name): Path<String>,
    State(server): State<Server>,
) -> Response {
    let ending = server.ending.subscribe();
    upgrade.open(move |socket| run(socket, Some(format!("hello {name}")), ending))
}

async fn run(mut socket: Socket, greeting: Option<String>, ending: watch::Receiver<bool>) {
    if let Err(error) = echo(&mut socket, greeting, ending).await {
        // Nobody can be told that nobody can be told.
        let _ = writeln!(io::stderr(), "{error}");
    }
}

async fn echo(
    socket: &mut Socket,
    greeting: Option<String>,
    mut ending: watch::Receiver<bool>,
) -> Result<(), Error> {
    if let Some(greeting) = greeting {
        socket.send(greeting).await?;
    }
    loop {
        let message = tokio::select! {
            message = socket.recv() => message?,
            _ = ending.wait_for(|ending| *ending) => break,
        };
        match message {
            Some(message) => socket.feed(message).await?, // written before the next one is awaited
            None => return Ok(()),
        }
    }
    socket
        .close(CloseCode::GOING_AWAY, "the server ends")
        .await?;
    Ok(())
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let address = std::env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:9001")).await?;
    println!("listening on ws://{}", listener.local_addr()?);
    let ending = watch::Sender::new(false);
    let app = Router::new()
        .route("/", any(root))
        .route("/greet/{name}", any(greet))
        .with_state(Server {
            // Browsers may connect from the page only; other programs send no Origin.
            options: Options::new(OriginPolicy::same_origin()),
            ending: ending.clone(),
        });
    let interrupted = async {
        let _ = tokio::signal::ctrl_c().await;
    };
    tokio::select! {
        result = axum::serve(listener, app) => result?,
        () = interrupted => {}
    }
    ending.send_replace(true);
    let _ = tokio::time::timeout(GOOD_BYE, ending.closed()).await;
    Ok(())
}
