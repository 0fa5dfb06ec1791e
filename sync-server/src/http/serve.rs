//! Listening, and stopping without losing what is in flight.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum_server::accept::NoDelayAcceptor;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use axum_server::{Handle, Server};
use tokio::task::JoinHandle;

use super::App;
use super::load::READ_AHEAD;

/// How long requests in flight may still take when the server stops.
const FINISH_WITHIN: Duration = Duration::from_secs(10);
/// A connection on which no whole request head came for this long is closed. Phones close idle ones after 90 s: were the server first, a
/// phone could send into a closing connection.
const HEAD_WITHIN: Duration = Duration::from_secs(120);
/// The first request's head, from when the connection is there.
const FIRST_HEAD_WITHIN: Duration = Duration::from_secs(30);
/// Histograms are folded this often; without it they grow until the next scrape.
const FOLD_METRICS: Duration = Duration::from_secs(10);

/// A server that listens.
#[derive(Debug)]
pub struct Running {
    /// Where.
    pub address: SocketAddr,
    app: Arc<App>,
    handle: Handle<SocketAddr>,
    task: JoinHandle<io::Result<()>>,
    folding: JoinHandle<()>,
}

/// Listens on `address` and answers with `router` until [`Running::stop`].
///
/// # Errors
/// The address cannot be bound.
pub fn start(app: Arc<App>, router: Router, address: SocketAddr, tls: Option<RustlsConfig>) -> io::Result<Running> {
    let listener = TcpListener::bind(address)?;
    let address = listener.local_addr()?;
    let handle = Handle::new();
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let server = axum_server::from_tcp(listener)?.acceptor(NoDelayAcceptor::new()).handle(handle.clone());
    let task = match tls {
        None => tokio::spawn(lean(server).serve(service)),
        Some(config) => tokio::spawn(lean(server.map(|plain| RustlsAcceptor::new(config).acceptor(plain))).serve(service)),
    };
    let folding = tokio::spawn({
        let metrics = app.metrics.clone();
        async move {
            let mut ticks = tokio::time::interval(FOLD_METRICS);
            loop {
                ticks.tick().await;
                metrics.run_upkeep();
            }
        }
    });
    Ok(Running { address, app, handle, task, folding })
}

/// Without `date`: 37 bytes that every answer would carry, and its body has the server's clock. HTTP/1.1 alone: a phone has one request at a time, and
/// the streams of HTTP/2 would not count as connections: 500 of those, 200 bodies each, took all of `body-memory` without a credential.
fn lean<A>(mut server: Server<SocketAddr, A>) -> Server<SocketAddr, A> {
    server.http_builder().http1().auto_date_header(false).header_read_timeout(HEAD_WITHIN).max_buf_size(READ_AHEAD);
    server.http1_only().first_request_timeout(FIRST_HEAD_WITHIN)
}

impl Running {
    /// Stops taking requests, ends event streams, and waits for what is in flight, at most ten seconds.
    ///
    /// # Errors
    /// The listener had failed.
    pub async fn stop(self) -> io::Result<()> {
        self.app.closing.send_replace(true);
        self.handle.graceful_shutdown(Some(FINISH_WITHIN));
        let ended = self.task.await.map_err(io::Error::other)?;
        self.folding.abort();
        ended
    }

    /// Resolves when the server has ended by itself, which only a failed listener makes it do.
    pub async fn ended(&mut self) -> io::Result<()> {
        (&mut self.task).await.map_err(io::Error::other)?
    }
}
