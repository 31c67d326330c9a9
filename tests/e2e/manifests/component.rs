//! The component: what it adds to workloads that it does not know, and that it touches nothing else.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::pods::{Pod, SIDECAR, list, name, variable, variables};
use super::rendered::{Object, User, WORKLOADS, called, manifests, objects, text, with_components};
use crate::kubectl::client::{Kubectl, with_every_kubectl};

const TOKEN: &str = "irsa-sidecar-token";
const NO_PROXY: &str = "127.0.0.1,localhost,169.254.170.2,169.254.170.23,169.254.169.254";
/// What the default gives to every container, in this order.
const BY_POD_UID: [&str; 5] = [
    "POD_UID",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "NO_PROXY",
];
/// What the other one gives.
const BY_TOKEN_FILE: [&str; 5] = [
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "NO_PROXY",
];

pub fn component() -> PathBuf {
    manifests().join("component")
}

pub fn token_file() -> PathBuf {
    component().join("token-file")
}

pub fn plain_sidecar() -> PathBuf {
    component().join("plain-sidecar")
}

pub fn of<'a>(objects: &'a [Object], what: &str) -> &'a Object {
    let found = objects.iter().find(|object| called(object) == what);
    found.unwrap_or_else(|| panic!("no {what}"))
}

pub fn container<'a>(pod: &'a Pod, wanted: &str) -> &'a Value {
    let found = pod.all().find(|container| container["name"] == wanted);
    found.unwrap_or_else(|| panic!("no {wanted} in {}", pod.of))
}

/// The object without what the component added to it.
fn without_what_was_added(object: &Object, added: &[&str]) -> Object {
    let text = object.to_string();
    let mut object = object.clone();
    let Some(pod) = Pod::in_object(&object) else {
        assert!(!text.contains(SIDECAR), "{text}");
        return object;
    };
    let path = match object["kind"] == "CronJob" {
        true => "/spec/jobTemplate/spec/template",
        false => "/spec/template",
    };
    let template = object.pointer_mut(path).expect("a template");
    drop_from(&mut template["spec"], "initContainers", |one| {
        one["name"] == SIDECAR
    });
    drop_from(&mut template["spec"], "volumes", |one| {
        one["name"] == TOKEN || one["name"] == SIDECAR
    });
    let labels = template["metadata"]["labels"].as_object_mut();
    labels.expect("labels").remove("irsa-sidecar/metrics");
    drop_empty(&mut template["metadata"], "labels");
    drop_empty(template, "metadata");
    for kind in ["initContainers", "containers"] {
        let containers = template["spec"].get_mut(kind);
        for one in containers
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            let no_proxy = variable(one, "NO_PROXY").map(|variable| &variable["value"]);
            let own = no_proxy.and_then(|value| value.as_str()?.strip_prefix(NO_PROXY));
            let own = own.and_then(|own| own.strip_prefix(',')).expect(NO_PROXY);
            let own = (!own.is_empty()).then(|| own.to_owned());
            drop_from(one, "env", |one| {
                added.contains(&name(one)) && (name(one) != "NO_PROXY" || own.is_none())
            });
            if let Some(own) = own {
                let env = one["env"].as_array_mut().expect("it is there");
                let no_proxy = env.iter_mut().find(|one| one["name"] == "NO_PROXY");
                no_proxy.expect("it is there")["value"] = json!(own);
            }
            drop_from(one, "volumeMounts", |mount| mount["name"] == SIDECAR);
        }
    }
    assert_eq!(pod.of, called(&object));
    object
}

fn drop_from(value: &mut Value, key: &str, those: impl Fn(&Value) -> bool) {
    if let Some(list) = value.get_mut(key).and_then(Value::as_array_mut) {
        list.retain(|one| !those(one));
        drop_empty(value, key);
    }
}

fn drop_empty(value: &mut Value, key: &str) {
    let is_empty = match &value[key] {
        Value::Array(list) => list.is_empty(),
        Value::Object(object) => object.is_empty(),
        other => other.is_null(),
    };
    if is_empty {
        value.as_object_mut().expect("an object").remove(key);
    }
}

