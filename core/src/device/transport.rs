//! How bytes get to the server: a trait that tests and other carriers implement, and HTTP with rustls.
//!
//! The roots are Mozilla's, compiled in, plus a private CA where a town runs its own; never the platform's verifier, which panics on Android
//! unless it is set up from Java (reqwest#2969). Requests carry no header but `host`, `content-length` and the `accept` that reqwest adds:
//! an idle reconnect is 189 bytes both ways, HTTP included.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_RANGE, HeaderMap, RANGE, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{CertificateError, ClientConfig, RootCertStore};
use tokio::time::{Instant, timeout};

use crate::domain::id::{Hash, StreamId};
use crate::wire::error::{ErrorBody, ErrorKind};
use crate::wire::frame;
use crate::wire::limits::{MAX_BODY, MAX_ERROR, shown};
use crate::wire::sync::Token;

/// A future that a trait object can return.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Carries requests to the server. Every future ends within a bound, and may be dropped at any time: then nothing is known of the request.
pub trait Transport: Send + Sync + std::fmt::Debug {
    /// Sends a framed sync request and brings the framed answer.
    fn sync(&self, body: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, TransportError>>;
    /// Sends a framed enrolment request and brings the framed answer.
    fn enrol(&self, body: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, TransportError>>;
    /// Brings a pack's bytes from `offset` on, as far as they come; each piece is shown to `arrived` as it comes, so that it can be kept.
    fn pack<'a>(&'a self, token: Token, stream: StreamId, sha256: Hash, offset: u64, arrived: Arrived<'a>) -> BoxFuture<'a, PackPart>;
    /// Listens for "something new". The first comes at once: nothing falls between a round of sync and the opening of the line.
    fn news(&self, token: Token) -> BoxFuture<'_, Result<Box<dyn News>, TransportError>>;
    /// Whether what answers is known to be the server. Otherwise nobody's word is enough to wipe a store.
    fn authenticates(&self) -> bool;
}

/// An open ear for "something new".
pub trait News: Send {
    /// Ends when there is something new, or with an error when the line is gone or silent for too long. May be dropped and called again.
    fn next(&mut self) -> BoxFuture<'_, Result<(), TransportError>>;
}

/// Who is shown what arrives while it arrives.
pub type Arrived<'a> = &'a (dyn Fn(&[u8]) + Send + Sync);

/// What came of a pack. What arrived before the line broke is kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PackPart {
    /// Bytes from the asked offset on.
    pub bytes: Vec<u8>,
    /// Length of the whole file, where the server said it.
    pub total: Option<u64>,
    /// Why it ended early.
    pub broke: Option<TransportError>,
    /// It was kept from before, and cost nothing now.
    pub kept: bool,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// No connection, or it was lost.
    #[error("no connection to the server")]
    NoNetwork,
    /// The server did not answer in time.
    #[error("the server did not answer in time")]
    Timeout,
    /// The server's certificate is outside its time by this machine's clock.
    #[error("the server's certificate does not hold at the time this machine's clock shows; set date and time")]
    Clock,
    /// The server's certificate is not trusted, or TLS failed otherwise.
    #[error("the server's certificate is not trusted")]
    Untrusted,
    /// The answer is larger than it may be.
    #[error("the answer is too large")]
    TooLarge,
    /// An HTTP status that does not come from the sync server: a proxy or a login page.
    #[error("HTTP status {0} from something that is not the sync server")]
    Status(u16),
    /// The server's reasoned refusal.
    #[error("{}", .0.reason)]
    Refused(ErrorBody),
}

/// Makes the transport to a server.
pub trait Connect: Send + Sync + std::fmt::Debug {
    /// A transport to the server at `server`. Nothing is connected yet.
    ///
    /// # Errors
    /// [`TransportSetupError`].
    fn connect(&self, server: &str) -> Result<Arc<dyn Transport>, TransportSetupError>;

