//! The API server as pods of the cluster reach it: no IAM permission and no way out of the VPC are needed.

use std::net::IpAddr;

use super::error::KubeconfigError;

/// Where the kubelet puts the cluster's CA for every pod that mounts a service account token.
pub const IN_CLUSTER_CA: &str = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";

/// The address made of `KUBERNETES_SERVICE_HOST` and `KUBERNETES_SERVICE_PORT`.
pub fn in_cluster_server(host: &str, port: &str) -> Result<String, KubeconfigError> {
    let refuse = |variable: &'static str, value: &str| KubeconfigError::NotInCluster {
        variable,
        value: value.to_owned(),
    };
    let bare = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(host);
    let host = match bare.parse::<IpAddr>() {
        Ok(IpAddr::V6(address)) => format!("[{address}]"),
        Ok(IpAddr::V4(address)) => address.to_string(),
        Err(_) if is_name(host) => host.to_owned(),
        Err(_) => return Err(refuse("KUBERNETES_SERVICE_HOST", host)),
    };
    match port.parse::<u16>() {
        Ok(number) if number > 0 => Ok(format!("https://{host}:{number}")),
        _ => Err(refuse("KUBERNETES_SERVICE_PORT", port)),
    }
}

fn is_name(host: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
    !host.is_empty() && host.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_is_put_together_as_kubernetes_clients_do_it() {
        for (host, port, server) in [
            ("10.100.0.1", "443", "https://10.100.0.1:443"),
            ("fd00::1", "443", "https://[fd00::1]:443"),
            ("[fd00::1]", "6443", "https://[fd00::1]:6443"),
            (
                "kubernetes.default.svc",
                "443",
                "https://kubernetes.default.svc:443",
            ),
        ] {
            assert_eq!(in_cluster_server(host, port).unwrap(), server);
        }
    }

    #[test]
    fn what_is_no_address_is_refused_by_the_name_of_its_variable() {
        for (host, port, variable) in [
            ("", "443", "KUBERNETES_SERVICE_HOST"),
            ("a/b", "443", "KUBERNETES_SERVICE_HOST"),
            ("user@host", "443", "KUBERNETES_SERVICE_HOST"),
            ("::g", "443", "KUBERNETES_SERVICE_HOST"),
            ("10.100.0.1", "", "KUBERNETES_SERVICE_PORT"),
            ("10.100.0.1", "0", "KUBERNETES_SERVICE_PORT"),
            (
                "10.100.0.1",
                "tcp://10.100.0.1:443",
                "KUBERNETES_SERVICE_PORT",
            ),
        ] {
            let error = in_cluster_server(host, port).unwrap_err().to_string();
            assert!(
                error.contains(variable) && error.contains("--server"),
                "{error}"
            );
        }
    }
}
