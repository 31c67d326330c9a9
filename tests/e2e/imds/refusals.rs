//! Who and what is refused: proxies, strange hosts, other paths and methods; and that nothing is asked of the node.

use super::{DOCUMENT, INFO, Imds, OF_THE_ROLE, REGION, ROLE, ROLE_NAME};
use super::{TOKEN, TOKEN_HEADER, TTL_HEADER, is_refused};
use crate::sidecar::{Pod, request};

#[test]
fn what_came_through_a_proxy_gets_neither_a_token_nor_anything_else() {
    let pod = Pod::new();
    let imds = Imds::ready(pod.serve().env("IRSA_SIDECAR_IMDS_V1", "true"));
    let token = imds.token();
    for (name, value) in [
        ("X-Forwarded-For", "127.0.0.1"),
        ("x-forwarded-for", ""),
        ("Forwarded", "for=127.0.0.1"),
        ("Via", "1.1 envoy"),
    ] {
        let words = "NO_PROXY=127.0.0.1,localhost,169.254.170.2,169.254.170.23,169.254.169.254";
        let put = imds.put(&[(TTL_HEADER, "60"), (name, value)]);
        is_refused(&put, 400, "ForwardedRequest", words);
        for headers in [
            &[(TOKEN_HEADER, token.as_str()), (name, value)][..],
            &[(name, value)],
        ] {
            for path in OF_THE_ROLE.iter().chain([&REGION, &"/nowhere"]) {
                let answer = imds.bare(path, headers);
                is_refused(&answer, 400, "ForwardedRequest", words);
            }
        }
    }
}

#[test]
fn only_the_doors_own_address_is_answered() {
    let pod = Pod::new();
    let imds = Imds::ready(pod.serve().env("IRSA_SIDECAR_IMDS_V1", "true"));
    let port = imds.address.port();
    for host in ["127.0.0.1", "localhost", &format!("127.0.0.1:{port}")] {
        let answer = imds.bare(ROLE, &[("host", host)]);
        assert_eq!(answer.status, 200, "{host}: {answer:?}");
    }
    for host in [
        "rebound.example.com",
        // An address that the metadata has, and this connection has not.
        "169.254.169.254",
        "instance-data",
        "127.0.0.1:1",
        "",
    ] {
        let words = "the address that it listens on";
        let put = imds.put(&[(TTL_HEADER, "60"), ("host", host)]);
        is_refused(&put, 403, "ForbiddenHost", words);
        let get = imds.bare(ROLE, &[("host", host)]);
        is_refused(&get, 403, "ForbiddenHost", words);
    }
    let two = [("host", "127.0.0.1"), ("host", "127.0.0.1")];
    is_refused(&imds.bare(ROLE, &two), 400, "MalformedRequest", "one Host");
}

#[test]
fn other_methods_are_told_which_ones_there_are() {
    let pod = Pod::new();
    let imds = Imds::ready(pod.serve());
    let token = imds.token();
    let headers = [(TOKEN_HEADER, token.as_str()), (TTL_HEADER, "60")];
    for (path, methods, allowed) in [
        (TOKEN, "GET HEAD POST DELETE OPTIONS PATCH X", "PUT"),
        (ROLE_NAME, "PUT POST DELETE OPTIONS PATCH X", "GET, HEAD"),
        (ROLE, "PUT POST DELETE OPTIONS PATCH X", "GET, HEAD"),
        (DOCUMENT, "PUT POST DELETE OPTIONS PATCH X", "GET, HEAD"),
    ] {
        for method in methods.split(' ') {
            let answer = request(imds.address, method, path, &headers);
            assert_eq!(answer.headers["allow"], allowed, "{method} {path}");
            assert_eq!(answer.status, 405, "{method} {path}");
            if method != "HEAD" {
                is_refused(&answer, 405, "MethodNotAllowed", "Allow header");
            }
        }
    }
}

#[test]
fn nothing_else_of_an_instance_is_there_and_nothing_of_the_other_doors() {
    let pod = Pod::new();
    let imds = Imds::ready(pod.serve().env("IRSA_SIDECAR_IMDS_V1", "true"));
    let uid = pod.request.pod_uid();
    let by_secret = format!("/v2/credentials/{uid}");
    for path in [
        "/",
        "*",
        "/latest",
        "/latest/",
        "/latest/meta-data/",
        "/latest/meta-data/iam/",
        "/latest/meta-data/iam/security-credentials-extended/",
        "/latest/meta-data/iam/security-credentials-extended/app",
        "/latest/meta-data/iam/security-credentials//",
        "/latest/meta-data/iam/security-credentials/../info",
        "/latest/meta-data/iam/%69nfo",
        "/latest/meta-data/hostname",
        "/latest/meta-data/public-keys/",
        "/latest/meta-data/identity-credentials/ec2/security-credentials/ec2-instance",
        "/latest/dynamic/instance-identity/pkcs7",
        "/latest/dynamic/instance-identity/document/x",
        "/latest/user-data",
        "/2021-07-15/meta-data/iam/security-credentials/",
        "/v1/credentials",
        &by_secret,
        "/v1/eks-token?cluster-name=c",
        "/v1/shutdown",
        "/readyz",
        "/metrics",
    ] {
        let answer = imds.bare(path, &[("authorization", uid)]);
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
        let words = "nothing is asked of the node's";
        if !path.ends_with("//") && !path.ends_with("../info") {
            is_refused(&answer, 404, "NotFound", words);
        }
    }
    for path in ["/v1/shutdown", INFO, "/latest/api/token/x"] {
        let answer = request(imds.address, "POST", path, &[("authorization", uid)]);
        assert_ne!(answer.status, 202, "{path}");
        assert!(answer.status >= 400, "{path}");
    }
}

#[test]
fn another_roles_name_is_not_found_whatever_it_looks_like() {
    let pod = Pod::new();
    let imds = Imds::ready(pod.serve().env("IRSA_SIDECAR_IMDS_V1", "true"));
    for name in [
        "other",
        "App",
        "ap",
        "appx",
        "%00",
        "%",
        "app%00",
        "app%2F",
        "app%20",
        "role%2Fapp",
        "*",
        "app/x",
    ] {
        let answer = imds.bare(&format!("{ROLE_NAME}{name}"), &[]);
        is_refused(&answer, 404, "NotFound", ROLE_NAME);
    }
}
