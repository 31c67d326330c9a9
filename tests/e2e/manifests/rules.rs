//! What must hold in every pod of every manifest, as it is applied and as the EKS webhook leaves it.

use std::collections::BTreeSet;
use std::fs;

use irsa_sidecar::config::SETTINGS;
use serde_json::{Value, json};

use super::eks_webhook;
use super::pods::{Pod, SIDECAR, is_ours, list, name, variable};
use super::rendered::{every, manifests};
use crate::sidecar::read;

/// Where the sidecar alone finds its token.
pub const TOKEN_FOLDER: &str = "/var/run/secrets/irsa-sidecar/serviceaccount";
const TOKEN_VOLUME: &str = "irsa-sidecar-token";
/// The one container that is not within Pod Security "restricted": it adds addresses to `lo`.
const LINK_LOCAL: &str = "link-local";

/// Every pod of every kustomization, named by it.
fn every_pod() -> Vec<Pod> {
    let mut pods = Vec::new();
    for (folder, objects) in every() {
        for mut pod in Pod::every(objects) {
            pod.of = format!("{folder}: {}", pod.of);
            pods.push(pod);
        }
    }
    assert!(!pods.is_empty());
    pods
}

/// The same, and each again as the webhook leaves it on an annotated service account.
fn every_pod_also_mutated() -> Vec<Pod> {
    let pods = every_pod();
    let mutated: Vec<Pod> = pods.iter().map(eks_webhook::mutated).collect();
    pods.into_iter().chain(mutated).collect()
}

fn ours(pod: &Pod) -> impl Iterator<Item = &Value> {
    pod.all().filter(|container| is_ours(container))
}

/// Where the program listens for probes and metrics, unless it is told otherwise.
pub fn ops_port() -> u16 {
    let ops = SETTINGS.iter().find(|setting| setting.name == "ops-listen");
    let port = ops.and_then(|setting| setting.default?.strip_prefix(':')?.parse().ok());
    port.expect("a port")
}

#[test]
fn settings_named_in_any_file_are_settings() {
    let known: BTreeSet<String> = SETTINGS.iter().map(|setting| setting.variable()).collect();
    let mut to_see = vec![manifests()];
    let mut seen = 0;
    while let Some(path) = to_see.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path).expect("a folder");
            to_see.extend(entries.map(|entry| entry.expect("an entry").path()));
            continue;
        }
        let text = read(&path);
        for (at, _) in text.match_indices("IRSA_SIDECAR_") {
            let end = text[at..].find(|c: char| !c.is_ascii_uppercase() && c != '_');
            let variable = &text[at..end.map_or(text.len(), |end| at + end)];
            assert!(known.contains(variable), "{variable} in {}", path.display());
            seen += 1;
        }
    }
    assert!(seen > 0);
}

#[test]
fn the_image_is_of_this_version() {
    for pod in every_pod() {
        for container in ours(&pod) {
            let image = format!("{SIDECAR}:{}", env!("CARGO_PKG_VERSION"));
            assert_eq!(container["image"], image, "{}", pod.of);
        }
    }
}

#[test]
fn every_container_of_ours_is_within_pod_security_restricted() {
    for pod in every_pod_also_mutated() {
        for container in ours(&pod).filter(|one| name(one) != LINK_LOCAL) {
            let what = format!("{} in {}", name(container), pod.of);
            let context = &container["securityContext"];
            assert_eq!(context["runAsNonRoot"], true, "{what}");
            assert_eq!(context["runAsUser"], 65532, "{what}");
            assert_eq!(context["runAsGroup"], 65532, "{what}");
            assert_eq!(context["allowPrivilegeEscalation"], false, "{what}");
            assert_eq!(context["readOnlyRootFilesystem"], true, "{what}");
            assert_eq!(context["capabilities"], json!({"drop": ["ALL"]}), "{what}");
            assert_eq!(
                context["seccompProfile"]["type"], "RuntimeDefault",
                "{what}"
            );
            assert_eq!(context["privileged"], Value::Null, "{what}");
        }
    }
}

