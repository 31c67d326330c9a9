//! The cluster's OIDC issuer: signs service account tokens and publishes its keys.
//!
//! ES256, where clusters mostly sign RS256: STS accepts both, and ring can make P-256 keys.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD as BASE64URL};
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};

use crate::clock;
use crate::token_request::TokenRequest;

const ISS: &str = "https://oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE";

/// The issuer; clones are the same issuer.
#[derive(Clone)]
pub struct Issuer {
    keys: Arc<Mutex<Keys>>,
}

struct Keys {
    signing: SigningKey,
    /// The JWKS. Old keys stay, as the tokens that they signed still live.
    published: Vec<Value>,
}

impl Issuer {
    pub(crate) fn new() -> Self {
        let signing = SigningKey::generate();
        let published = vec![signing.jwk()];
        let keys = Arc::new(Mutex::new(Keys { signing, published }));
        Self { keys }
    }

    /// The `iss` of its tokens: the URL by which IAM knows it.
    pub fn iss(&self) -> &str {
        ISS
    }

    /// A signed token, issued by the machine's clock.
    pub fn token(&self, request: &TokenRequest) -> String {
        let claims = request.claims(self.iss(), clock::unix_now());
        self.keys().signing.sign(&claims)
    }

    /// Signs with a new key from now on. When it is not `published`, STS cannot verify what it
    /// signed: a cluster whose key rotation forgot the JWKS.
    pub fn rotate_keys(&self, published: bool) {
        let mut keys = self.keys();
        keys.signing = SigningKey::generate();
        if published {
            let jwk = keys.signing.jwk();
            keys.published.push(jwk);
        }
    }

    /// The key that signs now as PEM, the private half and then the public one: for whoever else has to issue tokens in
    /// its name, an API server say. Its `kid` is the one that Kubernetes gives it.
    pub fn signing_key_pem(&self) -> String {
        let keys = self.keys();
        let halves = [
            ("PRIVATE KEY", &keys.signing.pkcs8),
            ("PUBLIC KEY", &keys.signing.key_info()),
        ];
        let block = |(label, key): (&str, &Vec<u8>)| {
            let text = BASE64.encode(key);
            format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
        };
        halves.map(block).concat()
    }

    /// `/openid/v1/jwks`.
    pub(crate) fn jwks(&self) -> Value {
        json!({ "keys": self.keys().published })
    }

    /// `/.well-known/openid-configuration`.
    pub(crate) fn discovery(&self) -> Value {
        json!({
            "issuer": self.iss(),
            "jwks_uri": format!("{}/keys", self.iss()),
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        })
    }

    fn keys(&self) -> MutexGuard<'_, Keys> {
        self.keys
            .lock()
            .expect("nobody panics while holding the keys")
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer")
            .field("iss", &self.iss())
            .finish_non_exhaustive()
    }
}

/// What stands before the point of a P-256 key in a SubjectPublicKeyInfo (RFC 5480, section 2).
const P256_KEY_INFO: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

struct SigningKey {
    /// The digest of the public key's SubjectPublicKeyInfo, as Kubernetes makes it.
    kid: String,
    pkcs8: Vec<u8>,
    pair: EcdsaKeyPair,
}

impl SigningKey {
    fn generate() -> Self {
        let (algorithm, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("ring makes P-256 keys");
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random)
            .expect("ring reads the key that it wrote");
        let mut key = Self {
            kid: String::new(),
            pkcs8: pkcs8.as_ref().to_owned(),
            pair,
        };
        key.kid = BASE64URL.encode(digest(&SHA256, &key.key_info()));
        key
    }

    /// The public half's SubjectPublicKeyInfo.
    fn key_info(&self) -> Vec<u8> {
        [&P256_KEY_INFO[..], self.pair.public_key().as_ref()].concat()
    }

    fn jwk(&self) -> Value {
        // Uncompressed point: 0x04, then 32 bytes each of x and y.
        let (x, y) = self.pair.public_key().as_ref()[1..].split_at(32);
        json!({
            "use": "sig",
            "kty": "EC",
            "kid": self.kid,
            "crv": "P-256",
            "alg": "ES256",
            "x": BASE64URL.encode(x),
            "y": BASE64URL.encode(y),
        })
    }

    fn sign(&self, claims: &Value) -> String {
        let header = json!({ "alg": "ES256", "kid": self.kid });
        let part = |value: &Value| BASE64URL.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(claims));
        let signature = self
            .pair
            .sign(&SystemRandom::new(), signed.as_bytes())
            .expect("ring signs with the key that it made");
        format!("{signed}.{}", BASE64URL.encode(signature))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_in_pem_is_the_published_one_under_the_name_that_kubernetes_gives_it() {
        let issuer = Issuer::new();
        let pem = issuer.signing_key_pem();
        let blocks: Vec<_> = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let [private, public] = blocks[..] else {
            panic!("{pem}");
        };
        let jwk = &issuer.jwks()["keys"][0];
        let public = BASE64.decode(public).unwrap();
        assert_eq!(jwk["kid"], BASE64URL.encode(digest(&SHA256, &public)));
        let point = public.strip_prefix(&P256_KEY_INFO).unwrap();
        assert_eq!(jwk["x"], BASE64URL.encode(&point[1..33]));
        let private = BASE64.decode(private).unwrap();
        let (algorithm, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, &private, &random).unwrap();
        assert_eq!(pair.public_key().as_ref(), point);
    }
}
