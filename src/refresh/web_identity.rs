//! The pod's own role: from the web identity token to credentials.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::annotated_role::AnnotatedRole;
use super::{Change, DURATION_OF_EVERY_ROLE, RefreshError, Source};
use crate::claims::{self, Claims, ClaimsError, Rotation};
use crate::clock::{Clock, rfc3339};
use crate::credentials::Credentials;
use crate::diagnosis::Remedy;
use crate::metrics::Metrics;
use crate::role::{RoleArn, SessionName};
use crate::secret::Secret;
use crate::service_account::{AnnotationsConfig, Api, KubernetesApi};
use crate::store::{PodUid, Writer};
use crate::sts::{AssumeRoleWithWebIdentity, Exchange, StsError};
use crate::token::{self, Mount, Seen, TokenError, WebIdentityToken};
use crate::watch::FileWatch;

/// What to exchange for what.
#[derive(Debug, Clone)]
pub struct WebIdentityConfig {
    /// The projected token.
    pub token_file: PathBuf,
    /// What `aud` has to hold, unless an annotation says otherwise.
    pub audience: String,
    /// The role to assume.
    pub role: RoleFrom,
    /// `None`: from the token.
    pub session_name: Option<SessionName>,
    /// How long sessions shall live.
    pub duration: Duration,
}

/// Who names the role.
#[derive(Debug, Clone)]
pub enum RoleFrom {
    /// A setting.
    Setting(RoleArn),
    /// An annotation of the pod's service account.
    Annotation(AnnotationsConfig),
}

/// The role as it stands.
enum Role<A> {
    Fixed(RoleArn),
    Annotated(Box<AnnotatedRole<A>>),
}

/// The token file, and what became of it.
pub struct WebIdentity<E, A = KubernetesApi> {
    config: WebIdentityConfig,
    role: Role<A>,
    exchange: E,
    clock: Clock,
    writer: Arc<Writer>,
    metrics: Arc<Metrics>,
    watch: FileWatch,
    /// Of the file that was looked at last; its content is not kept.
    fingerprint: Option<u64>,
    /// The role that refused longer sessions.
    an_hour_only: Option<RoleArn>,
    said_not_rotating: bool,
    said_blanks: bool,
    said_late: bool,
}

impl<E, A: Api + Sync> WebIdentity<E, A> {
    /// Has read nothing yet. `api` is asked only where an annotation names the role; `writer` learns of the pod's UID.
    pub fn new(
        config: WebIdentityConfig,
        api: A,
        exchange: E,
        clock: Clock,
        writer: Arc<Writer>,
        metrics: Arc<Metrics>,
    ) -> Self {
        WebIdentity {
            watch: FileWatch::new(&config.token_file),
            role: match &config.role {
                RoleFrom::Setting(role) => Role::Fixed(role.clone()),
                RoleFrom::Annotation(annotations) => {
                    Role::Annotated(Box::new(AnnotatedRole::new(annotations.clone(), api)))
                }
            },
            config,
            exchange,
            clock,
            writer,
            metrics,
            fingerprint: None,
            an_hour_only: None,
            said_not_rotating: false,
            said_blanks: false,
            said_late: false,
        }
    }
}

impl<E: Exchange + Send + Sync, A: Api + Send + Sync> Source for WebIdentity<E, A> {
    fn role(&self) -> Option<&RoleArn> {
        match &self.role {
            Role::Fixed(role) => Some(role),
            Role::Annotated(role) => role.role(),
        }
    }

    async fn obtain(&mut self) -> Result<Credentials, RefreshError> {
        let (token, claims) = self.read_token().await?;
        let role = match &mut self.role {
            Role::Fixed(role) => role.clone(),
            Role::Annotated(role) => role.settle(&claims).await?,
        };
        let obtained = self.exchange(&token, &claims, &role).await;
        if let Role::Annotated(role) = &mut self.role {
            match &obtained {
                Ok(_) => role.exchanged(),
                Err(error) if error.remedy() != Remedy::Wait => role.doubt(),
                Err(_) => {}
            }
        }
        obtained
    }

    async fn ask_time(&self) {
        self.exchange.ask_time().await;
    }

    async fn stirred(&mut self) {
        match &self.role {
            Role::Fixed(_) => self.watch.changed().await,
            Role::Annotated(role) => tokio::select! {
                () = self.watch.changed() => {}
                () = role.until_due() => {}
            },
        }
    }

    /// Is it another token, or another role? What is wrong with either is for the attempt that follows to say.
    async fn changed(&mut self) -> Change {
        let before = self.fingerprint;
        let read = self.read_token().await;
        let another = before != self.fingerprint;
        if let Role::Annotated(role) = &mut self.role
            && (another || role.is_due())
        {
            role.put_off();
            if let Ok((_, claims)) = read
                && role.read_again(&claims).await
            {
                return Change::Anew;
            }
        }
        match another {
            true => Change::Retry,
            false => Change::None,
        }
    }
}

