//! The scope of a signature: the day, region and service that its key is derived for.

use ring::hmac;

use crate::partition;
use crate::sts::error::StsError;

/// `DATE/REGION/SERVICE/aws4_request`.
#[derive(Debug)]
pub(super) struct Scope {
    date: String,
    region: String,
    service: String,
    terminator: String,
}

impl Scope {
    pub(super) fn parse(text: &str) -> Result<Self, StsError> {
        let parts: Vec<&str> = text.split('/').collect();
        let [date, region, service, terminator] = parts[..] else {
            return Err(StsError::incomplete_signature(
                "Credential must have exactly 5 slash-delimited elements, e.g. \
                 keyid/date/region/service/term",
            ));
        };
        Ok(Self {
            date: date.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            terminator: terminator.to_owned(),
        })
    }

    pub(super) fn to_text(&self) -> String {
        let Self {
            date,
            region,
            service,
            terminator,
        } = self;
        format!("{date}/{region}/{service}/{terminator}")
    }

    pub(super) fn signing_key(&self, secret: &str) -> hmac::Key {
        let key = |bytes: &[u8]| hmac::Key::new(hmac::HMAC_SHA256, bytes);
        let mut current = key(format!("AWS4{secret}").as_bytes());
        for part in [&self.date, &self.region, &self.service, &self.terminator] {
            current = key(hmac::sign(&current, part.as_bytes()).as_ref());
        }
        current
    }

    pub(super) fn service(&self) -> &str {
        &self.service
    }

    pub(super) fn region(&self) -> &str {
        &self.region
    }

    /// That it is the scope of the service on the day of `date`, an `X-Amz-Date`, in the region of `host`.
    pub(super) fn check(&self, expected: &str, date: &str, host: &str) -> Result<(), StsError> {
        let Self {
            date: day,
            region,
            service,
            terminator,
        } = self;
        let message = if service != expected {
            format!("Credential should be scoped to correct service: '{expected}'.")
        } else if terminator != "aws4_request" {
            format!(
                "Credential should be scoped with a valid terminator: 'aws4_request', not \
                 '{terminator}'.",
            )
        } else if *day != date[..8] {
            format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date \
                 from HTTP: '{day}' != '{}', from '{date}'.",
                &date[..8],
            )
        } else if region.is_empty()
            || region_of(expected, host).is_some_and(|expected| expected != region)
        {
            "Credential should be scoped to a valid region.".to_owned()
        } else {
            return Ok(());
        };
        Err(StsError::signature_does_not_match(message))
    }
}

/// The region that a host name of the service stands for; other names, as of loopback, stand for any.
fn region_of<'a>(service: &str, host: &'a str) -> Option<&'a str> {
    if host == "sts.amazonaws.com" {
        return Some("us-east-1");
    }
    let of_service = [
        format!("{service}."),
        format!("{service}-fips."),
        format!("fips.{service}."),
    ];
    let rest = of_service
        .iter()
        .find_map(|prefix| host.strip_prefix(prefix.as_str()))?;
    let (region, suffix) = rest.split_once('.')?;
    partition::is_suffix(suffix).then_some(region)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_a_region_names_that_region() {
        for (service, host, region) in [
            ("sts", "sts.eu-west-1.amazonaws.com", Some("eu-west-1")),
            ("sts", "sts-fips.us-east-2.amazonaws.com", Some("us-east-2")),
            ("sts", "sts.cn-north-1.amazonaws.com.cn", Some("cn-north-1")),
            ("sts", "sts.us-iso-east-1.c2s.ic.gov", Some("us-iso-east-1")),
            ("sts", "sts.eu-west-1.api.aws", Some("eu-west-1")),
            ("sts", "sts.amazonaws.com", Some("us-east-1")),
            ("eks", "eks.eu-west-1.amazonaws.com", Some("eu-west-1")),
            ("eks", "fips.eks.us-east-1.amazonaws.com", Some("us-east-1")),
            ("eks", "sts.eu-west-1.amazonaws.com", None),
            ("sts", "127.0.0.1:8080", None),
            ("sts", "localhost", None),
        ] {
            assert_eq!(region_of(service, host), region, "{host}");
        }
    }
}
