//! From JSON to a pod.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Json;

use super::{Container, NotAPodKind, Pod, Reference, Value};
use crate::diagnosis::word;

/// The one pod in this text.
pub(super) fn pod(text: &[u8]) -> Result<Pod, NotAPodKind> {
    if text.iter().all(u8::is_ascii_whitespace) {
        return Err(NotAPodKind::Empty);
    }
    // serde_json's own words repeat what it finds.
    let found: Json = serde_json::from_slice(text).map_err(|error| NotAPodKind::NotJson {
        line: error.line(),
        column: error.column(),
    })?;
    let found = the_one(found)?;
    let object: Object = serde_json::from_value(found).map_err(|_| NotAPodKind::Fields)?;
    Ok(object.into_pod())
}

fn the_one(found: Json) -> Result<Json, NotAPodKind> {
    let Some(kind) = found.get("kind").and_then(Json::as_str) else {
        return Err(NotAPodKind::NotAnObject);
    };
    match kind {
        "Pod" => Ok(found),
        "List" | "PodList" => {
            let items = found.get("items").and_then(Json::as_array);
            let items = items.map(Vec::as_slice).unwrap_or_default();
            let [item] = items else {
                return Err(NotAPodKind::Items(items.len()));
            };
            // The items of a PodList of the API say nothing of their kind.
            match item.get("kind").and_then(Json::as_str) {
                None | Some("Pod") => Ok(item.clone()),
                Some(other) => Err(NotAPodKind::Kind(word(other))),
            }
        }
        other => Err(NotAPodKind::Kind(word(other))),
    }
}

#[derive(Deserialize)]
struct Object {
    #[serde(default)]
    metadata: Metadata,
    spec: Spec,
}

#[derive(Default, Deserialize)]
struct Metadata {
    name: Option<String>,
    namespace: Option<String>,
    annotations: Option<BTreeMap<String, String>>,
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    service_account_name: Option<String>,
    init_containers: Option<Vec<ContainerSpec>>,
    containers: Vec<ContainerSpec>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContainerSpec {
    name: String,
    image: Option<String>,
    command: Option<Vec<String>>,
    args: Option<Vec<String>>,
    env: Option<Vec<EnvVar>>,
    env_from: Option<Vec<Json>>,
    volume_mounts: Option<Vec<VolumeMount>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EnvVar {
    name: String,
    value: Option<String>,
    value_from: Option<BTreeMap<String, Source>>,
}

/// Of a `configMapKeyRef` or `secretKeyRef`; the others are always there.
#[derive(Deserialize)]
struct Source {
    optional: Option<bool>,
}

#[derive(Deserialize)]
struct VolumeMount {
    name: String,
}

impl Object {
    fn into_pod(self) -> Pod {
        let init = self.spec.init_containers.unwrap_or_default().into_iter();
        let specs = init.chain(self.spec.containers);
        Pod {
            given: true,
            name: self.metadata.name,
            namespace: self.metadata.namespace,
            service_account: self.spec.service_account_name,
            annotations: self.metadata.annotations.unwrap_or_default(),
            labels: self.metadata.labels.unwrap_or_default(),
            containers: specs.map(ContainerSpec::into_container).collect(),
        }
    }
}

impl ContainerSpec {
    fn into_container(self) -> Container {
        let env = self.env.unwrap_or_default().into_iter();
        let mut container = Container {
            name: Some(self.name),
            image: self.image,
            command: self.command.unwrap_or_default(),
            args: self.args.unwrap_or_default(),
            env: env.map(EnvVar::into_variable).collect(),
            has_env_from: self.env_from.is_some_and(|sources| !sources.is_empty()),
            mounts: self
                .volume_mounts
                .unwrap_or_default()
                .into_iter()
                .map(|mount| mount.name)
                .collect(),
            is_ours: false,
        };
        container.is_ours = container.runs_this_program();
        container
    }
}

impl EnvVar {
    fn into_variable(self) -> (String, Value) {
        let source = self.value_from.and_then(|from| from.into_iter().next());
        let value = match source {
            Some((_, source)) => Value::From(match source.optional {
                Some(true) => Reference::Optional,
                _ => Reference::Required,
            }),
            None => Value::Text(self.value.unwrap_or_default()),
        };
        (self.name, value)
    }
}
