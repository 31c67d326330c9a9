//! What a token holds, and whether a cluster would take it: the rules of aws-iam-authenticator, in its order and with its
//! words, as far as they need neither STS nor the cluster.
//!
//! Pure. The signature and the session token are never shown; the access key id is, as it is no secret.

mod base64;
mod host;
mod quote;
mod shown;
#[cfg(test)]
mod tests;
mod time;
mod url;
mod violation;
mod warnings;

use std::borrow::Cow;
use std::num::{IntErrorKind, ParseIntError};
use std::time::{Duration, SystemTime};

use zeroize::Zeroizing;

use self::quote::quote;
use self::url::{Parameters, Url};
use crate::eks_token::{LONGEST, PREFIX};
use crate::partition::Region;
use crate::secret::Secret;

pub use violation::{Rule, Violation};

/// The header that binds a token to a cluster.
pub const CLUSTER_HEADER: &str = "x-k8s-aws-id";

/// How long after its signature the verifier takes a token.
const LIFE: Duration = Duration::from_secs(15 * 60);

/// Parameters that may be there, in lower case.
const ALLOWED: &[&str] = &[
    "action",
    "version",
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-expires",
    "x-amz-security-token",
    "x-amz-signature",
    "x-amz-signedheaders",
];

/// What could be read out of a token, and the verdict.
#[derive(Debug)]
pub struct Inspection {
    /// Bytes of the whole token.
    pub size: usize,
    /// Where the cluster would send it. Like all names here to the end of what a name can be.
    pub host: Option<String>,
    /// The region in the host's name; `global` where it has none.
    pub region: Option<String>,
    /// The region that it is signed for.
    pub scope_region: Option<String>,
    /// CloudTrail can be searched for it.
    pub access_key_id: Option<String>,
    /// X-Amz-Date.
    pub signed_at: Option<SystemTime>,
    /// X-Amz-SignedHeaders; `None` where there is no such parameter, or the query could not be read.
    pub signed_headers: Option<Vec<String>>,
    /// Characters of the session token; `None` where there is none.
    pub session_token_length: Option<usize>,
    /// The first rule that it breaks.
    pub verdict: Result<(), Violation>,
    /// What passes these rules and will not do all the same.
    pub warnings: Vec<String>,
    now: SystemTime,
    /// The host, whole.
    authority: Secret,
    /// Path and query.
    target: Secret,
}

/// Judges `token` as a cluster in `cluster_region` would at `now`. Without a region the cluster is taken to be in the
/// partition that the token is for.
pub fn inspect(token: &str, now: SystemTime, cluster_region: Option<&Region>) -> Inspection {
    let url = decode(token);
    let parameters = url.as_ref().ok().and_then(Url::parameters);
    let verdict = judge(token, &url, parameters.as_ref(), now, cluster_region);
    let readable = parameters.is_some();
    let parameters = parameters.unwrap_or_default();
    let owned = |name| text_of(&parameters, name).map(Cow::into_owned);
    let credential = owned("X-Amz-Credential").unwrap_or_default();
    let field = |place| {
        credential
            .split('/')
            .nth(place)
            .filter(|field| !field.is_empty())
    };
    let session_token = text_of(&parameters, "X-Amz-Security-Token");
    let headers = owned("X-Amz-SignedHeaders");
    let host = url.as_ref().map_or("", |url| url.host.as_str());
    let query = url.as_ref().map_or("", |url| url.raw_query.as_str());
    let mut inspection = Inspection {
        size: token.len(),
        region: host::region_in(host).ok().map(shown::name),
        host: (!host.is_empty()).then(|| shown::name(host)),
        scope_region: field(2).map(shown::name),
        access_key_id: field(0).map(shown::key_id),
        signed_at: owned("X-Amz-Date").and_then(|date| Some(time::parse(&date).ok()?.0)),
        signed_headers: headers.map(|headers| {
            let named = headers.split(';').filter(|header| !header.is_empty());
            named.map(shown::name).collect()
        }),
        session_token_length: session_token.map(|token| token.chars().count()),
        verdict,
        warnings: Vec::new(),
        now,
        authority: Secret::new(host.to_owned()),
        target: Secret::new(format!("/?{query}")),
    };
    if readable && inspection.is_presigned() {
        inspection.warnings = warnings::warnings(&inspection, &parameters, cluster_region);
    }
    inspection
}

