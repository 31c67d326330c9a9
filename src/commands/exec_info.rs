//! `KUBERNETES_EXEC_INFO`: which version of ExecCredential the client wants, by the rules of the AWS CLI.

use serde::Deserialize;

use crate::eks_token::ApiVersion;

pub(super) const VARIABLE: &str = "KUBERNETES_EXEC_INFO";

/// The version to answer with, and what deserves a warning.
pub(super) fn api_version(info: Option<&str>) -> (ApiVersion, Option<String>) {
    #[derive(Deserialize)]
    struct ExecInfo {
        #[serde(rename = "apiVersion")]
        api_version: Option<serde_json::Value>,
    }
    const DEFAULT: ApiVersion = ApiVersion::V1Beta1;
    let Some(info) = info.filter(|info| !info.trim().is_empty()) else {
        return (DEFAULT, None);
    };
    let Ok(info) = serde_json::from_str::<ExecInfo>(info) else {
        let words = format!(
            "Error parsing {VARIABLE}, defaulting to {DEFAULT}. This is likely a bug in your Kubernetes client. Please update your Kubernetes client."
        );
        return (DEFAULT, Some(words));
    };
    let asked = info.api_version.as_ref().and_then(|asked| asked.as_str());
    // Only with its group: a client compares what it gets with what it asked for.
    let known = asked.and_then(|asked| {
        let version: ApiVersion = asked.parse().ok()?;
        (version.as_str() == asked).then_some(version)
    });
    match known {
        Some(ApiVersion::V1Alpha1) => {
            let words = format!(
                "Kubeconfig user entry is using deprecated API version {}. Run 'irsa-sidecar kubeconfig --exec' to update.",
                ApiVersion::V1Alpha1
            );
            (ApiVersion::V1Alpha1, Some(words))
        }
        Some(version) => (version, None),
        None => {
            let words = format!(
                "Unrecognized API version in {VARIABLE}, defaulting to {DEFAULT}. This is likely due to an outdated irsa-sidecar. Please update irsa-sidecar."
            );
            (DEFAULT, Some(words))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_echoed_and_what_is_not_becomes_v1beta1_with_a_word() {
        let asked = |version: &str| {
            format!(
                "{{\"kind\":\"ExecCredential\",\"apiVersion\":\"{version}\",\"spec\":{{\"interactive\":false}}}}\n"
            )
        };
        let v1 = asked("client.authentication.k8s.io/v1");
        assert_eq!(api_version(Some(&v1)), (ApiVersion::V1, None));
        let beta = asked("client.authentication.k8s.io/v1beta1");
        assert_eq!(api_version(Some(&beta)), (ApiVersion::V1Beta1, None));
        for silent in [None, Some(""), Some(" \n")] {
            assert_eq!(api_version(silent), (ApiVersion::V1Beta1, None));
        }
        let (version, words) = api_version(Some(&asked("client.authentication.k8s.io/v1alpha1")));
        assert_eq!(version, ApiVersion::V1Alpha1);
        assert!(words.unwrap().contains("deprecated API version"));
        for (wrong, begin) in [
            ("{", "Error parsing KUBERNETES_EXEC_INFO"),
            ("[]", "Error parsing KUBERNETES_EXEC_INFO"),
            ("{}", "Unrecognized API version"),
            ("{\"apiVersion\":7}", "Unrecognized API version"),
            (&asked("v1"), "Unrecognized API version"),
            (
                &asked("client.authentication.k8s.io/v2"),
                "Unrecognized API version",
            ),
        ] {
            let (version, words) = api_version(Some(wrong));
            assert_eq!(version, ApiVersion::V1Beta1);
            assert!(words.unwrap().starts_with(begin), "{wrong}");
        }
    }
}