impl<E: Exchange, A: Api + Sync> WebIdentity<E, A> {
    async fn exchange(
        &mut self,
        token: &WebIdentityToken,
        claims: &Claims,
        role: &RoleArn,
    ) -> Result<Credentials, RefreshError> {
        self.check(claims).await?;
        let derived;
        let session_name = match &self.config.session_name {
            Some(name) => name,
            None => {
                derived = SessionName::from_claims(claims);
                &derived
            }
        };
        let an_hour_only = self.an_hour_only.as_ref() == Some(role);
        let request = AssumeRoleWithWebIdentity {
            token,
            claims,
            role,
            session_name,
            duration: match an_hour_only {
                true => DURATION_OF_EVERY_ROLE,
                false => self.config.duration,
            },
        };
        let answered = ask(&self.exchange, request).await;
        if let Some(error) = answered.too_long {
            tracing::warn!(
                %error,
                finding = error.diagnosis().finding.id,
                duration = %humantime::format_duration(self.config.duration),
                "the role allows only shorter sessions; asking for 1h from now on"
            );
            self.an_hour_only = Some(role.clone());
        }
        Ok(answered.outcome?)
    }

    /// A node with a wrong clock must not lock itself out, nor one that was told a wrong time: where time decides, STS is
    /// asked for it first.
    async fn check(&self, claims: &Claims) -> Result<(), ClaimsError> {
        let annotated = match &self.role {
            Role::Fixed(_) => None,
            Role::Annotated(role) => role.audience(),
        };
        let audience = annotated.unwrap_or(&self.config.audience);
        let verdict = claims.check(audience, self.clock.now().wall);
        match verdict {
            Err(error) if error.is_about_time() => {
                self.exchange.ask_time().await;
                claims.check(audience, self.clock.now().wall)
            }
            verdict => verdict,
        }
    }

    /// Reads the token afresh. What is new about it is told to whom it concerns.
    async fn read_token(&mut self) -> Result<(WebIdentityToken, Claims), RefreshError> {
        let seen = token::see(&self.config.token_file).await;
        let before = self.fingerprint.replace(fingerprint(&seen));
        let Seen { token, around, .. } = seen?;
        self.notice_blanks(around);
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
        self.notice_rotation(&claims);
        Ok((token, claims))
    }

    /// One line per transition.
    fn notice_blanks(&mut self, around: (usize, usize)) {
        let are_there = around != (0, 0);
        if are_there && !self.said_blanks {
            let diagnosis = token::blanks(&self.config.token_file, around);
            tracing::warn!(finding = diagnosis.finding.id, "{diagnosis}");
        }
        self.said_blanks = are_there;
    }

    /// One line per transition. What never rotates was said to be so, and a clock that nobody has corrected cannot tell.
    fn notice_rotation(&mut self, claims: &Claims) {
        let can_tell = self.clock.offset_millis().is_some() && !self.said_not_rotating;
        let late = match claims.rotation(self.clock.now().wall) {
            Rotation::Late(diagnosis) if can_tell => Some(diagnosis),
            _ => None,
        };
        if let Some(diagnosis) = late.as_ref().filter(|_| !self.said_late) {
            tracing::warn!(finding = diagnosis.finding.id, "{diagnosis}");
        }
        self.said_late = late.is_some();
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

/// What STS answered.
#[derive(Debug)]
pub struct Answered {
    /// Credentials, or the last refusal.
    pub outcome: Result<Credentials, StsError>,
    /// The first refusal, where it was about the duration and an hour was asked for instead.
    pub too_long: Option<StsError>,
}

/// Where the role allows only shorter sessions it is asked for the hour that every role allows.
pub async fn ask(exchange: &impl Exchange, mut request: AssumeRoleWithWebIdentity<'_>) -> Answered {
    match exchange.assume_role_with_web_identity(&request).await {
        Err(error) if error.is_about_duration() && request.duration > DURATION_OF_EVERY_ROLE => {
            request.duration = DURATION_OF_EVERY_ROLE;
            Answered {
                outcome: exchange.assume_role_with_web_identity(&request).await,
                too_long: Some(error),
            }
        }
        outcome => Answered {
            outcome,
            too_long: None,
        },
    }
}

/// Tells one token from another without keeping it, and one wrong file from the next.
fn fingerprint(read: &Result<Seen, TokenError>) -> u64 {
    let mut hasher = DefaultHasher::new();
    match read {
        Ok(seen) => seen.token.expose().hash(&mut hasher),
        Err(error) => error.to_string().hash(&mut hasher),
    }
    hasher.finish()
}
