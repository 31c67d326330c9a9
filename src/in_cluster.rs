//! Where a pod finds the API server of its own cluster, and what the kubelet mounts to talk to it.

use std::fmt;
use std::net::IpAddr;

/// Where the kubelet puts the cluster's CA for every pod that mounts a service account token.
pub const CA: &str = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";
/// The token for the Kubernetes API beside it: another one than the web identity token.
pub const TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";
/// The variables that every pod of a cluster has.
pub const HOST_VARIABLE: &str = "KUBERNETES_SERVICE_HOST";
/// The other one.
pub const PORT_VARIABLE: &str = "KUBERNETES_SERVICE_PORT";

/// Whether Kubernetes makes such a variable for a Service: where it is, or of the links that Docker once had.
pub fn is_service_link(variable: &str) -> bool {
    variable.ends_with("_SERVICE_HOST") || variable.contains("_PORT")
}

/// A variable that every pod has is missing or odd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotInCluster {
    /// Its name.
    pub variable: &'static str,
    /// Its value.
    pub value: String,
}

impl fmt::Display for NotInCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NotInCluster { variable, value } = self;
        let value = crate::diagnosis::quote(value);
        write!(
            f,
            "{variable} is {value}, which is no part of the API server's address"
        )
    }
}

impl std::error::Error for NotInCluster {}

/// The address made of `KUBERNETES_SERVICE_HOST` and `KUBERNETES_SERVICE_PORT`.
pub fn server(host: &str, port: &str) -> Result<String, NotInCluster> {
    let refuse = |variable: &'static str, value: &str| NotInCluster {
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
        Err(_) => return Err(refuse(HOST_VARIABLE, host)),
    };
    match port.parse::<u16>() {
        Ok(number) if number > 0 => Ok(format!("https://{host}:{number}")),
        _ => Err(refuse(PORT_VARIABLE, port)),
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
        for (host, port, address) in [
            ("10.100.0.1", "443", "https://10.100.0.1:443"),
            ("fd00::1", "443", "https://[fd00::1]:443"),
            ("[fd00::1]", "6443", "https://[fd00::1]:6443"),
            (
                "kubernetes.default.svc",
                "443",
                "https://kubernetes.default.svc:443",
            ),
        ] {
            assert_eq!(server(host, port).unwrap(), address);
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
            let error = server(host, port).unwrap_err();
            assert!(error.to_string().starts_with(variable), "{error}");
        }
    }
}
