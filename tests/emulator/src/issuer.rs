//! The cluster's OIDC issuer: signs service account tokens and publishes its keys.
//!
//! ES256, where clusters mostly sign RS256: STS accepts both, and ring can make P-256 keys.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
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

struct SigningKey {
    kid: String,
    pair: EcdsaKeyPair,
}

impl SigningKey {
    fn generate() -> Self {
        let (algorithm, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("ring makes P-256 keys");
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random)
            .expect("ring reads the key that it wrote");
        let kid = BASE64URL.encode(digest(&SHA256, pair.public_key().as_ref()));
        Self { kid, pair }
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
