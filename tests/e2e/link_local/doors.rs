//! The doors on these addresses: who is let in by what, and who may listen on port 80.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::process::Stdio;

use socket2::{Domain, Socket, Type};

use super::link_local;
use crate::namespace::{in_private_network, ip};
use crate::sidecar::{Answer, Launch, PATIENCE, Pod, Sidecar, read, read_answer, request};

const RELATIVE: &str = "169.254.170.2:80";
const POD_IDENTITY: &str = "169.254.170.23:80";
const POD_IDENTITY_IPV6: &str = "[fd00:ec2::23]:80";
const EVERYWHERE: &str = "169.254.170.2:80,169.254.170.23:80,[fd00:ec2::23]:80";

const EKS_TOKEN: &str = "/v1/eks-token?cluster-name=demo";

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn get(door: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    request(address(door), "GET", path, headers)
}

fn launch(pod: &Pod, doors: &str) -> Launch {
    pod.serve().env("IRSA_SIDECAR_LINK_LOCAL_LISTEN", doors)
}

/// With all the addresses on `lo`, and a door on each.
fn everywhere() -> (Pod, Sidecar) {
    link_local(&["--pod-identity"]);
    let pod = Pod::new();
    let sidecar = launch(&pod, EVERYWHERE).start();
    for door in [RELATIVE, POD_IDENTITY, POD_IDENTITY_IPV6] {
        sidecar.wait_event(door, |event| {
            event["message"] == "listening"
                && event["door"] == "link_local"
                && event["address"] == door
        });
    }
    sidecar.wait_ready();
    (pod, sidecar)
}

#[track_caller]
fn assert_credentials(answer: &Answer, sidecar: &Sidecar, pod: &Pod) {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert_eq!(answer.body, sidecar.get_credentials(pod).body);
}

#[test]
fn the_address_of_relative_uris_gives_credentials_to_who_shows_nothing() {
    in_private_network(|| {
        let (pod, sidecar) = everywhere();
        let bare = get(RELATIVE, "/v1/credentials", &[]);
        assert_credentials(&bare, &sidecar, &pod);
        // Some send what is in AWS_CONTAINER_AUTHORIZATION_TOKEN wherever they go.
        let headers = [("authorization", "of something else")];
        let shown = get(RELATIVE, "/v1/credentials", &headers);
        assert_credentials(&shown, &sidecar, &pod);
        let head = request(address(RELATIVE), "HEAD", "/v1/credentials", &[]);
        assert_eq!((head.status, head.body.as_str()), (200, ""));
        let served = r#"requests_total{door="link_local",code="200"}"#;
        assert_eq!(sidecar.metric(served), 3.0);
    });
}

#[test]
fn the_addresses_of_pod_identity_want_authorization() {
    in_private_network(|| {
        let (pod, sidecar) = everywhere();
        let token = read(&pod.path("authorization-token"));
        let bearer = format!("Bearer {token}");
        for door in [POD_IDENTITY, POD_IDENTITY_IPV6] {
            for shown in [&token, &bearer, pod.request.pod_uid()] {
                let answer = get(door, "/v1/credentials", &[("authorization", shown)]);
                assert_credentials(&answer, &sidecar, &pod);
            }
            let none = get(door, "/v1/credentials", &[]);
            assert_eq!((none.status, none.code().as_str()), (401, "Unauthorized"));
            let wrong = get(door, "/v1/credentials", &[("authorization", "wrong")]);
            assert_eq!((wrong.status, wrong.code().as_str()), (403, "Forbidden"));
        }
    });
}