impl Inspection {
    /// Whether the cluster's name is part of what is signed; `None` where that cannot be told.
    pub fn signs_cluster_header(&self) -> Option<bool> {
        let headers = self.signed_headers.as_ref()?;
        Some(signs_cluster_header(headers.iter().map(String::as_str)))
    }

    /// Whether it is a presigned request at all, so that what it lacks is worth a word.
    pub fn is_presigned(&self) -> bool {
        self.signed_headers.is_some() || self.access_key_id.is_some()
    }

    /// The host that may be asked for the time: the token's own, where no rule is broken but perhaps the one that the
    /// clock decides.
    pub fn clock_host(&self) -> Option<&str> {
        let is_sound = match &self.verdict {
            Ok(()) => true,
            Err(violation) => violation.rule == Rule::Age,
        };
        is_sound.then(|| self.authority.expose())
    }

    /// Since the signature; `None` without X-Amz-Date, zero where it is ahead.
    pub fn age(&self) -> Option<Duration> {
        let since = |signed_at| self.now.duration_since(signed_at).unwrap_or_default();
        self.signed_at.map(since)
    }

    /// How far in the future it was signed, if it was.
    pub fn ahead(&self) -> Option<Duration> {
        let ahead = self.signed_at?.duration_since(self.now).ok()?;
        (!ahead.is_zero()).then_some(ahead)
    }

    /// What is left of the 15 minutes.
    pub fn remaining(&self) -> Duration {
        let age = self.age().unwrap_or(LIFE);
        (LIFE + self.ahead().unwrap_or_default()).saturating_sub(age)
    }

    /// Host, path and query of the request that the cluster would send, with [`CLUSTER_HEADER`] and `accept:
    /// application/json`. Only for a token that breaks no rule: nothing else may leave the pod.
    pub fn request(&self) -> Option<(&str, &Secret)> {
        let sound = self.verdict.is_ok();
        sound.then(|| (self.authority.expose(), &self.target))
    }
}

/// Rules 2 to 4: from text to a URL.
fn decode(token: &str) -> Result<Url, Violation> {
    let encoded = token.strip_prefix(PREFIX).ok_or_else(|| {
        let text = format!("token is missing expected \"{PREFIX}\" prefix");
        Violation::new(Rule::Prefix, text)
    })?;
    let bytes = base64::decode(encoded.as_bytes()).map_err(|offset| {
        let text = format!("illegal base64 data at input byte {offset}");
        Violation::new(Rule::Encoding, text)
    })?;
    let text = Zeroizing::new(String::from_utf8_lossy(&Zeroizing::new(bytes)).into_owned());
    // Go shows the URL here, with all that is secret in it.
    Url::parse(&text)
        .map_err(|reason| Violation::new(Rule::Url, format!("parse \"[the URL]\": {reason}")))
}

/// The rules in the verifier's order.
fn judge(
    token: &str,
    url: &Result<Url, Violation>,
    parameters: Option<&Parameters>,
    now: SystemTime,
    cluster_region: Option<&Region>,
) -> Result<(), Violation> {
    let refuse = |rule, text: &str| Err(Violation::new(rule, text));
    if token.len() > LONGEST {
        return refuse(Rule::Size, "token is too large");
    }
    let url = url.as_ref().map_err(Clone::clone)?;
    if url.scheme != "https" {
        let text = format!(
            "unexpected scheme {} in pre-signed URL",
            quote(shown::name(&url.scheme).as_bytes())
        );
        return refuse(Rule::Scheme, &text);
    }
    host::check(&url.host, cluster_region)?;
    if !url.is_root {
        return refuse(Rule::Path, "unexpected path in pre-signed URL");
    }
    let Some(parameters) = parameters else {
        return refuse(Rule::Query, "malformed query parameter");
    };
    judge_names(parameters)?;
    let value = |name| text_of(parameters, name).unwrap_or_default();
    if value("Action") != "GetCallerIdentity" {
        return refuse(
            Rule::Action,
            "unexpected action parameter in pre-signed URL",
        );
    }
    if !signs_cluster_header(value("X-Amz-SignedHeaders").split(';')) {
        let text = format!("client did not sign the {CLUSTER_HEADER} header in the pre-signed URL");
        return refuse(Rule::SignedHeaders, &text);
    }
    judge_expires(&value("X-Amz-Expires"))?;
    judge_date(&value("X-Amz-Date"), now)
}