    /// Whether what it was given can be used: said when the device is opened, and not at its first sync.
    ///
    /// # Errors
    /// [`TransportSetupError`].
    fn check(&self) -> Result<(), TransportSetupError> {
        Ok(())
    }
}

/// Over HTTP.
#[derive(Debug, Clone, Default)]
pub struct HttpConnect {
    /// Certificates of a private CA to trust as well, PEM.
    pub ca_pem: Option<Vec<u8>>,
}

impl Connect for HttpConnect {
    fn connect(&self, server: &str) -> Result<Arc<dyn Transport>, TransportSetupError> {
        Ok(Arc::new(HttpTransport::new(server, self.ca_pem.as_deref())?))
    }

    fn check(&self) -> Result<(), TransportSetupError> {
        tls(self.ca_pem.as_deref()).map(drop)
    }
}

/// Bounds on how long one exchange may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For a connection, TLS included.
    pub connect: Duration,
    /// For the first byte of an answer once the request is out, and between two reads.
    pub quiet: Duration,
    /// Slowest upload and download that is waited for, bytes per second, on average.
    pub slowest: u32,
}

/// 1,000 bytes a second is what GPRS gives in a valley.
impl Default for Patience {
    fn default() -> Self {
        Self { connect: Duration::from_secs(15), quiet: Duration::from_secs(30), slowest: 1_000 }
    }
}

impl Patience {
    fn for_bytes(&self, bytes: u64) -> Duration {
        self.connect + self.quiet + Duration::from_secs(bytes / u64::from(self.slowest.max(1)))
    }
}

/// Longest silence of an event stream; the server sends a comment every 25 s.
const NEWS_QUIET: Duration = Duration::from_secs(60);
/// Longest event that is read; "something new" is a few bytes.
const MAX_EVENT: usize = 4 << 10;
/// Longest single read of a pack; a longer one is asked for in parts.
const MAX_PACK_PART: usize = 8 << 20;

/// Why a transport cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransportSetupError {
    /// The address is not an http or https URL.
    #[error("not a server address; it looks like https://sync.example.cn")]
    Address,
    /// The private CA is not a PEM file of certificates.
    #[error("the private CA is not a PEM file with at least one certificate")]
    CertificateAuthority,
    /// TLS could not be set up.
    #[error("TLS could not be set up")]
    Tls,
}

/// HTTP/1.1, kept alive, with rustls.
#[derive(Debug)]
pub struct HttpTransport {
    client: Client,
    base: Url,
    patience: Patience,
}

impl HttpTransport {
    /// A transport to the server at `base`, trusting Mozilla's roots and the certificates in `ca_pem`. Nothing is connected yet.
    ///
    /// # Errors
    /// [`TransportSetupError`].
    pub fn new(base: &str, ca_pem: Option<&[u8]>) -> Result<Self, TransportSetupError> {
        Self::with_patience(base, ca_pem, Patience::default())
    }

