//! A certificate authority of the emulator's own, and TLS for loopback and for the names that STS and EKS
//! have in AWS, so that a proxy can lead a client here that knows nothing of loopback.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

/// What a server needs, and what its clients have to trust.
pub(crate) struct Certificate {
    pub(crate) acceptor: TlsAcceptor,
    pub(crate) ca_pem: String,
}

impl Certificate {
    /// A new CA each time, so that no client trusts it by accident.
    pub(crate) fn generate() -> Self {
        let ca = CertifiedIssuer::self_signed(ca_params(), key()).expect("a CA signs itself");
        let server_key = key();
        let certificate = server_params()
            .signed_by(&server_key, &ca)
            .expect("a CA signs for the names of loopback");
        let private_key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(server_key.serialize_der()));
        // Named, not the process default: the program around us may have chosen another.
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring knows TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private_key)
            .expect("the key is that of the certificate");
        Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            ca_pem: ca.pem(),
        }
    }
}

fn key() -> KeyPair {
    KeyPair::generate().expect("ring makes P-256 keys")
}

fn ca_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, "emulator CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// A wildcard stands for one label, hence a few names instead of one. The global endpoint is not among them: nothing
/// may end up there.
const NAMES: [&str; 13] = [
    "localhost",
    "127.0.0.1",
    "::1",
    "sts.eu-west-1.amazonaws.com",
    "sts.us-east-1.amazonaws.com",
    "sts-fips.us-east-1.amazonaws.com",
    "sts.eu-west-1.api.aws",
    "sts-fips.us-east-1.api.aws",
    "sts.cn-north-1.amazonaws.com.cn",
    "sts.us-gov-west-1.amazonaws.com",
    "sts.us-west-2.amazonaws.com",
    "eks.eu-west-1.amazonaws.com",
    "eks.us-west-2.amazonaws.com",
];

fn server_params() -> CertificateParams {
    let mut params =
        CertificateParams::new(NAMES.map(str::to_owned)).expect("the names are well-formed");
    params
        .distinguished_name
        .push(DnType::CommonName, "localhost");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // Python from 3.13 on refuses a certificate without it.
    params.use_authority_key_identifier_extension = true;
    params
}