/// Whoever copies an example copies that too.
#[test]
fn pods_of_examples_are_within_restricted_as_a_whole() {
    for pod in every_pod() {
        if !pod.of.starts_with("examples/") {
            continue;
        }
        let of_pod = &pod.template["spec"]["securityContext"];
        assert_eq!(of_pod["runAsNonRoot"], true, "{}", pod.of);
        assert_eq!(
            of_pod["seccompProfile"]["type"], "RuntimeDefault",
            "{}",
            pod.of
        );
        for container in pod.all().filter(|one| name(one) != LINK_LOCAL) {
            let what = format!("{} in {}", name(container), pod.of);
            let context = &container["securityContext"];
            assert_eq!(context["allowPrivilegeEscalation"], false, "{what}");
            assert_eq!(context["capabilities"], json!({"drop": ["ALL"]}), "{what}");
            assert_ne!(context["runAsNonRoot"], false, "{what}");
        }
    }
}

#[test]
fn no_pod_asks_for_what_restricted_forbids_to_pods() {
    const KINDS: [&str; 7] = [
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "projected",
        "secret",
    ];
    for pod in every_pod() {
        let spec = pod.template["spec"].as_object().expect("a spec");
        for forbidden in ["hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"] {
            assert!(!spec.contains_key(forbidden), "{forbidden} in {}", pod.of);
        }
        for volume in pod.volumes() {
            let mut keys = volume.as_object().expect("a volume").keys();
            assert!(
                keys.all(|key| key == "name" || KINDS.contains(&key.as_str())),
                "{volume} in {}",
                pod.of
            );
        }
        for sysctl in list(&spec.get("securityContext").unwrap_or(&Value::Null)["sysctls"]) {
            // Of those that are allowed the one that we need.
            assert_eq!(name(sysctl), "net.ipv4.ip_unprivileged_port_start");
        }
    }
}

#[test]
fn the_token_is_for_sts_and_the_sidecars_alone() {
    for pod in every_pod_also_mutated() {
        let Some(volume) = pod.volumes().iter().find(|one| name(one) == TOKEN_VOLUME) else {
            assert!(
                !ours(&pod).any(|one| name(one) == SIDECAR),
                "{} has a sidecar without a token",
                pod.of
            );
            continue;
        };
        // The kubelet's own choice, which our user can read, whatever the other containers' are.
        assert_eq!(
            volume["projected"]["defaultMode"],
            Value::Null,
            "{}",
            pod.of
        );
        let sources = list(&volume["projected"]["sources"]);
        assert_eq!(sources.len(), 1, "{}", pod.of);
        let token = &sources[0]["serviceAccountToken"];
        assert_eq!(token["audience"], "sts.amazonaws.com", "{}", pod.of);
        assert_eq!(token["path"], "token", "{}", pod.of);
        // Kubernetes takes no less than ten minutes, and gives those out with half a minute to go.
        assert!(
            token["expirationSeconds"].as_u64() >= Some(3600),
            "{}",
            pod.of
        );
        for container in pod.all() {
            let mounts = list(&container["volumeMounts"]);
            let mount = mounts.iter().find(|one| name(one) == TOKEN_VOLUME);
            assert_eq!(
                mount.is_some(),
                name(container) == SIDECAR,
                "{} in {}",
                name(container),
                pod.of
            );
            if let Some(mount) = mount {
                let whole =
                    json!({"name": TOKEN_VOLUME, "mountPath": TOKEN_FOLDER, "readOnly": true});
                assert_eq!(*mount, whole, "{}", pod.of);
                let file = variable(container, "IRSA_SIDECAR_TOKEN_FILE").expect("it is set");
                assert_eq!(file["value"], format!("{TOKEN_FOLDER}/token"), "{}", pod.of);
            }
        }
    }
}

#[test]
fn every_mount_has_its_volume_and_a_path_of_its_own() {
    for pod in every_pod_also_mutated() {
        let mut volumes = BTreeSet::new();
        for volume in pod.volumes() {
            assert!(volumes.insert(name(volume)), "{volume} twice in {}", pod.of);
        }
        for container in pod.all() {
            let mut paths = BTreeSet::new();
            for mount in list(&container["volumeMounts"]) {
                assert!(volumes.contains(name(mount)), "{mount} in {}", pod.of);
                let path = mount["mountPath"].as_str().expect("a path");
                assert!(paths.insert(path), "{path} twice in {}", pod.of);
                // Never follows a rotation.
                assert_eq!(mount["subPath"], Value::Null, "{}", pod.of);
            }
        }
    }
}