#[test]
fn the_paths_are_those_of_the_credentials_door_without_shutdown() {
    in_private_network(|| {
        let (pod, mut sidecar) = everywhere();
        let token = read(&pod.path("authorization-token"));
        let right: &[(&str, &str)] = &[("authorization", &token)];
        for door in [RELATIVE, POD_IDENTITY, POD_IDENTITY_IPV6] {
            let by_secret = format!("/v2/credentials/{}", pod.request.pod_uid());
            assert_credentials(&get(door, &by_secret, &[]), &sidecar, &pod);
            let eks_token = get(door, EKS_TOKEN, right);
            assert_eq!(eks_token.status, 200, "{eks_token:?}");
            assert_eq!(eks_token.json()["kind"], "ExecCredential");
            for method in ["POST", "GET"] {
                let shutdown = request(address(door), method, "/v1/shutdown", right);
                let found = (shutdown.status, shutdown.code());
                assert_eq!(found, (404, "NotFound".to_owned()), "{door} {method}");
            }
            let put = request(address(door), "PUT", "/v1/credentials", right);
            assert_eq!(put.code(), "MethodNotAllowed");
            assert_eq!(get(door, "/latest/meta-data/", right).status, 404);
        }
        for door in [POD_IDENTITY, POD_IDENTITY_IPV6] {
            assert_eq!(get(door, "/v2/credentials/wrong", &[]).status, 404);
            assert_eq!(get(door, EKS_TOKEN, &[]).status, 401);
        }
        assert_eq!(get(RELATIVE, EKS_TOKEN, &[]).status, 200);
        assert!(!sidecar.has_ended(), "{}", sidecar.log());
    });
}

/// SDKs leave out the port where it is the usual one, and one of them always.
#[test]
fn the_host_is_the_address_with_or_without_port_and_no_other() {
    in_private_network(|| {
        let (pod, _sidecar) = everywhere();
        let uid = pod.request.pod_uid();
        let doors = [
            (RELATIVE, "169.254.170.2"),
            (POD_IDENTITY, "169.254.170.23"),
            (POD_IDENTITY_IPV6, "[fd00:ec2::23]"),
        ];
        for (door, host) in doors {
            let with = |host: &str| {
                let headers = [("host", host), ("authorization", uid)];
                let answer = get(door, "/v1/credentials", &headers);
                (answer.status, answer.code())
            };
            for right in [host, &format!("{host}:80")] {
                assert_eq!(with(right).0, 200, "{right}");
            }
            let elsewhere = [
                format!("{host}:8080"),
                "169.254.169.254".to_owned(),
                "rebound.example".to_owned(),
                format!("{host}.example"),
            ];
            for wrong in &elsewhere {
                assert_eq!(with(wrong), (403, "ForbiddenHost".to_owned()), "{wrong}");
            }
            for header in ["x-forwarded-for", "forwarded", "via"] {
                let headers = [(header, "1.2.3.4"), ("authorization", uid)];
                let answer = get(door, "/v1/credentials", &headers);
                assert_eq!(answer.code(), "ForwardedRequest", "{header}");
            }
        }
    });
}

/// Another pod on the same node, or the node, comes from an address that is not the door's.
#[test]
fn a_peer_with_another_address_is_refused() {
    in_private_network(|| {
        let (pod, _sidecar) = everywhere();
        ip("address add 10.9.8.7/32 dev lo");
        ip("address add fd00::7/128 dev lo nodad");
        let from = |peer: &str, door: &str| {
            let mut stream = connect_from(peer, door);
            let host = door.strip_suffix(":80").expect("the usual port");
            let head = format!(
                "GET /v1/credentials HTTP/1.1\r\nhost: {host}\r\nauthorization: {}\r\nconnection: close\r\n\r\n",
                pod.request.pod_uid()
            );
            std::io::Write::write_all(&mut stream, head.as_bytes()).expect("a connection");
            let answer = read_answer(&mut stream);
            (answer.status, answer.code())
        };
        let forbidden = || (403, "ForbiddenPeer".to_owned());
        for door in [RELATIVE, POD_IDENTITY] {
            assert_eq!(from("10.9.8.7:0", door), forbidden(), "{door}");
            assert_eq!(from("127.0.0.1:0", door).0, 200, "{door}");
        }
        assert_eq!(from("[fd00::7]:0", POD_IDENTITY_IPV6), forbidden());
        assert_eq!(from("[::1]:0", POD_IDENTITY_IPV6).0, 200);
        // Both are the pod's own, but only one is where the door is.
        assert_eq!(from("169.254.170.2:0", POD_IDENTITY), forbidden());
    });
}

