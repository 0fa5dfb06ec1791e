//! `serve`: the server itself.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use axum_server::tls_rustls::RustlsConfig;
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::{Failure, during, open_as};
use crate::config::{Common, Serving};
use crate::console::{self, Console, Lock};
use crate::http::{self, App, Tls};
use crate::town::Town;

pub(super) const LONG: &str = "\
Serves phones until SIGTERM or Ctrl-C; then it takes no more requests, finishes those in flight (ten seconds at most), ends event
streams, and closes the store · 启动服务；收到停止信号后处理完在途请求再退出.

Everything is in the data folder; there is no other process and no other database. SIGHUP reads certificate and key again.";

/// A pack costs 0.3 s of one core at the best compression, a first load saves 15 % by it.
const IMPROVE_EVERY: Duration = Duration::from_secs(60);
/// How often is looked at what has waited for too long.
const LAPSE_EVERY: Duration = Duration::from_secs(3600);

/// Serve phones.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples · 示例:
  sync-server serve
      on http://127.0.0.1:8610, data in ./fieldgrid-data
  sync-server serve --listen 0.0.0.0:443 --tls-cert fullchain.pem --tls-key key.pem --public-url https://grid.example.cn
      on the open network
  FIELDGRID_CONSOLE_KEY=… sync-server serve
      with the supervisors' console on /console, opened by that key
  sync-server serve --listen 0.0.0.0:8610 --behind-proxy --public-url https://grid.example.cn
      behind nginx or Caddy, which end TLS")]
pub struct Serve {
    /// Its settings.
    #[command(flatten)]
    pub serving: Serving,
}

impl Serve {
    pub(super) async fn run(&self, common: &Common) -> Result<(), Failure> {
        let serving = &self.serving;
        serving.check()?;
        let tls = serving.tls(common)?;
        let certificate = match &tls {
            Some(tls) => Some(tls.load().await?),
            None => None,
        };
        let town = open_as(common, serving.town()).await?;
        let app = App::new(Arc::clone(&town), serving.options());
        // Before the first log line: whoever waits for it may send a signal at once.
        let mut stop = Stop::new().map_err(during("listening for signals"))?;
        let mut router = http::router(Arc::clone(&app));
        if let Some(key) = &serving.console_key {
            let lock = Lock::new(key.clone(), Arc::clone(&app), tls.is_some() || serving.public.public_url.starts_with("https://"));
            router = router.merge(console::router(Console { town: Arc::clone(&town), lock: Some(lock), phones: None }));
        }
        let mut running = http::start(app, router, serving.listen, certificate.clone()).map_err(during(format!("listening on {}", serving.listen)))?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        tracing::info!(address = %format!("{scheme}://{}", running.address), data = %common.data.display(), "serving");
        tokio::select! {
            signal = stop.signalled() => tracing::info!(signal, "stopping"),
            ended = running.ended() => ended.map_err(during("listening"))?,
            () = reload(tls, certificate) => {}
            () = improve_packs(&town) => {}
            () = lapse(&town) => {}
        }
        running.stop().await.map_err(during("stopping"))?;
        town.close().await;
        tracing::info!("stopped");
        Ok(())
    }
}

struct Stop {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Stop {
    fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn signalled(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Compresses again, and better, the packs that were built while a phone waited. Never ends.
async fn improve_packs(town: &Town) {
    loop {
        tokio::time::sleep(IMPROVE_EVERY).await;
        match town.improve_packs().await {
            Ok(0) => {}
            Ok(packs) => tracing::debug!(packs, "packs compressed again"),
            Err(error) => tracing::warn!(%error, "packs stay as they are"),
        }
    }
}

/// Keeps aside what has waited for too long. Never ends.
async fn lapse(town: &Town) {
    loop {
        match town.lapse().await {
            Ok(0) => {}
            Ok(items) => tracing::info!(items, "kept aside: what they build on did not come"),
            Err(error) => tracing::warn!(%error, "what has waited for too long still waits"),
        }
        tokio::time::sleep(LAPSE_EVERY).await;
    }
}

/// Reads certificate and key again at each SIGHUP. Never ends.
async fn reload(tls: Option<Tls>, certificate: Option<RustlsConfig>) {
    let (Some(tls), Some(certificate), Ok(mut hangup)) = (tls, certificate, signal(SignalKind::hangup())) else { return pending().await };
    while hangup.recv().await.is_some() {
        match tls.reload(&certificate).await {
            Ok(()) => tracing::info!("certificate and key read again"),
            Err(error) => tracing::error!(%error, "the old certificate stays in use"),
        }
    }
    pending().await
}
