//! What users put on top of the component: patches, images, settings, and other kustomizations that have it too.

use serde_json::json;

use super::component::{component, container, of, plain_sidecar, token_file};
use super::pods::{Pod, SIDECAR, name, variable, variables};
use super::rendered::{User, WORKLOADS, manifests, render, with_components};
use crate::kubectl::client::Kubectl;
use crate::sidecar::read;

/// In a kustomization.
const SETTINGS: &str = "
configMapGenerator:
- name: irsa-sidecar
  literals: [AWS_REGION=eu-west-1]
";

#[test]
fn kustomizations_with_the_component_fit_into_another() {
    for component in [component(), token_file(), plain_sidecar()] {
        let renamed = WORKLOADS.replace("metadata: {name: ", "metadata: {name: other-");
        let one = User::new(WORKLOADS, &[&component], "");
        let other = User::new(&renamed, &[&component], "");
        let shared = format!("namespace: team\n{SETTINGS}");
        let both = User::over(&[&one, &other], &[], &shared);
        let objects = render(&Kubectl::one(), both.folder());
        let settings = objects.iter().find(|object| object["kind"] == "ConfigMap");
        let settings = &settings.expect("the shared one")["metadata"]["name"];
        let pods = Pod::every(&objects);
        assert_eq!(pods.len(), 12);
        for pod in &pods {
            assert_eq!(pod.sidecar(), pods[0].sidecar());
            let taken = &pod.sidecar()["envFrom"][0]["configMapRef"]["name"];
            // Optional: with another name it would start without, and say nothing.
            assert_eq!(taken, settings, "{}", pod.of);
        }
    }
}

/// What the README says of several apps in one namespace: better refused than the one app with the other's role.
#[test]
fn kustomizations_with_settings_of_their_own_do_not_fit_into_another() {
    let renamed = WORKLOADS.replace("metadata: {name: ", "metadata: {name: other-");
    let one = User::new(WORKLOADS, &[&component()], SETTINGS);
    let other = User::new(&renamed, &[&component()], SETTINGS);
    let both = User::over(&[&one, &other], &[], "");
    let finished = Kubectl::one().kustomize(both.folder());
    assert!(!finished.status.success(), "{}", finished.stdout);
    assert!(finished.stderr.contains("already registered id: ConfigMap"));
}

#[test]
fn what_is_there_already_is_not_doubled() {
    let once = User::new(WORKLOADS, &[&component()], "");
    let twice = User::over(&[&once], &[&component()], "");
    let before = Pod::every(&render(&Kubectl::one(), once.folder()));
    let after = Pod::every(&render(&Kubectl::one(), twice.folder()));
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before.sidecar(), after.sidecar());
        assert_eq!(before.volumes(), after.volumes());
        let names = |pod: &Pod| -> Vec<Vec<String>> {
            let names = pod.all().map(variables);
            names
                .map(|names| names.into_iter().map(str::to_owned).collect())
                .collect()
        };
        assert_eq!(names(before), names(after));
    }
}

#[test]
fn image_settings_and_patches_of_the_user_reach_the_sidecar() {
    let more = "
images: [{name: irsa-sidecar, newName: registry.example.com/tools/irsa-sidecar}]
configMapGenerator:
- name: irsa-sidecar
  literals: [AWS_REGION=eu-west-1]
patches:
- target: {kind: Deployment}
  patch: |-
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: any}
    spec: {template: {spec: {initContainers: [{name: irsa-sidecar, args: [serve, --duration=2h]}]}}}
";
    let rendered = with_components(WORKLOADS, &[&component()], more);
    let settings = rendered.iter().find(|object| object["kind"] == "ConfigMap");
    let settings = settings.expect("a ConfigMap")["metadata"]["name"].clone();
    assert_ne!(settings, SIDECAR, "kustomize puts a hash behind it");
    for pod in Pod::every(&rendered) {
        let sidecar = pod.sidecar();
        let image = sidecar["image"].as_str().expect("an image");
        assert!(image.starts_with("registry.example.com/tools/irsa-sidecar:"));
        assert_eq!(sidecar["envFrom"][0]["configMapRef"]["name"], settings);
        for app in pod.apps() {
            let guard = variable(app, "AWS_WEB_IDENTITY_TOKEN_FILE").expect("it is there");
            assert_eq!(guard["valueFrom"]["configMapKeyRef"]["name"], settings);
        }
        let args = match pod.of == "Deployment/several" {
            true => json!(["serve", "--duration=2h"]),
            false => json!(["serve"]),
        };
        assert_eq!(sidecar["args"], args, "{}", pod.of);
        assert_eq!(name(&pod.init_containers()[0]), SIDECAR, "{}", pod.of);
    }
}

/// With the patch of the README, as it stands there.
#[test]
fn what_the_component_cannot_see_of_a_proxy_is_left_to_the_container_by_a_patch() {
    let readme = read(&manifests().join("README.md"));
    let section = readme.split("\n### Behind a proxy\n").nth(1);
    let block = section.and_then(|text| text.split("```").nth(1));
    let patch = block
        .expect("a block")
        .strip_prefix("yaml\n")
        .expect("YAML");
    let target = "target: {kind: Deployment, name: app}";
    assert!(patch.contains(target), "{patch}");
    let patch = patch.replace(target, "target: {kind: Deployment, name: several}");
    let own = "{name: NO_PROXY, value: \"10.0.0.0/8,.svc\"}";
    let elsewhere = "{name: NO_PROXY, valueFrom: {configMapKeyRef: {name: proxy, key: around}}}";
    for (own_instead, patch, left) in [
        ("{name: no_proxy, value: .svc}", patch.clone(), None),
        (
            elsewhere,
            patch.replace("$patch: delete", "value: null"),
            Some(json!({"configMapKeyRef": {"name": "proxy", "key": "around"}})),
        ),
    ] {
        let workloads = WORKLOADS.replace(own, own_instead);
        assert_ne!(workloads, WORKLOADS);
        let rendered = with_components(&workloads, &[&component()], &patch);
        let pod = Pod::in_object(of(&rendered, "Deployment/several")).expect("a pod");
        let no_proxy = |name| variable(container(&pod, name), "NO_PROXY");
        let found = no_proxy("app").map(|one| &one["valueFrom"]);
        assert_eq!(found, left.as_ref());
        assert!(no_proxy("app").is_none_or(|one| one["value"].is_null()));
        assert!(no_proxy("helper").is_some(), "nobody else's");
        let order: Vec<&str> = pod.init_containers().iter().map(name).collect();
        assert_eq!(order, [SIDECAR, "migrate", "warm-up"]);
    }
}
