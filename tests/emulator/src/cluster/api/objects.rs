//! The objects of the cluster: a few namespaces and one pod, as lists, alone, or as the table that `kubectl get` asks
//! for.

use hyper::HeaderMap;
use hyper::header::ACCEPT;
use serde_json::{Value, json};

use super::discovery::{CORE, Resource};
use super::response::Reply;
use crate::cluster::rbac::ResourceAttempt;

const NAMESPACES: [&str; 5] = [
    "default",
    "kube-node-lease",
    "kube-public",
    "kube-system",
    "team",
];
const CREATED: &str = "2025-01-02T03:04:05Z";

/// Answers for a resource; who may has been decided.
pub(super) fn reply(attempt: &ResourceAttempt, headers: &HeaderMap) -> Reply {
    let in_core = attempt.group.is_empty();
    let is = |resource: &&Resource| in_core && resource.name == attempt.resource;
    let Some(Resource { kind, .. }) = CORE.iter().find(is) else {
        return Reply::no_such_resource();
    };
    let mut objects = match attempt.resource.as_str() {
        "namespaces" => NAMESPACES.iter().map(|name| namespace(name)).collect(),
        "pods" if ["", "default"].contains(&attempt.namespace.as_str()) => vec![pod()],
        _ => Vec::new(),
    };
    match attempt.verb.as_str() {
        // Nothing ever happens here: a watch that has ended.
        "watch" => return Reply::ended_watch(),
        "list" => {}
        "get" => {
            objects.retain(|object| object["metadata"]["name"] == *attempt.name);
            if objects.is_empty() {
                return Reply::not_found(attempt);
            }
        }
        _ => return Reply::method_not_allowed(),
    }
    let accept = headers.get(ACCEPT).map(|value| value.as_bytes());
    let accept = String::from_utf8_lossy(accept.unwrap_or_default());
    let object = if accept.contains("as=Table") {
        table(&objects)
    } else if attempt.verb == "get" {
        objects.remove(0)
    } else {
        json!({
            "kind": format!("{kind}List"),
            "apiVersion": "v1",
            "metadata": { "resourceVersion": "1" },
            "items": objects,
        })
    };
    Reply::object(200, &object)
}

fn namespace(name: &str) -> Value {
    json!({
        "kind": "Namespace",
        "apiVersion": "v1",
        "metadata": { "name": name, "uid": uid(name), "creationTimestamp": CREATED },
        "spec": { "finalizers": ["kubernetes"] },
        "status": { "phase": "Active" },
    })
}

fn pod() -> Value {
    let name = "app-7d9f8b6c5-x2x4q";
    json!({
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": uid(name),
            "creationTimestamp": CREATED,
        },
        "spec": {
            "nodeName": "ip-10-0-0-1.eu-west-1.compute.internal",
            "serviceAccountName": "app",
            "containers": [{ "name": "app", "image": "app:1" }],
        },
        "status": {
            "phase": "Running",
            "podIP": "10.0.0.2",
            "containerStatuses": [{
                "name": "app",
                "image": "app:1",
                "imageID": "app:1",
                "ready": true,
                "restartCount": 0,
                "state": { "running": { "startedAt": CREATED } },
                "lastState": {},
            }],
        },
    })
}

/// The same for the same name.
fn uid(name: &str) -> String {
    let sum = name
        .bytes()
        .fold(0_u64, |sum, byte| sum * 31 % 0xffff_ffff + u64::from(byte));
    format!("{sum:08x}-0000-4000-a000-000000000000")
}

fn table(objects: &[Value]) -> Value {
    let column = |name: &str| {
        let format = if name == "Name" { "name" } else { "" };
        json!({ "name": name, "type": "string", "format": format, "description": "", "priority": 0 })
    };
    let is_pod = |object: &Value| object["kind"] == "Pod";
    let of_pods = objects.iter().any(is_pod);
    let names: &[&str] = if of_pods {
        &["Name", "Ready", "Status", "Restarts", "Age"]
    } else {
        &["Name", "Status", "Age"]
    };
    let row = |object: &Value| {
        let (metadata, phase) = (&object["metadata"], &object["status"]["phase"]);
        let cells = if of_pods {
            json!([metadata["name"], "1/1", phase, "0", "1d"])
        } else {
            json!([metadata["name"], phase, "1d"])
        };
        let partial = json!({
            "kind": "PartialObjectMetadata",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": metadata,
        });
        json!({ "cells": cells, "object": partial })
    };
    json!({
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": { "resourceVersion": "1" },
        "columnDefinitions": names.iter().map(|name| column(name)).collect::<Vec<_>>(),
        "rows": objects.iter().map(row).collect::<Vec<_>>(),
    })
}