/// Go walks the parameters in no order; here the first that is wrong counts.
fn judge_names(parameters: &Parameters) -> Result<(), Violation> {
    let lower = |key: &[u8]| String::from_utf8_lossy(key).to_lowercase();
    for (place, (key, _)) in parameters.iter().enumerate() {
        let same = |(other, _): &&(Vec<u8>, _)| other != key && lower(other) == lower(key);
        if parameters[place..].iter().any(|one| same(&one)) {
            let text = format!("duplicate query parameter found: {}", name(key));
            return Err(Violation::new(Rule::Once, text));
        }
    }
    for (place, (key, _)) in parameters.iter().enumerate() {
        if !ALLOWED.contains(&lower(key).as_str()) {
            let text = format!("non-whitelisted query parameter {}", name(key));
            return Err(Violation::new(Rule::Allowed, text));
        }
        if parameters[..place].iter().any(|(other, _)| other == key) {
            let text = "query parameter with multiple values not supported";
            return Err(Violation::new(Rule::Once, text));
        }
    }
    Ok(())
}

/// A parameter's name as the verifier quotes it. A query that was encoded twice is one long name, with all that is secret
/// in it: of that only the beginning is shown.
fn name(key: &[u8]) -> String {
    let end = key.iter().position(|byte| b"=&".contains(byte));
    quote(&key[..end.map_or(key.len(), |end| end + 1)])
}

fn judge_expires(text: &str) -> Result<(), Violation> {
    // Go's Atoi gives 0 for what is no number, and the nearest number for what is too long for one.
    let nearest = |error: ParseIntError| match error.kind() {
        IntErrorKind::PosOverflow => i64::MAX,
        IntErrorKind::NegOverflow => i64::MIN,
        _ => 0,
    };
    let shown = match text.parse::<i64>() {
        Ok(seconds) if (0..=900).contains(&seconds) => return Ok(()),
        Ok(seconds) => seconds,
        Err(error) => nearest(error),
    };
    let text = format!("invalid X-Amz-Expires parameter in pre-signed URL: {shown}");
    Err(Violation::new(Rule::Expires, text))
}

fn judge_date(text: &str, now: SystemTime) -> Result<(), Violation> {
    if text.is_empty() {
        let text = "X-Amz-Date parameter must be present in pre-signed URL";
        return Err(Violation::new(Rule::Date, text));
    }
    let (signed_at, shown) = time::parse(text).map_err(|reason| {
        let layout = time::LAYOUT;
        let text =
            format!("error parsing X-Amz-Date parameter {text} into format {layout}: {reason}");
        Violation::new(Rule::Date, text)
    })?;
    if now > signed_at + LIFE {
        let text = format!("X-Amz-Date parameter is expired (15 minute expiration) {shown}");
        return Err(Violation::new(Rule::Age, text));
    }
    Ok(())
}

fn signs_cluster_header<'a>(mut headers: impl Iterator<Item = &'a str>) -> bool {
    headers.any(|header| header.eq_ignore_ascii_case(CLUSTER_HEADER))
}

/// The value of the first parameter of that name, in whatever case.
fn text_of<'a>(parameters: &'a Parameters, name: &str) -> Option<Cow<'a, str>> {
    let named = |(key, _): &&(Vec<u8>, _)| key.eq_ignore_ascii_case(name.as_bytes());
    let (_, value) = parameters.iter().find(named)?;
    Some(String::from_utf8_lossy(value))
}