    /// The same with other bounds.
    ///
    /// # Errors
    /// [`TransportSetupError`].
    pub fn with_patience(base: &str, ca_pem: Option<&[u8]>, patience: Patience) -> Result<Self, TransportSetupError> {
        let mut base: Url = base.trim().parse().map_err(|_| TransportSetupError::Address)?;
        if !matches!(base.scheme(), "http" | "https") || base.host().is_none() {
            return Err(TransportSetupError::Address);
        }
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let mut builder = Client::builder()
            .tls_backend_preconfigured(tls(ca_pem)?)
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .connect_timeout(patience.connect)
            .pool_idle_timeout(Duration::from_secs(90))
            .pool_max_idle_per_host(1)
            .tcp_nodelay(true);
        if is_here(&base) {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|_| TransportSetupError::Tls)?;
        Ok(Self { client, base, patience })
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path()));
        url
    }

    async fn post(&self, path: &str, body: Vec<u8>) -> Result<Vec<u8>, TransportError> {
        let sending = self.patience.for_bytes(body.len() as u64);
        let mut response = timeout(sending, self.client.post(self.url(path)).body(body).send()).await.map_err(|_| TransportError::Timeout)?.map_err(error)?;
        let mut bytes = Vec::new();
        let good = response.status() == StatusCode::OK;
        let read = self.read(&mut response, if good { MAX_BODY } else { MAX_ERROR }, &mut bytes, &|_| ()).await;
        if good {
            return read.map(|()| bytes);
        }
        Err(refusal(response.status(), response.headers(), &bytes))
    }

    async fn get(&self, path: &str, token: Token, and: impl FnOnce(RequestBuilder) -> RequestBuilder) -> Result<Response, TransportError> {
        let request = and(self.client.get(self.url(path)).header(AUTHORIZATION, bearer(token)));
        timeout(self.patience.for_bytes(0), request.send()).await.map_err(|_| TransportError::Timeout)?.map_err(error)
    }

    /// Reads a body as far as it comes, within the limit and the time.
    async fn read(&self, response: &mut Response, limit: usize, into: &mut Vec<u8>, arrived: Arrived<'_>) -> Result<(), TransportError> {
        if response.content_length().is_some_and(|length| length > limit as u64) {
            return Err(TransportError::TooLarge);
        }
        let begun = Instant::now();
        loop {
            // By what has come, not by what is announced: who drips is not waited for as long as a
            // whole body may take.
            let left = self.patience.for_bytes(into.len() as u64).saturating_sub(begun.elapsed());
            let chunk = timeout(self.patience.quiet.min(left), response.chunk()).await.map_err(|_| TransportError::Timeout)?.map_err(error)?;
            let Some(chunk) = chunk else { return Ok(()) };
            if into.len() + chunk.len() > limit {
                return Err(TransportError::TooLarge);
            }
            arrived(&chunk);
            into.extend_from_slice(&chunk);
        }
    }

    async fn pack_part(&self, token: Token, stream: StreamId, sha256: Hash, offset: u64, arrived: Arrived<'_>) -> PackPart {
        let broken = |broke| PackPart { broke: Some(broke), ..PackPart::default() };
        let end = offset + MAX_PACK_PART as u64 - 1;
        let path = format!("v1/packs/{stream}/{sha256}");
        let mut response = match self.get(&path, token, |request| request.header(RANGE, format!("bytes={offset}-{end}"))).await {
            Ok(response) => response,
            Err(error) => return broken(error),
        };
        let mut bytes = Vec::new();
        // A server that does not know ranges sends the file from its start.
        let (skip, total) = match response.status() {
            StatusCode::PARTIAL_CONTENT => (0, total_of(response.headers())),
            StatusCode::OK => (offset, response.content_length()),
            status => {
                let _ = self.read(&mut response, MAX_ERROR, &mut bytes, &|_| ()).await;
                return broken(refusal(status, response.headers(), &bytes));
            }
        };
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        let passed = AtomicUsize::new(0);
        let wanted = |chunk: &[u8]| {
            let before = passed.fetch_add(chunk.len(), Ordering::Relaxed);
            arrived(&chunk[chunk.len().min(skip.saturating_sub(before))..]);
        };
        let broke = self.read(&mut response, skip.saturating_add(MAX_PACK_PART), &mut bytes, &wanted).await.err();
        bytes.drain(..bytes.len().min(skip));
        PackPart { bytes, total, broke, kept: false }
    }
}

impl Transport for HttpTransport {
    fn sync(&self, body: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, TransportError>> {
        Box::pin(self.post("v1/sync", body))
    }

    fn enrol(&self, body: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, TransportError>> {
        Box::pin(self.post("v1/enrol", body))
    }

    fn pack<'a>(&'a self, token: Token, stream: StreamId, sha256: Hash, offset: u64, arrived: Arrived<'a>) -> BoxFuture<'a, PackPart> {
        Box::pin(self.pack_part(token, stream, sha256, offset, arrived))
    }

    /// By TLS, or because it never leaves the machine.
    fn authenticates(&self) -> bool {
        self.base.scheme() == "https" || is_here(&self.base)
    }

    fn news(&self, token: Token) -> BoxFuture<'_, Result<Box<dyn News>, TransportError>> {
        Box::pin(async move {
            let mut response = self.get("v1/events", token, |request| request).await?;
            if response.status() == StatusCode::OK {
                return Ok(Box::new(EventStream { response, line: Vec::new(), data: false }) as Box<dyn News>);
            }
            let mut bytes = Vec::new();
            let _ = self.read(&mut response, MAX_ERROR, &mut bytes, &|_| ()).await;
            Err(refusal(response.status(), response.headers(), &bytes))
        })
    }
}

/// Server-sent events, of which only their coming matters.
struct EventStream {
    response: Response,
    line: Vec<u8>,
    data: bool,
}

impl News for EventStream {
    fn next(&mut self) -> BoxFuture<'_, Result<(), TransportError>> {
        Box::pin(async move {
            loop {
                let chunk = timeout(NEWS_QUIET, self.response.chunk()).await.map_err(|_| TransportError::Timeout)?.map_err(error)?;
                let chunk = chunk.ok_or(TransportError::NoNetwork)?;
                if self.take(&chunk)? {
                    return Ok(());
                }
            }
        })
    }
}

