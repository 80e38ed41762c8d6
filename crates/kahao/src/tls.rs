//! TLS: what the service trusts, and the certificate that it shows, if it speaks TLS itself: read at the start, and anew on SIGHUP. A faulty new one
//! is never used: the one before it stays. TLS 1.2 and 1.3 by rustls, which has no older ones and no weak suites.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

/// Settings of TLS.
#[derive(Debug, Clone, Default, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "TLS")]
pub(crate) struct Config {
    /// PEM file with the certificate to show and those between it and its root: the service then speaks TLS on --listen, and
    /// nothing else. Read anew on SIGHUP
    #[arg(long, env = "KAHAO_TLS_CERT", value_name = "FILE")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// PEM file with the private key of --tls-cert
    #[arg(long, env = "KAHAO_TLS_KEY", value_name = "FILE")]
    pub(crate) tls_key: Option<PathBuf>,
}

/// Why a certificate cannot be used. Tells files, never what is in them.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("--tls-cert and --tls-key belong together: give both or none")]
    OneOfTwo,
    #[error("{file} cannot be read: {cause}")]
    Io { file: PathBuf, cause: std::io::Error },
    #[error("{file} has no {what} in PEM format")]
    Pem { file: PathBuf, what: &'static str },
    #[error("the certificate in {cert} and the key in {key} cannot be used together: {cause}")]
    Unusable { cert: PathBuf, key: PathBuf, cause: rustls::Error },
}

/// A certificate that can be replaced under those who show it.
pub(crate) struct Tls {
    cert: PathBuf,
    key: PathBuf,
    current: RwLock<Arc<ServerConfig>>,
}

impl Tls {
    /// The certificate that the settings name; `None` where they name none.
    pub(crate) fn load(config: &Config) -> Result<Option<Self>, TlsError> {
        let (cert, key) = match (&config.tls_cert, &config.tls_key) {
            (None, None) => return Ok(None),
            (Some(cert), Some(key)) => (cert.clone(), key.clone()),
            _ => return Err(TlsError::OneOfTwo),
        };
        let current = RwLock::new(Arc::new(read(&cert, &key)?));
        Ok(Some(Self { cert, key, current }))
    }

    /// Reads the files anew and logs what came of it. Open connections keep the certificate they began with.
    pub(crate) fn reload(&self) {
        match read(&self.cert, &self.key) {
            Ok(config) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
                tracing::info!("TLS certificate read anew");
            }
            Err(error) => {
                tracing::error!(%error, "TLS certificate not usable: the one before it stays in use")
            }
        }
    }

    /// Shakes hands with the certificate as it is now.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)).into()
    }
}

/// For connections of our own: the roots are inside the binary, so that a container needs no certificate files.
pub(crate) fn client_config() -> Result<ClientConfig, rustls::Error> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    Ok(builder.with_safe_default_protocol_versions()?.with_root_certificates(roots).with_no_client_auth())
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("cert", &self.cert).field("key", &self.key).finish_non_exhaustive()
    }
}

fn read(cert: &Path, key: &Path) -> Result<ServerConfig, TlsError> {
    let fault = |file: &Path, what: &'static str, error: pem::Error| match error {
        pem::Error::Io(cause) => TlsError::Io { file: file.to_owned(), cause },
        _ => TlsError::Pem { file: file.to_owned(), what },
    };
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(cert).and_then(|certificates| certificates.collect());
    let chain = chain.map_err(|error| fault(cert, "certificate", error))?;
    if chain.is_empty() {
        return Err(TlsError::Pem { file: cert.to_owned(), what: "certificate" });
    }
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| fault(key, "private key", error))?;
    let unusable = |cause| TlsError::Unusable { cert: cert.to_owned(), key: key.to_owned(), cause };
    let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, secret))
        .map_err(unusable)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
        let file = folder.join(name);
        std::fs::write(&file, text).unwrap();
        file
    }

    fn load(cert: Option<&PathBuf>, key: Option<&PathBuf>) -> Result<Option<Tls>, TlsError> {
        Tls::load(&Config { tls_cert: cert.cloned(), tls_key: key.cloned() })
    }

    #[test]
    fn faults_are_told_apart_and_show_no_key() {
        let folder = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let cert = write(folder.path(), "cert.pem", &made.cert.pem());
        let key = write(folder.path(), "key.pem", &made.signing_key.serialize_pem());
        let other_key = write(folder.path(), "other.pem", &other.signing_key.serialize_pem());
        let empty = write(folder.path(), "empty.pem", "");
        let missing = folder.path().join("missing.pem");
        assert!(load(None, None).unwrap().is_none());
        assert!(load(Some(&cert), Some(&key)).unwrap().is_some());
        for (cert, key, part) in [
            (Some(&cert), None, "belong together"),
            (None, Some(&key), "belong together"),
            (Some(&missing), Some(&key), "missing.pem cannot be read"),
            (Some(&cert), Some(&missing), "missing.pem cannot be read"),
            (Some(&empty), Some(&key), "empty.pem has no certificate"),
            (Some(&key), Some(&key), "key.pem has no certificate"),
            (Some(&cert), Some(&cert), "cert.pem has no private key"),
            (Some(&cert), Some(&other_key), "cannot be used together"),
        ] {
            let said = load(cert, key).unwrap_err().to_string();
            assert!(said.contains(part), "{part}: {said}");
            assert!(!said.contains("BEGIN"), "{said}");
        }
    }

    #[test]
    fn a_bad_new_file_leaves_the_old_certificate_in_use() {
        let folder = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let cert = write(folder.path(), "cert.pem", &made.cert.pem());
        let key = write(folder.path(), "key.pem", &made.signing_key.serialize_pem());
        let tls = load(Some(&cert), Some(&key)).unwrap().unwrap();
        let before = Arc::clone(&tls.current.read().unwrap());
        std::fs::write(&cert, "rubbish").unwrap();
        tls.reload();
        assert!(Arc::ptr_eq(&before, &tls.current.read().unwrap()));
        std::fs::write(&cert, made.cert.pem()).unwrap();
        tls.reload();
        assert!(!Arc::ptr_eq(&before, &tls.current.read().unwrap()));
    }
}
