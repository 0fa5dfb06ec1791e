//! Certificate and key: from PEM files, or made here for trials.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum_server::tls_rustls::RustlsConfig;
use rustls::ServerConfig;

/// Where certificate chain and key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// PEM, leaf first.
    pub certificate: PathBuf,
    /// PEM: PKCS#8, PKCS#1 or SEC1.
    pub key: PathBuf,
}

/// A certificate or key that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The files cannot be read, or do not belong together.
    #[error("certificate {certificate} with key {key}: {source}. Both are PEM files, the chain leaf first")]
    Unusable {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What is wrong.
        source: io::Error,
    },
    /// A certificate for trials could not be made.
    #[error("a self-signed certificate cannot be made: {0}")]
    NotMade(#[from] rcgen::Error),
    /// It could not be written.
    #[error("{path}: {source}")]
    NotWritten {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
}

impl Tls {
    /// A certificate for `names` in `directory`, made at the first call and used again later, so that phones that were told to trust it keep doing so.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn self_signed(directory: &Path, names: Vec<String>) -> Result<Self, TlsError> {
        let tls = Self { certificate: directory.join("self-signed.cert.pem"), key: directory.join("self-signed.key.pem") };
        if !tls.certificate.exists() || !tls.key.exists() {
            let made = rcgen::generate_simple_self_signed(names)?;
            write_private(&tls.key, &made.signing_key.serialize_pem())?;
            std::fs::write(&tls.certificate, made.cert.pem()).map_err(|source| TlsError::NotWritten { path: tls.certificate.clone(), source })?;
        }
        Ok(tls)
    }

    /// Reads both files.
    ///
    /// # Errors
    /// [`TlsError::Unusable`].
    pub async fn load(&self) -> Result<RustlsConfig, TlsError> {
        provide_crypto();
        let config = RustlsConfig::from_pem_file(&self.certificate, &self.key).await.map_err(|source| self.unusable(source))?;
        offer_http1_alone(&config);
        Ok(config)
    }

    /// Reads both files again, after they were renewed. What is in use stays in use when they do not fit.
    ///
    /// # Errors
    /// [`TlsError::Unusable`].
    pub async fn reload(&self, config: &RustlsConfig) -> Result<(), TlsError> {
        config.reload_from_pem_file(&self.certificate, &self.key).await.map_err(|source| self.unusable(source))?;
        offer_http1_alone(config);
        Ok(())
    }

    fn unusable(&self, source: io::Error) -> TlsError {
        TlsError::Unusable { certificate: self.certificate.clone(), key: self.key.clone(), source }
    }
}

/// What is served is HTTP/1.1 (`serve::lean`), and the handshake says so.
fn offer_http1_alone(config: &RustlsConfig) {
    let mut offered = ServerConfig::clone(&config.get_inner());
    offered.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.reload_from_config(Arc::new(offered));
}

/// rustls leaves the choice of its cryptography to the process. An earlier choice stays.
fn provide_crypto() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Writes a file that only this user may read, from its first byte on.
fn write_private(path: &Path, text: &str) -> Result<(), TlsError> {
    use std::io::Write;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).and_then(|mut file| file.write_all(text.as_bytes())).map_err(|source| TlsError::NotWritten { path: path.to_owned(), source })
}
