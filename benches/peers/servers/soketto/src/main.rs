//! soketto, through the buffers of its example. Its compression is that of C zlib.

use std::pin::pin;
use std::task::Poll;

use futures::io::{BufReader, BufWriter};
use soketto::connection::Error;
use soketto::extension::deflate::Deflate;
use soketto::handshake::Server;
use soketto::handshake::server::Response;
use soketto::{Data, Mode};
use support::Options;
use tokio::net::TcpStream;
use tokio_util::compat::TokioAsyncReadCompatExt;

fn main() -> std::io::Result<()> {
    support::serve(|stream, options| async move {
        // Its errors cannot leave their task.
        echo(stream, options).await.ok();
    })
}

async fn echo(
    stream: TcpStream,
    options: Options,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let stream = BufReader::new(BufWriter::new(stream.compat()));
    let mut server = Server::new(stream);
    if options.deflate {
        server.add_extension(Box::new(Deflate::new(Mode::Server)));
    }
    let key = server.receive_request().await?.key();
    let accept = Response::Accept {
        key,
        protocol: None,
    };
    server.send_response(&accept).await?;
    let (mut sender, mut receiver) = server.into_builder().finish();
    let mut message = Vec::new();
    loop {
        message.clear();
        let data = {
            // Not to be dropped before it is done: part of a message would be lost.
            let mut receiving = pin!(receiver.receive_data(&mut message));
            match futures::poll!(receiving.as_mut()) {
                Poll::Ready(data) => data,
                Poll::Pending => {
                    if options.batch {
                        sender.flush().await?;
                    }
                    receiving.await
                }
            }
        };
        match data {
            Ok(Data::Binary(_)) => sender.send_binary_mut(&mut message).await?,
            Ok(Data::Text(_)) => sender.send_text(str::from_utf8(&message)?).await?,
            Err(Error::Closed) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        if !options.batch {
            sender.flush().await?;
        }
    }
}