impl EventStream {
    /// Whether the chunk ends an event with data. Comments, which keep the line open, are not events.
    fn take(&mut self, chunk: &[u8]) -> Result<bool, TransportError> {
        let mut news = false;
        for &byte in chunk {
            match byte {
                b'\r' => {}
                b'\n' if self.line.is_empty() => news |= std::mem::take(&mut self.data),
                b'\n' => {
                    self.data |= self.line.starts_with(b"data");
                    self.line.clear();
                }
                _ if self.line.len() >= MAX_EVENT => return Err(TransportError::TooLarge),
                _ => self.line.push(byte),
            }
        }
        Ok(news)
    }
}

fn is_here(base: &Url) -> bool {
    base.host_str().is_some_and(|host| host == "localhost" || host.trim_matches(['[', ']']).parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback()))
}

fn tls(ca_pem: Option<&[u8]>) -> Result<ClientConfig, TransportSetupError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(pem) = ca_pem {
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|_| TransportSetupError::CertificateAuthority)?;
        let (added, _) = roots.add_parsable_certificates(certificates);
        if added == 0 {
            return Err(TransportSetupError::CertificateAuthority);
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|_| TransportSetupError::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

fn bearer(Token(bytes): Token) -> String {
    bytes.iter().fold("Bearer ".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// The length of the whole file, of `content-range: bytes 0-99/1234`.
fn total_of(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_RANGE)?.to_str().ok()?.rsplit_once('/')?.1.parse().ok()
}

/// What a status other than success means. Only a framed body is the server's word: a proxy's 403 revokes nobody.
fn refusal(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> TransportError {
    let retry_after_s = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let within = body.len() <= MAX_ERROR && frame::plain_len(body) <= MAX_ERROR;
    let said = Some(body).filter(|_| within).and_then(|body| frame::unwrap(body).ok()).and_then(|plain| minicbor::decode::<ErrorBody>(&plain).ok());
    match said {
        Some(said) => TransportError::Refused(ErrorBody { reason: shown(&said.reason), retry_after_s: said.retry_after_s.or(retry_after_s), ..said }),
        None if retry_after_s.is_some() && matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) => {
            TransportError::Refused(ErrorBody { kind: ErrorKind::Busy, reason: "busy".to_owned(), retry_after_s })
        }
        None => TransportError::Status(status.as_u16()),
    }
}

fn error(error: reqwest::Error) -> TransportError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(inner) = cause {
        if let Some(tls) = tls_error(inner) {
            return match tls {
                rustls::Error::InvalidCertificate(
                    CertificateError::Expired
                    | CertificateError::ExpiredContext { .. }
                    | CertificateError::NotValidYet
                    | CertificateError::NotValidYetContext { .. },
                ) => TransportError::Clock,
                _ => TransportError::Untrusted,
            };
        }
        cause = inner.source();
    }
    if error.is_timeout() { TransportError::Timeout } else { TransportError::NoNetwork }
}

/// rustls' error where it is, or inside the I/O errors that wrap it: reqwest's connector has been seen to nest two.
fn tls_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    let mut error = error;
    loop {
        match error.downcast_ref() {
            Some(tls) => return Some(tls),
            None => error = error.downcast_ref::<std::io::Error>()?.get_ref()?,
        }
    }
}

#[cfg(test)]
mod tests;
