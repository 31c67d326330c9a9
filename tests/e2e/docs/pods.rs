//! The pods to copy: those that the guides show are the component's, as far as they go.

use std::path::Path;

use serde_json::{Value, json};

use super::doc;
use crate::manifests::rendered::objects;
use crate::sidecar::{Launch, Pod, read};

const README: &str = "README.md";
/// Where pods with a sidecar stand.
const GUIDES: [&str; 3] = [README, "docs/kubectl.md", "docs/legacy-apps.md"];
/// An issuer that is not EKS's: it names no region.
const ELSEWHERE: &str = "https://oidc.example.com";

/// The sidecar in each of a guide's pods.
fn sidecars(guide: &str) -> Vec<Value> {
    let text = doc(guide);
    let blocks = text.split("```yaml\n").skip(1);
    let blocks = blocks.filter_map(|rest| rest.split("\n```").next());
    let blocks = blocks.filter(|block| block.contains("- name: irsa-sidecar\n"));
    let pods = blocks.flat_map(objects);
    let found: Vec<Value> = pods
        .filter_map(|object| {
            let paths = ["/spec/template/spec", "/spec"];
            let spec = paths.iter().find_map(|path| object.pointer(path))?;
            let containers = spec["initContainers"].as_array()?.iter();
            let mut ours = containers.filter(|one| one["name"] == "irsa-sidecar");
            ours.next().cloned()
        })
        .collect();
    assert!(!found.is_empty(), "{guide} shows no pod");
    found
}

fn of_component() -> Value {
    let path = "manifests/component/parts/sidecar/pod-template.yaml";
    let template = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(path));
    let template = objects(&template).remove(0);
    template["template"]["spec"]["initContainers"][0].clone()
}

/// Its variables that have a value here.
fn values(container: &Value) -> Vec<(&str, &str)> {
    let env = container["env"].as_array().into_iter().flatten();
    env.filter_map(|one| Some((one["name"].as_str()?, one["value"].as_str()?)))
        .collect()
}

#[test]
fn the_pods_of_the_guides_are_started_restarted_and_probed_as_the_components() {
    let component = of_component();
    let mut probe = component["startupProbe"].clone();
    // A snippet need not name the port.
    assert_eq!(probe["httpGet"]["port"], component["ports"][0]["name"]);
    probe["httpGet"]["port"] = component["ports"][0]["containerPort"].clone();
    for guide in GUIDES {
        for sidecar in sidecars(guide) {
            assert_eq!(sidecar["startupProbe"], probe, "{guide}");
            assert_eq!(sidecar["restartPolicy"], "Always", "{guide}");
        }
    }
}

#[test]
fn the_pods_of_the_guides_name_a_region_for_the_sidecar_too() {
    for guide in GUIDES {
        for sidecar in sidecars(guide) {
            let region = ("AWS_REGION", "eu-west-1");
            assert!(values(&sidecar).contains(&region), "{guide}: {sidecar}");
        }
    }
}

/// With nothing but what it says there: on a cluster of any kind it comes as far as STS, which does not know that issuer.
#[test]
fn the_pod_of_the_readme_starts_on_any_cluster() {
    let sidecar = sidecars(README).remove(0);
    let mut pod = Pod::new();
    pod.request.claims_patch = json!({ "iss": ELSEWHERE });
    pod.rotate();
    let args = sidecar["args"].as_array().expect("arguments").iter();
    let mut launch = Launch::new(args.map(|it| it.as_str().expect("a string")));
    for (name, value) in values(&sidecar) {
        launch = launch.env(name, value);
    }
    // Only the places are others here.
    let running = launch
        .env("IRSA_SIDECAR_TOKEN_FILE", pod.volume.token_path())
        .env("AWS_ENDPOINT_URL_STS", pod.emulator.url())
        .env("IRSA_SIDECAR_LISTEN", "127.0.0.1:0")
        .env("IRSA_SIDECAR_OPS_LISTEN", "127.0.0.1:0")
        .start();
    running.wait_finding("sts-no-provider");
}
