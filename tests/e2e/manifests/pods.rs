//! Pods, as they stand in objects of every kind.

use serde_json::{Map, Value};

use super::rendered::Object;

/// The one name of the container.
pub const SIDECAR: &str = "irsa-sidecar";

/// A pod template, or the pod itself: `metadata` and `spec`.
#[derive(Debug, Clone, PartialEq)]
pub struct Pod {
    /// `Kind/name` of what it stands in.
    pub of: String,
    pub template: Value,
}

impl Pod {
    /// That of this object, if it has any.
    pub fn in_object(object: &Object) -> Option<Pod> {
        let template = match object["kind"].as_str()? {
            "Pod" => object,
            "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Job" => {
                &object["spec"]["template"]
            }
            "CronJob" => &object["spec"]["jobTemplate"]["spec"]["template"],
            _ => return None,
        };
        Some(Pod {
            of: super::rendered::called(object),
            template: template.clone(),
        })
    }

    pub fn every(objects: &[Object]) -> Vec<Pod> {
        objects.iter().filter_map(Pod::in_object).collect()
    }

    pub fn init_containers(&self) -> &[Value] {
        list(&self.template["spec"]["initContainers"])
    }

    pub fn containers(&self) -> &[Value] {
        list(&self.template["spec"]["containers"])
    }

    /// In the order in which they start.
    pub fn all(&self) -> impl Iterator<Item = &Value> {
        self.init_containers().iter().chain(self.containers())
    }

    pub fn volumes(&self) -> &[Value] {
        list(&self.template["spec"]["volumes"])
    }

    pub fn sidecar(&self) -> &Value {
        let sidecar = self.all().find(|container| container["name"] == SIDECAR);
        sidecar.unwrap_or_else(|| panic!("{} has no sidecar", self.of))
    }

    /// Those that are not ours.
    pub fn apps(&self) -> impl Iterator<Item = &Value> {
        self.all().filter(|container| !is_ours(container))
    }

    pub fn spec_mut(&mut self) -> &mut Map<String, Value> {
        let spec = self.template["spec"].as_object_mut();
        spec.expect("a pod has a spec")
    }
}

/// Whether our program runs in it.
pub fn is_ours(container: &Value) -> bool {
    let image = container["image"].as_str().unwrap_or_default();
    let name = image.rsplit('/').next().unwrap_or_default();
    name.split([':', '@']).next() == Some(SIDECAR)
}

pub fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

pub fn name(value: &Value) -> &str {
    value["name"].as_str().expect("a name")
}

/// The names of a container's variables, in order.
pub fn variables(container: &Value) -> Vec<&str> {
    list(&container["env"]).iter().map(name).collect()
}

pub fn variable<'a>(container: &'a Value, wanted: &str) -> Option<&'a Value> {
    list(&container["env"])
        .iter()
        .find(|variable| variable["name"] == wanted)
}