/// The workloads, without those variables that the component replaces.
fn as_written(replaced: &[&str]) -> Vec<Object> {
    let mut written = objects(WORKLOADS);
    for object in &mut written {
        let path = match object["kind"] == "CronJob" {
            true => "/spec/jobTemplate/spec/template/spec/containers",
            false => "/spec/template/spec/containers",
        };
        let containers = object.pointer_mut(path).and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            drop_from(container, "env", |one| {
                replaced.contains(&name(one)) && name(one) != "NO_PROXY"
            });
        }
    }
    written
}

#[test]
fn every_kubectl_renders_the_component_alike() {
    for component in [component(), token_file(), plain_sidecar()] {
        let user = User::new(WORKLOADS, &[&component], "");
        let newest = text(&Kubectl::one(), user.folder());
        with_every_kubectl(|kubectl| {
            assert_eq!(text(kubectl, user.folder()), newest, "{kubectl}");
        });
    }
}

#[test]
fn nothing_of_a_workload_is_changed_but_for_what_is_added() {
    for (component, added) in [(component(), BY_POD_UID), (token_file(), BY_TOKEN_FILE)] {
        let rendered = with_components(WORKLOADS, &[&component], "");
        let written = as_written(&added);
        assert_eq!(rendered.len(), written.len(), "nothing more is applied");
        for object in &rendered {
            let found = without_what_was_added(object, &added);
            assert_eq!(&found, of(&written, &called(object)));
        }
    }
}

#[test]
fn the_sidecar_is_the_first_init_container_and_one_like_the_other() {
    for component in [component(), token_file()] {
        let pods = Pod::every(&with_components(WORKLOADS, &[&component], ""));
        assert_eq!(pods.len(), 6);
        for pod in &pods {
            assert_eq!(name(&pod.init_containers()[0]), SIDECAR, "{}", pod.of);
            assert_eq!(pod.init_containers()[0], *pods[0].sidecar(), "{}", pod.of);
            let ours = pod.all().filter(|one| one["name"] == SIDECAR).count();
            assert_eq!(ours, 1, "{}", pod.of);
        }
        let several = &pods[0];
        let order: Vec<&str> = several.init_containers().iter().map(name).collect();
        assert_eq!(order, [SIDECAR, "migrate", "warm-up"]);
    }
}

#[test]
fn every_container_gets_the_variables_once_and_in_order() {
    for (component, added) in [(component(), BY_POD_UID), (token_file(), BY_TOKEN_FILE)] {
        for pod in Pod::every(&with_components(WORKLOADS, &[&component], "")) {
            for container in pod.apps() {
                let names = variables(container);
                for name in added {
                    let count = names.iter().filter(|one| **one == name).count();
                    assert_eq!(count, 1, "{name} in {}: {names:?}", pod.of);
                }
                let at = |name: &str| names.iter().position(|one| *one == name);
                assert!(at(added[0]) < at(added[1]), "{names:?}");
            }
        }
    }
}

#[test]
fn proxies_that_a_container_goes_around_are_kept() {
    let rendered = with_components(WORKLOADS, &[&component()], "");
    let pod = Pod::in_object(of(&rendered, "Deployment/several")).expect("a pod");
    let no_proxy = |name| variable(container(&pod, name), "NO_PROXY").map(|one| &one["value"]);
    assert_eq!(
        no_proxy("app"),
        Some(&json!(format!("{NO_PROXY},10.0.0.0/8,.svc")))
    );
    assert_eq!(no_proxy("helper"), Some(&json!(format!("{NO_PROXY},"))));
}

#[test]
fn a_container_with_a_way_around_the_sidecar_loses_it() {
    let way_around = WORKLOADS.replace(
        "{name: AWS_EC2_METADATA_DISABLED, value: \"false\"}",
        "{name: AWS_WEB_IDENTITY_TOKEN_FILE, value: /token}, {name: AWS_EC2_METADATA_DISABLED, value: \"false\"}",
    );
    assert_ne!(way_around, WORKLOADS);
    let rendered = with_components(&way_around, &[&component()], "");
    let pod = Pod::in_object(of(&rendered, "DaemonSet/on-each-node")).expect("a pod");
    let value = |name| &variable(container(&pod, "app"), name).expect(name)["value"];
    assert_eq!(value("AWS_EC2_METADATA_DISABLED"), "true");
    assert_eq!(*value("AWS_WEB_IDENTITY_TOKEN_FILE"), Value::Null);
}

