//! What an EC2 instance would say of itself, as far as SDKs ask: true of the role, the account and the region, and made up
//! where a pod has nothing of the kind.

use ring::digest::{Digest, SHA256, digest};
use serde::Serialize;

use crate::clock::rfc3339;
use crate::credentials::Credentials;

/// The parts of a role's ARN.
pub(super) struct Role<'a> {
    partition: &'a str,
    account: &'a str,
    /// Without its path.
    pub(super) name: &'a str,
}

impl<'a> Role<'a> {
    /// Of an ARN that is one: STS has just granted its credentials.
    pub(super) fn of(arn: &'a str) -> Self {
        let field = |index| arn.split(':').nth(index).unwrap_or_default();
        Role {
            partition: field(1),
            account: field(4),
            name: arn.rsplit('/').next().unwrap_or_default(),
        }
    }
}

/// Made up: the first of the region. A pod does not know in which it runs.
pub(super) fn availability_zone(region: &str) -> String {
    format!("{region}a")
}

/// Made up: the same for a pod's life and another in another pod. Not of the pod's UID, which is an authorization.
pub(super) fn instance_id(credentials: &Credentials) -> String {
    id_of(credentials.role_arn(), credentials.session_name())
}

fn id_of(role_arn: &str, session_name: &str) -> String {
    const DIGITS: usize = 17;
    // Neither has a line break.
    let digest = sha256(&format!("{role_arn}\n{session_name}"));
    let digits: String = digest.as_ref().iter().map(|b| format!("{b:02x}")).collect();
    format!("i-{}", &digits[..DIGITS])
}

/// `iam/info`. A pod's role has no instance profile: this one would be called as the role is.
pub(super) fn instance_profile(credentials: &Credentials) -> Vec<u8> {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Info {
        code: &'static str,
        last_updated: String,
        instance_profile_arn: String,
        instance_profile_id: String,
    }
    let Role {
        partition,
        account,
        name,
    } = Role::of(credentials.role_arn());
    let arn = format!("arn:{partition}:iam::{account}:instance-profile/{name}");
    json(&Info {
        code: "Success",
        last_updated: rfc3339(credentials.obtained().wall),
        instance_profile_id: profile_id(&arn),
        instance_profile_arn: arn,
    })
}

/// Made up, in the form of IAM's unique identifiers.
fn profile_id(arn: &str) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    const LENGTH: usize = 17;
    let digest = sha256(arn);
    let letter = |byte: &u8| char::from(LETTERS[usize::from(byte % 32)]);
    let letters: String = digest.as_ref().iter().take(LENGTH).map(letter).collect();
    format!("AIPA{letters}")
}

/// `instance-identity/document`: by this SDKs learn the region, and some programs the account.
pub(super) fn identity_document(credentials: &Credentials, region: &str) -> Vec<u8> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Document<'a> {
        account_id: &'a str,
        architecture: &'a str,
        availability_zone: String,
        instance_id: String,
        region: &'a str,
        version: &'a str,
    }
    json(&Document {
        account_id: Role::of(credentials.role_arn()).account,
        architecture: architecture(),
        availability_zone: availability_zone(region),
        instance_id: instance_id(credentials),
        region,
        version: "2017-09-30",
    })
}

/// As EC2 spells it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "aarch64" => "arm64",
        other => other,
    }
}

fn sha256(text: &str) -> Digest {
    digest(&SHA256, text.as_bytes())
}

fn json(document: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(document).expect("strings serialize to memory")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_called_by_the_last_part_of_its_path() {
        for (arn, partition, name) in [
            ("arn:aws:iam::111122223333:role/app", "aws", "app"),
            (
                "arn:aws-cn:iam::111122223333:role/team/a/app",
                "aws-cn",
                "app",
            ),
        ] {
            let role = Role::of(arn);
            assert_eq!(
                (role.partition, role.account, role.name),
                (partition, "111122223333", name)
            );
        }
    }

    #[test]
    fn an_instance_id_stays_and_tells_pods_and_roles_apart() {
        let app = "arn:aws:iam::111122223333:role/app";
        let id = id_of(app, "app-0");
        let digits = id.strip_prefix("i-").unwrap();
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        assert!(digits.len() == 17 && digits.bytes().all(hex), "{id}");
        assert_eq!(id_of(app, "app-0"), id);
        assert_ne!(id_of(app, "app-1"), id);
        assert_ne!(id_of("arn:aws:iam::111122223333:role/other", "app-0"), id);
    }

    #[test]
    fn an_instance_profile_id_has_the_form_of_iams() {
        let id = profile_id("arn:aws:iam::111122223333:instance-profile/app");
        let rest = id.strip_prefix("AIPA").unwrap();
        let letter = |b: u8| b.is_ascii_uppercase() || (b'2'..=b'7').contains(&b);
        assert!(rest.len() == 17 && rest.bytes().all(letter), "{id}");
    }
}