#[test]
fn no_variable_is_empty_or_there_twice_or_used_before_it_is_set() {
    for pod in every_pod_also_mutated() {
        for container in pod.all() {
            let mut before: Vec<&str> = Vec::new();
            for one in list(&container["env"]) {
                let what = format!("{one} in {} of {}", name(container), pod.of);
                let (value, from) = (&one["value"], &one["valueFrom"]);
                assert!(value.is_null() != from.is_null(), "{what}");
                assert_ne!(*value, "", "{what}");
                assert!(!before.contains(&name(one)), "twice: {what}");
                let value = value.as_str().unwrap_or_default();
                for (at, _) in value.match_indices("$(") {
                    let used = &value[at + 2..];
                    let used = used.split(')').next().expect("a name");
                    assert!(before.contains(&used), "{used} is not set yet: {what}");
                }
                before.push(name(one));
            }
        }
    }
}

#[test]
fn an_sdk_is_shown_one_door() {
    for pod in every_pod_also_mutated() {
        for app in pod.apps() {
            let doors = [
                "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                "AWS_ROLE_ARN",
                "AWS_SHARED_CREDENTIALS_FILE",
            ];
            let shown: Vec<&str> = doors
                .into_iter()
                .filter(|door| variable(app, door).is_some())
                .collect();
            assert!(shown.len() <= 1, "{shown:?} in {} of {}", name(app), pod.of);
        }
    }
}

#[test]
fn a_native_sidecar_is_probed_where_it_answers_and_never_decides_that_the_pod_is_ready() {
    for pod in every_pod() {
        for sidecar in ours(&pod).filter(|one| name(one) == SIDECAR) {
            let what = &pod.of;
            assert_eq!(
                sidecar["ports"],
                json!([{"name": "ops", "containerPort": ops_port()}]),
                "{what}"
            );
            assert_eq!(
                sidecar["livenessProbe"]["httpGet"],
                json!({"path": "/livez", "port": "ops"}),
                "{what}"
            );
            assert_eq!(sidecar["readinessProbe"], Value::Null, "{what}");
            let is_init = pod.init_containers().contains(sidecar);
            let restarts = sidecar["restartPolicy"] == "Always";
            assert_eq!(
                restarts, is_init,
                "{what}: an init container has to end otherwise"
            );
            if is_init {
                let probe = &sidecar["startupProbe"];
                assert_eq!(
                    probe["httpGet"],
                    json!({"path": "/startupz", "port": "ops"}),
                    "{what}"
                );
                assert_eq!(probe["periodSeconds"], 1, "{what}");
                // Longer than ten minutes: what has run for that long is restarted without a wait.
                assert!(probe["failureThreshold"].as_u64() > Some(600), "{what}");
            }
            let resources = &sidecar["resources"];
            assert!(resources["limits"]["memory"].is_string(), "{what}");
            assert_eq!(resources["limits"]["cpu"], Value::Null, "{what}");
        }
    }
}

#[test]
fn pods_with_a_sidecar_are_labelled_for_the_monitor() {
    for pod in every_pod() {
        if ours(&pod).any(|one| name(one) == SIDECAR) {
            let label = &pod.template["metadata"]["labels"]["irsa-sidecar/metrics"];
            assert_eq!(label, "true", "{}", pod.of);
        }
    }
}

/// Where the app is killed nobody calls `shutdown`, and the Job would wait for the sidecar for ever.
#[test]
fn every_job_of_an_example_with_a_plain_sidecar_has_a_deadline() {
    let mut jobs = 0;
    for (folder, objects) in every() {
        if !folder.starts_with("examples/") {
            continue;
        }
        for object in objects {
            let job = match object["kind"].as_str() {
                Some("Job") => &object["spec"],
                Some("CronJob") => &object["spec"]["jobTemplate"]["spec"],
                _ => continue,
            };
            let containers = list(&job["template"]["spec"]["containers"]);
            if containers.iter().any(|one| name(one) == SIDECAR) {
                assert!(job["activeDeadlineSeconds"].is_u64(), "{folder}");
                jobs += 1;
            }
        }
    }
    assert!(jobs > 0);
}
