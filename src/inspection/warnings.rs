//! What the verifier lets pass and STS, or an older verifier, does not.

use std::time::Duration;

use super::{CLUSTER_HEADER, Inspection, shown, text_of, url::Parameters};
use crate::diagnosis::quote;
use crate::partition::Region;

/// STS takes a signature from as far in the future.
const TOLERATED_AHEAD: Duration = Duration::from_secs(5 * 60);

/// All that can be told without asking STS.
pub(super) fn warnings(
    inspection: &Inspection,
    parameters: &Parameters,
    cluster_region: Option<&Region>,
) -> Vec<String> {
    let mut found = Vec::new();
    let mut warn = |text: String| found.push(text);
    if let Some(ahead) = inspection.ahead().filter(|ahead| *ahead > TOLERATED_AHEAD) {
        warn(format!(
            "it is signed {} s in the future, and STS takes 300: set the clock of the machine that signed it",
            ahead.as_secs()
        ));
    }
    for name in [
        "Version",
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Signature",
    ] {
        if text_of(parameters, name).is_none_or(|value| value.is_empty()) {
            warn(format!("STS refuses a request without {name}"));
        }
    }
    let headers = inspection.signed_headers.as_deref().unwrap_or_default();
    if !headers.is_empty() {
        let signed = |name: &str| {
            headers
                .iter()
                .any(|header| header.eq_ignore_ascii_case(name))
        };
        if !signed("host") {
            warn("the header host is not signed, which STS asks for".into());
        }
        let sent = |name: &&String| {
            !["host", CLUSTER_HEADER]
                .iter()
                .any(|one| one.eq_ignore_ascii_case(name))
        };
        for header in headers.iter().filter(sent) {
            warn(format!(
                "the header {} is signed, and the cluster does not send it as it was: STS will find that the signature does not match",
                quote(header)
            ));
        }
    }
    warn_of_scope(inspection, parameters, &mut warn);
    warn_of_session_token(inspection, parameters, &mut warn);
    warn_of_older_verifiers(inspection, &mut warn);
    warn_of_another_region(inspection, cluster_region, &mut warn);
    found
}

fn warn_of_scope(inspection: &Inspection, parameters: &Parameters, warn: &mut impl FnMut(String)) {
    let Some(credential) = text_of(parameters, "X-Amz-Credential").filter(|text| !text.is_empty())
    else {
        return;
    };
    let fields: Vec<&str> = credential.split('/').collect();
    let [_, day, region, "sts", "aws4_request"] = fields[..] else {
        warn("X-Amz-Credential is not KEY/DAY/REGION/sts/aws4_request".into());
        return;
    };
    let date = text_of(parameters, "X-Amz-Date").unwrap_or_default();
    if !date.starts_with(day) {
        warn(format!(
            "it is signed for the day {}, which is not that of X-Amz-Date",
            quote(&shown::name(day))
        ));
    }
    let expected = match inspection.region.as_deref() {
        Some("global") => "us-east-1",
        Some(region) => region,
        None => return,
    };
    if region != expected {
        warn(format!(
            "it is signed for the region {}, and its host is that of {}: STS takes only credentials that are scoped to a valid region",
            quote(&shown::name(region)),
            quote(expected)
        ));
    }
}

fn warn_of_session_token(
    inspection: &Inspection,
    parameters: &Parameters,
    warn: &mut impl FnMut(String),
) {
    let token = text_of(parameters, "X-Amz-Security-Token").unwrap_or_default();
    let key_id = inspection.access_key_id.as_deref().unwrap_or_default();
    if key_id.starts_with("ASIA") && token.is_empty() {
        warn("an access key that begins with ASIA is of no use without its session token, which is not there".into());
    }
    if token.contains(' ') {
        warn("the session token has a blank in it: a + was not encoded as %2B".into());
    }
}

/// Nobody can see which verifier a cluster runs.
fn warn_of_older_verifiers(inspection: &Inspection, warn: &mut impl FnMut(String)) {
    let (Some(host), Some(region)) = (&inspection.host, &inspection.region) else {
        return;
    };
    if inspection.verdict.is_err() || region == "global" {
        return;
    }
    match region.parse::<Region>() {
        Err(_) => warn(format!(
            "verifiers before 0.7.5 refuse the host, and nothing will answer there: {} is no region that is known here",
            quote(region)
        )),
        Ok(region) if ![region.sts_host(false), region.sts_host(true)].contains(host) => {
            warn(format!(
                "verifiers before 0.7.5 refuse the host {}: {} is taken by all",
                quote(host),
                region.sts_host(false)
            ));
        }
        Ok(_) => {}
    }
}

/// A cluster takes the hosts of its whole partition.
fn warn_of_another_region(
    inspection: &Inspection,
    cluster_region: Option<&Region>,
    warn: &mut impl FnMut(String),
) {
    let (Some(of_host), Some(cluster_region)) = (&inspection.region, cluster_region) else {
        return;
    };
    let elsewhere = of_host
        .parse::<Region>()
        .is_ok_and(|of_host| of_host != *cluster_region);
    if inspection.verdict.is_ok() && elsewhere {
        warn(format!(
            "its host is that of {}, and the cluster is in {cluster_region}: it passes as long as the cluster reaches STS there; sign for {cluster_region}",
            quote(of_host)
        ));
    }
}
