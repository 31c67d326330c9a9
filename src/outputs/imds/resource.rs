//! What a path of the instance metadata names.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// What there is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Resource<'a> {
    /// A new session token.
    Token,
    /// The name of the one role.
    RoleName,
    /// The credentials of the role of this name.
    Role(Cow<'a, [u8]>),
    /// The instance profile that an instance would have the role from.
    InstanceProfile,
    Region,
    AvailabilityZone,
    InstanceId,
    IdentityDocument,
}

/// `None` where there is nothing. Each path is known with and without a slash at its end, since SDKs ask for either; and
/// with several at its start, since some join it to an endpoint that ends in one.
pub(super) fn resource(path: &str) -> Option<Resource<'_>> {
    let path = path.strip_prefix('/')?.trim_start_matches('/');
    let path = path.strip_suffix('/').unwrap_or(path);
    let path = path.strip_prefix("latest/")?;
    Some(match path {
        "api/token" => Resource::Token,
        "meta-data/iam/security-credentials" => Resource::RoleName,
        "meta-data/iam/info" => Resource::InstanceProfile,
        "meta-data/placement/region" => Resource::Region,
        "meta-data/placement/availability-zone" => Resource::AvailabilityZone,
        "meta-data/instance-id" => Resource::InstanceId,
        "dynamic/instance-identity/document" => Resource::IdentityDocument,
        _ => {
            let name = path.strip_prefix("meta-data/iam/security-credentials/")?;
            // minio-py 7.0 puts a slash of its own behind that of the directory.
            let name = name.strip_prefix('/').unwrap_or(name);
            Resource::Role(percent_decode_str(name).into())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(name: &str) -> Resource<'_> {
        Resource::Role(Cow::Borrowed(name.as_bytes()))
    }

    #[test]
    fn every_path_is_known_with_and_without_a_slash_at_its_end() {
        for (path, named) in [
            ("/latest/api/token", Resource::Token),
            (
                "/latest/meta-data/iam/security-credentials",
                Resource::RoleName,
            ),
            (
                "/latest/meta-data/iam/security-credentials/app",
                role("app"),
            ),
            ("/latest/meta-data/iam/info", Resource::InstanceProfile),
            ("/latest/meta-data/placement/region", Resource::Region),
            (
                "/latest/meta-data/placement/availability-zone",
                Resource::AvailabilityZone,
            ),
            ("/latest/meta-data/instance-id", Resource::InstanceId),
            (
                "/latest/dynamic/instance-identity/document",
                Resource::IdentityDocument,
            ),
        ] {
            let slashed = format!("{path}/");
            let joined = format!("/{path}");
            for path in [path, slashed.as_str(), joined.as_str()] {
                assert_eq!(resource(path).as_ref(), Some(&named), "{path}");
            }
        }
    }

    #[test]
    fn a_role_is_known_by_its_name_however_it_is_encoded() {
        for name in ["a+b=c,d.e@f-g_h", "a%2Bb%3Dc%2Cd.e%40f-g_h"] {
            let path = format!("/latest/meta-data/iam/security-credentials/{name}");
            assert_eq!(resource(&path), Some(role("a+b=c,d.e@f-g_h")));
        }
    }

    #[test]
    fn a_role_is_found_behind_a_second_slash() {
        let path = "/latest/meta-data/iam/security-credentials//app";
        assert_eq!(resource(path), Some(role("app")));
    }

    #[test]
    fn nothing_else_is_there() {
        for path in [
            "",
            "*",
            "/",
            "/latest",
            "/latest/",
            "latest/api/token",
            "/latest/api/tokens",
            "/latest/api/token//",
            "/latest//api/token",
            "/LATEST/api/token",
            "/latest/../latest/api/token",
            "/2021-07-15/api/token",
            "/latest/meta-data",
            "/latest/meta-data/",
            "/latest/meta-data/iam/",
            "/latest/meta-data/iam/security-credentials-extended/",
            "/latest/meta-data/iam/security-credentials-extended/app",
            "/latest/meta-data/placement/availability-zone-id",
            "/latest/meta-data/hostname",
            "/latest/user-data",
            "/latest/dynamic/instance-identity/",
            "/latest/dynamic/instance-identity/pkcs7",
            "/v1/credentials",
            "/v1/shutdown",
        ] {
            assert_eq!(resource(path), None, "{path}");
        }
    }
}