fn connect_from(peer: &str, door: &str) -> TcpStream {
    let (peer, door) = (address(peer), address(door));
    let socket = Socket::new(Domain::for_address(door), Type::STREAM, None).expect("a socket");
    socket.bind(&peer.into()).expect("our own address");
    socket.connect(&door.into()).expect("a listener");
    socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    socket.into()
}

const LOWEST_PORT: &str = "/proc/sys/net/ipv4/ip_unprivileged_port_start";

#[test]
fn port_80_without_privileges_wants_the_sysctl_and_works_with_it() {
    in_private_network(|| {
        link_local(&[]);
        let pod = Pod::new();
        let launch = launch(&pod, RELATIVE);
        let refused = launch
            .without_capabilities()
            .stdin(Stdio::null())
            .output()
            .expect("setpriv (of util-linux) runs, and this test needs it");
        let log = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(1), "{log}");
        for part in [
            "cannot listen on 169.254.170.2:80",
            "net.ipv4.ip_unprivileged_port_start",
            "securityContext.sysctls",
        ] {
            assert!(log.contains(part), "{part} is not in {log}");
        }
        fs::write(LOWEST_PORT, "0").expect("a sysctl of this namespace");
        let sidecar = Sidecar::spawn(launch.without_capabilities());
        let status = read(format!("/proc/{}/status", sidecar.id()).as_ref());
        assert!(status.contains("CapEff:\t0000000000000000"), "{status}");
        sidecar.wait_ready();
        assert_eq!(get(RELATIVE, "/v1/credentials", &[]).status, 200);
    });
}

#[test]
fn one_manifest_serves_pods_with_ipv6_and_without() {
    in_private_network(|| {
        fs::write("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1").expect("a sysctl");
        link_local(&["--pod-identity"]);
        let pod = Pod::new();
        let sidecar = launch(&pod, EVERYWHERE).start();
        sidecar.wait_ready();
        let event = sidecar.wait_message("not listening where the pod has no IPv6");
        assert_eq!(event["address"], POD_IDENTITY_IPV6);
        let shown = [("authorization", pod.request.pod_uid())];
        assert_eq!(get(POD_IDENTITY, "/v1/credentials", &shown).status, 200);
        let ended = launch(&pod, POD_IDENTITY_IPV6).ends();
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
        assert!(ended.stderr.contains("leave this address out"), "{ended:?}");
    });
}

#[test]
fn doors_without_authorization_are_said_loudly_at_start() {
    in_private_network(|| {
        link_local(&["--pod-identity", "--imds"]);
        let pod = Pod::new();
        let imds = "169.254.169.254:80";
        let launch = launch(&pod, EVERYWHERE).env("IRSA_SIDECAR_IMDS_LISTEN", imds);
        let sidecar = launch.start();
        sidecar.wait_ready();
        let loud = |event: &serde_json::Value| {
            let said = event["message"].as_str().unwrap_or_default();
            let is_it = event["level"] == "WARN" && said.starts_with("nobody has to show");
            is_it.then(|| event["address"].clone())
        };
        let doors: Vec<_> = sidecar.events().iter().filter_map(loud).collect();
        assert_eq!(doors, [RELATIVE, imds]);
    });
}

#[test]
fn an_address_that_is_not_there_is_an_exit_that_names_link_local() {
    in_private_network(|| {
        let pod = Pod::new();
        for door in [RELATIVE, POD_IDENTITY, POD_IDENTITY_IPV6] {
            let ended = launch(&pod, door).ends();
            assert_eq!(ended.status.code(), Some(1), "{ended:?}");
            for part in [
                &format!("cannot listen on {door}"),
                "irsa-sidecar link-local",
                "init container",
            ] {
                assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
            }
        }
        // What the command does not add it is not named for.
        let ended = launch(&pod, "169.254.1.1:80").ends();
        assert!(ended.stderr.contains("cannot listen on 169.254.1.1:80"));
        assert!(!ended.stderr.contains("irsa-sidecar link-local"));
        assert!(link_local(&["--pod-identity"]).status.success());
        let sidecar = launch(&pod, EVERYWHERE).start();
        sidecar.wait_ready();
    });
}
