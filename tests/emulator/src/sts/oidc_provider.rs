//! IAM OIDC providers: the issuers that IAM trusts, each with the audiences that it takes.

use super::State;
use super::id_token::claims_of;

/// The same in every account.
#[derive(Clone, Debug)]
pub(super) struct OidcProvider {
    /// Exactly the `iss` of its tokens.
    pub(super) url: String,
    /// Audiences that a token may have.
    pub(super) client_ids: Vec<String>,
}

impl OidcProvider {
    pub(super) fn new(url: &str, client_ids: &[&str]) -> Self {
        Self {
            url: url.to_owned(),
            client_ids: client_ids.iter().map(|&id| id.to_owned()).collect(),
        }
    }
}

impl State {
    /// The one that a token says it is of. For any other token one that will not have it.
    pub(super) fn oidc_provider(&self, token: &str) -> OidcProvider {
        let claims = claims_of(token).unwrap_or_default();
        let mut providers = self.oidc_providers.iter();
        let named = providers.find(|provider| claims["iss"] == provider.url.as_str());
        let fallback = || OidcProvider::new("https://no-provider.example", &[]);
        named.cloned().unwrap_or_else(fallback)
    }
}
