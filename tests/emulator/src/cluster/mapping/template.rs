//! `{{SessionName}}` and its like in the names of users and groups.

use super::Mapped;
use crate::cluster::verifier::Identity;

/// Fills in name and groups.
pub(super) fn render(mapped: Mapped, identity: &Identity, region: &str) -> Result<Mapped, String> {
    let fill = |kind: &str, template: &str| {
        fill(template, identity, region)
            .map_err(|reason| format!("error rendering {kind} template \"{template}\": {reason}"))
    };
    let groups = mapped.groups.iter().map(|group| fill("group", group));
    Ok(Mapped {
        username: fill("username", &mapped.username)?,
        groups: groups.collect::<Result<_, _>>()?,
    })
}

fn fill(template: &str, identity: &Identity, region: &str) -> Result<String, String> {
    let mut text = template.to_owned();
    if text.contains("{{EC2PrivateDNSName}}") {
        if !is_instance_id(&identity.session_name) {
            return Err("SessionName did not contain an instance id".to_owned());
        }
        text = text.replace("{{EC2PrivateDNSName}}", &private_dns_name(region));
    }
    let session_name = identity.session_name.replace('@', "-");
    Ok(text
        .replace("{{AccountID}}", &identity.account)
        .replace("{{SessionName}}", &session_name)
        .replace("{{SessionNameRaw}}", &identity.session_name)
        .replace("{{AccessKeyID}}", &identity.access_key_id))
}

/// `i-` and 8 or 17 characters.
fn is_instance_id(text: &str) -> bool {
    text.strip_prefix("i-").is_some_and(|id| {
        matches!(id.len(), 8 | 17)
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    })
}

/// There is no EC2 here to ask: every instance has this name.
fn private_dns_name(region: &str) -> String {
    match region {
        "us-east-1" => "ip-10-0-0-1.ec2.internal".to_owned(),
        region => format!("ip-10-0-0-1.{region}.compute.internal"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(template: &str, session_name: &str) -> Result<String, String> {
        let identity = Identity {
            arn: String::new(),
            canonical_arn: String::new(),
            account: "111122223333".to_owned(),
            user_id: String::new(),
            session_name: session_name.to_owned(),
            access_key_id: "ASIA1".to_owned(),
        };
        let mapped = Mapped {
            username: template.to_owned(),
            groups: vec![template.to_owned()],
        };
        let mapped = render(mapped, &identity, "eu-west-1")?;
        assert_eq!(mapped.groups[0], mapped.username);
        Ok(mapped.username)
    }

    #[test]
    fn names_are_filled_in() {
        let template = "{{AccountID}}:{{SessionName}}:{{SessionNameRaw}}:{{AccessKeyID}}:{{Else}}";
        let expected = "111122223333:me-x:me@x:ASIA1:{{Else}}";
        assert_eq!(filled(template, "me@x").unwrap(), expected);
    }

    #[test]
    fn only_an_instance_has_a_dns_name() {
        let template = "system:node:{{EC2PrivateDNSName}}";
        assert_eq!(
            filled(template, "i-0123456789abcdef0").unwrap(),
            "system:node:ip-10-0-0-1.eu-west-1.compute.internal",
        );
        assert_eq!(
            filled(template, "pod-1").unwrap_err(),
            "error rendering username template \"system:node:{{EC2PrivateDNSName}}\": SessionName \
             did not contain an instance id",
        );
    }
}
