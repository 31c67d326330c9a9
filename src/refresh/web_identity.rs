//! The pod's own role: from the web identity token to credentials.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{DURATION_OF_EVERY_ROLE, RefreshError, Source};
use crate::claims::{self, Claims, ClaimsError};
use crate::clock::{Clock, rfc3339};
use crate::credentials::Credentials;
use crate::metrics::Metrics;
use crate::role::{RoleArn, SessionName};
use crate::secret::Secret;
use crate::store::{PodUid, Writer};
use crate::sts::{AssumeRoleWithWebIdentity, Exchange};
use crate::token::{self, Mount, TokenError, WebIdentityToken};
use crate::watch::FileWatch;

/// What to exchange for what.
#[derive(Debug, Clone)]
pub struct WebIdentityConfig {
    /// The projected token.
    pub token_file: PathBuf,
    /// What `aud` has to hold.
    pub audience: String,
    /// The role to assume.
    pub role: RoleArn,
    /// `None`: from the token.
    pub session_name: Option<SessionName>,
    /// How long sessions shall live.
    pub duration: Duration,
}

/// The token file, and what became of it.
pub struct WebIdentity<E> {
    config: WebIdentityConfig,
    exchange: E,
    clock: Clock,
    writer: Arc<Writer>,
    metrics: Arc<Metrics>,
    watch: FileWatch,
    /// Of the file that was looked at last; its content is not kept.
    fingerprint: Option<u64>,
    said_not_rotating: bool,
}

impl<E> WebIdentity<E> {
    /// Has read nothing yet. `writer` learns of the pod's UID.
    pub fn new(
        config: WebIdentityConfig,
        exchange: E,
        clock: Clock,
        writer: Arc<Writer>,
        metrics: Arc<Metrics>,
    ) -> Self {
        WebIdentity {
            watch: FileWatch::new(&config.token_file),
            config,
            exchange,
            clock,
            writer,
            metrics,
            fingerprint: None,
            said_not_rotating: false,
        }
    }
}

impl<E: Exchange + Send + Sync> Source for WebIdentity<E> {
    fn role(&self) -> &RoleArn {
        &self.config.role
    }

    async fn obtain(&mut self) -> Result<Credentials, RefreshError> {
        let (token, claims) = self.read_token().await?;
        self.check(&claims).await?;
        let derived;
        let session_name = match &self.config.session_name {
            Some(name) => name,
            None => {
                derived = SessionName::from_claims(&claims);
                &derived
            }
        };
        let mut request = AssumeRoleWithWebIdentity {
            token: &token,
            claims: &claims,
            role: &self.config.role,
            session_name,
            duration: self.config.duration,
        };
        match self.exchange.assume_role_with_web_identity(&request).await {
            Err(error)
                if error.is_about_duration() && request.duration > DURATION_OF_EVERY_ROLE =>
            {
                tracing::warn!(
                    %error,
                    duration = %humantime::format_duration(request.duration),
                    "the role allows only shorter sessions; asking for 1h from now on"
                );
                request.duration = DURATION_OF_EVERY_ROLE;
                let answer = self.exchange.assume_role_with_web_identity(&request).await;
                self.config.duration = DURATION_OF_EVERY_ROLE;
                Ok(answer?)
            }
            answer => Ok(answer?),
        }
    }

    async fn ask_time(&self) {
        self.exchange.ask_time().await;
    }

    async fn stirred(&mut self) {
        self.watch.changed().await;
    }

    /// Is it another token? What is wrong with it is for the attempt that follows to say.
    async fn changed(&mut self) -> bool {
        let before = self.fingerprint;
        let _ = self.read_token().await;
        before != self.fingerprint
    }
}

impl<E: Exchange> WebIdentity<E> {
    /// A node with a wrong clock must not lock itself out, nor one that was told a wrong time: where time decides, STS is
    /// asked for it first.
    async fn check(&self, claims: &Claims) -> Result<(), ClaimsError> {
        let verdict = claims.check(&self.config.audience, self.clock.now().wall);
        match verdict {
            Err(error) if error.is_about_time() => {
                self.exchange.ask_time().await;
                claims.check(&self.config.audience, self.clock.now().wall)
            }
            verdict => verdict,
        }
    }

    /// Reads the token afresh. What is new about it is told to whom it concerns.
    async fn read_token(&mut self) -> Result<(WebIdentityToken, Claims), RefreshError> {
        let token = token::read(&self.config.token_file).await;
        let before = self.fingerprint.replace(fingerprint(&token));
        let token = token?;
        let claims = claims::decode(&token)?;
        if before != self.fingerprint {
            tracing::info!(
                %claims,
                issued = claims.issued_at.map(rfc3339),
                expires = claims.expires_at.map(rfc3339),
                "{}",
                match before {
                    None => "read the web identity token",
                    Some(_) => "the web identity token was rotated",
                }
            );
            self.learn(&claims);
        }
        Ok((token, claims))
    }

    /// The store learns of the pod's UID, the metrics of the token's end, and the log of a mount that never rotates.
    fn learn(&mut self, claims: &Claims) {
        if token::mount(&self.config.token_file) == Mount::RegularFile && !self.said_not_rotating {
            let diagnosis = token::not_rotating(&self.config.token_file);
            tracing::warn!(finding = diagnosis.finding.id, "{diagnosis}");
            self.said_not_rotating = true;
        }
        let pod = claims
            .kubernetes
            .as_ref()
            .and_then(|kubernetes| kubernetes.pod.as_ref());
        self.writer.pod_uid(match pod {
            Some(pod) => PodUid::Known(Secret::new(pod.uid.clone())),
            None => PodUid::Absent,
        });
        self.metrics.token(claims.expires_at);
    }
}

/// Tells one token from another without keeping it, and one wrong file from the next.
fn fingerprint(read: &Result<WebIdentityToken, TokenError>) -> u64 {
    let mut hasher = DefaultHasher::new();
    match read {
        Ok(token) => token.expose().hash(&mut hasher),
        Err(error) => error.to_string().hash(&mut hasher),
    }
    hasher.finish()
}
