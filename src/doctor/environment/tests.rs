use crate::doctor::pod::{Pod, of_json};

/// A pod with containers of these names.
pub(super) fn pod(names: &[&str]) -> Pod {
    let containers: Vec<String> = names
        .iter()
        .map(|name| format!(r#"{{"name": "{name}"}}"#))
        .collect();
    with(&containers.join(", "))
}

/// A pod with these containers, in JSON.
pub(super) fn with(containers: &str) -> Pod {
    of_json(&format!(
        r#"{{"kind": "Pod", "metadata": {{"name": "app-1", "namespace": "team"}},
            "spec": {{"serviceAccountName": "app", "containers": [{containers}]}}}}"#
    ))
}

/// A container with these variables.
pub(super) fn container(name: &str, env: &[(&str, &str)]) -> String {
    let env: Vec<String> = env
        .iter()
        .map(|(name, value)| format!(r#"{{"name": "{name}", "value": "{value}"}}"#))
        .collect();
    format!(r#"{{"name": "{name}", "env": [{}]}}"#, env.join(", "))
}

/// What a process sees of itself.
pub(super) fn process(env: &[(&str, &str)]) -> Pod {
    let env: Vec<(std::ffi::OsString, std::ffi::OsString)> = env
        .iter()
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    Pod::of_this_process(&env, None)
}
