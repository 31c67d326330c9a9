//! Whose certificates are trusted. Checked at start: the HTTP client would take an empty store without a word and
//! panic on a broken certificate.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::regular_file;

/// The roots for connections to STS.
#[derive(Clone)]
pub enum Trust {
    /// The system's, of which there is at least one.
    System,
    /// These and no others.
    Bundle {
        /// PEM in which every certificate was proved to parse.
        pem: Vec<u8>,
        /// What they are called where one of them is missing.
        name: String,
    },
}

/// Why there is nothing to trust.
#[derive(Debug)]
pub enum TrustError {
    /// The bundle cannot be read.
    Unreadable(PathBuf, io::Error),
    /// A directory, a pipe or a device.
    NotAFile(PathBuf),
    /// No certificate in the bundle.
    Empty(PathBuf),
    /// A certificate of the bundle, counted from 1, that is none.
    Broken(PathBuf, usize),
    /// The system has no roots.
    NoSystemRoots,
}

/// Why certificates are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// There is not one.
    Empty,
    /// One that cannot be parsed, counted from 1.
    Broken(usize),
}

impl Trust {
    /// The bundle at `path`.
    pub fn bundle(path: &Path) -> Result<Self, TrustError> {
        let pem = regular_file::read(path)
            .map_err(|error| TrustError::Unreadable(path.to_owned(), error))?
            .ok_or_else(|| TrustError::NotAFile(path.to_owned()))?;
        let name = format!("the CA bundle {}", path.display());
        Trust::certificates(pem, name).map_err(|flaw| match flaw {
            Flaw::Empty => TrustError::Empty(path.to_owned()),
            Flaw::Broken(number) => TrustError::Broken(path.to_owned(), number),
        })
    }

    /// These certificates, in PEM, called so.
    pub fn certificates(pem: Vec<u8>, name: String) -> Result<Self, Flaw> {
        let mut roots = RootCertStore::empty();
        for (index, certificate) in CertificateDer::pem_slice_iter(&pem).enumerate() {
            let broken = || Flaw::Broken(index + 1);
            let certificate = certificate.map_err(|_| broken())?;
            roots.add(certificate).map_err(|_| broken())?;
        }
        match roots.is_empty() {
            true => Err(Flaw::Empty),
            false => Ok(Trust::Bundle { pem, name }),
        }
    }

    /// Whose roots these are, for sentences.
    pub fn name(&self) -> &str {
        match self {
            Trust::System => "the system's roots",
            Trust::Bundle { name, .. } => name,
        }
    }

    /// The system's roots.
    pub fn system() -> Result<Self, TrustError> {
        let found = rustls_native_certs::load_native_certs().certs;
        let mut roots = RootCertStore::empty();
        match roots.add_parsable_certificates(found) {
            (0, _) => Err(TrustError::NoSystemRoots),
            _ => Ok(Trust::System),
        }
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trust::System => f.write_str("System"),
            Trust::Bundle { pem, name } => write!(f, "Bundle({name}, {} bytes)", pem.len()),
        }
    }
}

impl fmt::Display for TrustError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TrustError::Unreadable(path, error) => write!(
                f,
                "{} cannot be read: {error}; expected a file of PEM certificates",
                path.display()
            ),
            TrustError::NotAFile(path) => write!(
                f,
                "{} is not a regular file; expected a file of PEM certificates",
                path.display()
            ),
            TrustError::Empty(path) => write!(
                f,
                "{} holds no certificate; expected at least one block -----BEGIN CERTIFICATE-----",
                path.display()
            ),
            TrustError::Broken(path, number) => write!(
                f,
                "certificate {number} in {} cannot be parsed; expected X.509 in PEM",
                path.display()
            ),
            TrustError::NoSystemRoots => f.write_str(
                "the system has no CA certificates, so no TLS connection to STS can be trusted; mount a CA bundle and name it here",
            ),
        }
    }
}

impl std::error::Error for TrustError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle(content: &str) -> Result<Trust, TrustError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        Trust::bundle(file.path())
    }

    #[test]
    fn a_bundle_without_certificates_is_an_error_not_an_empty_store() {
        assert!(matches!(bundle(""), Err(TrustError::Empty(_))));
        assert!(matches!(
            bundle("no certificate"),
            Err(TrustError::Empty(_))
        ));
        assert!(matches!(
            Trust::bundle(Path::new("/nonexistent")),
            Err(TrustError::Unreadable(..))
        ));
        assert!(matches!(
            Trust::bundle(Path::new("/dev/zero")),
            Err(TrustError::NotAFile(_))
        ));
    }

    #[test]
    fn a_broken_certificate_is_an_error_not_a_panic() {
        let broken = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
        assert!(matches!(bundle(broken), Err(TrustError::Broken(_, 1))));
        let cut = "-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n";
        assert!(matches!(bundle(cut), Err(TrustError::Broken(_, 1))));
    }
}