#[test]
fn before_native_sidecars_it_is_the_first_container_and_holds_the_next_one_back() {
    let native = Pod::every(&with_components(WORKLOADS, &[&component()], ""));
    let plain = Pod::every(&with_components(WORKLOADS, &[&plain_sidecar()], ""));
    for (native, plain) in native.iter().zip(&plain) {
        assert_eq!(name(&plain.containers()[0]), SIDECAR, "{}", plain.of);
        assert_eq!(
            plain.containers()[1..],
            *native.containers(),
            "{}",
            plain.of
        );
        assert_eq!(plain.init_containers(), &native.init_containers()[1..]);
        assert_eq!(plain.volumes(), native.volumes());
        let mut sidecar = plain.sidecar().clone();
        let hook = sidecar["lifecycle"]["postStart"]["exec"]["command"].take();
        assert_eq!(hook, json!(["/irsa-sidecar", "wait", "--timeout=5m"]));
        // Told to stop together with the app, it goes on until the app may have stopped.
        let delay = variable(&sidecar, "IRSA_SIDECAR_DRAIN_DELAY").expect("a delay");
        assert_eq!(delay["value"], "25s");
        drop_from(&mut sidecar, "env", |one| {
            name(one) == "IRSA_SIDECAR_DRAIN_DELAY"
        });
        sidecar
            .as_object_mut()
            .expect("an object")
            .remove("lifecycle");
        let mut expected = native.sidecar().clone();
        let native = expected.as_object_mut().expect("an object");
        native.remove("restartPolicy");
        native.remove("startupProbe");
        assert_eq!(sidecar, expected, "{}", plain.of);
    }
}

#[test]
fn the_pod_is_labelled_for_the_monitor() {
    for component in [component(), token_file()] {
        for pod in Pod::every(&with_components(WORKLOADS, &[&component], "")) {
            let labels = &pod.template["metadata"]["labels"];
            assert_eq!(labels["irsa-sidecar/metrics"], "true", "{}", pod.of);
        }
    }
}

#[test]
fn nothing_is_shared_by_default_but_the_network() {
    for pod in Pod::every(&with_components(WORKLOADS, &[&component()], "")) {
        let mounts = list(&pod.sidecar()["volumeMounts"]);
        assert_eq!(mounts.len(), 1, "{}", pod.of);
        assert_eq!(name(&mounts[0]), TOKEN);
        let spec = pod.template["spec"].as_object().expect("a spec");
        assert!(!spec.contains_key("shareProcessNamespace"));
        assert_eq!(
            variable(pod.sidecar(), "IRSA_SIDECAR_AUTHORIZATION").expect("it is set")["value"],
            "pod-uid"
        );
    }
}

#[test]
fn the_token_file_is_written_by_the_sidecar_alone_and_never_to_the_disk() {
    for pod in Pod::every(&with_components(WORKLOADS, &[&token_file()], "")) {
        let volume = pod.volumes().iter().find(|one| one["name"] == SIDECAR);
        let volume = &volume.expect("a volume")["emptyDir"];
        assert_eq!(volume["medium"], "Memory");
        assert!(volume["sizeLimit"].is_string());
        for container in pod.all() {
            let mounts = list(&container["volumeMounts"]);
            let mount = mounts.iter().find(|one| one["name"] == SIDECAR);
            let mount = mount.expect("it is mounted");
            let may_write = mount["readOnly"] != true;
            assert_eq!(may_write, container["name"] == SIDECAR, "{}", pod.of);
        }
        let mode = variable(pod.sidecar(), "IRSA_SIDECAR_AUTHORIZATION_TOKEN_MODE");
        assert_eq!(mode.expect("a mode")["value"], "0644");
    }
}
