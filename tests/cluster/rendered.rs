//! What kustomize makes of the project's manifests, and the little that is other here.

use serde_json::{Value, json};

use crate::kubectl::Kubectl;

/// Where the pods find the CA of AWS.
const CA_FILE: &str = "/emulator/ca.pem";
/// What stands in for the images that the examples leave to their readers.
const IMAGES: [(&str, &str); 2] = [("the-app", "test/app"), ("kubectl", "test/kubectl")];

/// A kustomization of a test.
pub struct Rendered {
    folder: String,
    settings: Vec<String>,
    patches: Vec<String>,
    app_variables: Vec<&'static str>,
}

impl Rendered {
    /// A folder of `manifests/examples`.
    pub fn example(name: &str) -> Self {
        Rendered::folder(&format!("examples/{name}"))
    }

    /// A folder of `manifests`.
    pub fn folder(name: &str) -> Self {
        Rendered {
            folder: name.to_owned(),
            settings: Vec::new(),
            patches: Vec::new(),
            app_variables: Vec::new(),
        }
    }

    /// With a setting of the sidecar, `NAME=value`.
    pub fn setting(mut self, literal: &str) -> Self {
        self.settings.push(literal.to_owned());
        self
    }

    /// With a change to an object that has this kind and name.
    pub fn patch(mut self, yaml: &str) -> Self {
        self.patches.push(yaml.to_owned());
        self
    }

    /// With a variable for the app, by which it knows what the test wants of it.
    pub fn tells_app(mut self, variable: &'static str) -> Self {
        self.app_variables.push(variable);
        self
    }

    /// The objects, as kustomize writes them.
    #[track_caller]
    pub fn objects(&self, kubectl: &Kubectl) -> Vec<Value> {
        let made = tempfile::tempdir().expect("a directory");
        let folder = made.path().canonicalize().expect("it is there");
        // Absolute paths are not taken.
        let up = "../".repeat(folder.components().count() - 1);
        let root = format!("{}{}", up.trim_end_matches('/'), env!("CARGO_MANIFEST_DIR"));
        let patches = self.patches.iter().map(|patch| json!({ "patch": patch }));
        let images = IMAGES
            .iter()
            .map(|(name, new)| json!({ "name": name, "newName": new, "newTag": "1" }));
        let mut kustomization = json!({
            "resources": [format!("{root}/manifests/{}", self.folder)],
            "images": images.collect::<Vec<_>>(),
            "patches": patches.collect::<Vec<_>>(),
        });
        if !self.settings.is_empty() {
            kustomization["configMapGenerator"] =
                json!([{ "name": "irsa-sidecar", "behavior": "merge", "literals": self.settings }]);
        }
        let kustomization = kustomization.to_string();
        std::fs::write(folder.join("kustomization.yaml"), &kustomization).expect("a file");
        let rendered = kubectl.run(["kustomize".as_ref(), folder.as_os_str()]);
        let yaml = rendered.unwrap_or_else(|error| panic!("{error}\n{kustomization}"));
        serde_saphyr::from_multiple(&yaml).expect("YAML of kustomize")
    }

    /// The same where AWS is the emulator: all containers trust its CA. Not by kustomize, as a patch that names one
    /// container moves it before the others.
    #[track_caller]
    pub fn on_emulator(&self, kubectl: &Kubectl) -> Vec<Value> {
        let mut objects = self.objects(kubectl);
        for object in &mut objects {
            for template in [
                "/spec/template/spec",
                "/spec/jobTemplate/spec/template/spec",
            ] {
                let Some(pod) = object.pointer_mut(template) else {
                    continue;
                };
                trust_emulator(pod);
                let mut containers = list(pod, "containers").iter_mut();
                let Some(app) = containers.find(|container| container["name"] == "app") else {
                    continue;
                };
                let variables = self.app_variables.iter();
                list(app, "env")
                    .extend(variables.map(|name| json!({ "name": name, "value": "1" })));
            }
        }
        objects
    }
}

/// Changes the spec of a pod.
pub fn trust_emulator(pod: &mut Value) {
    list(pod, "volumes")
        .push(json!({ "name": "emulator-ca", "configMap": { "name": "emulator-ca" } }));
    for kind in ["initContainers", "containers"] {
        if pod[kind].is_null() {
            continue;
        }
        for container in list(pod, kind) {
            let mount = json!({ "name": "emulator-ca", "mountPath": "/emulator" });
            list(container, "volumeMounts").push(mount);
            let is_ours = container["image"]
                .as_str()
                .is_some_and(|image| image.starts_with("irsa-sidecar"));
            let environment = match is_ours {
                true => vec![json!({ "name": "AWS_CA_BUNDLE", "value": CA_FILE })],
                false => vec![
                    json!({ "name": "SSL_CERT_FILE", "value": CA_FILE }),
                    json!({ "name": "STS_ENDPOINT_URL", "value": "https://sts.eu-west-1.amazonaws.com" }),
                ],
            };
            list(container, "env").extend(environment);
        }
    }
}

fn list<'a>(of: &'a mut Value, field: &str) -> &'a mut Vec<Value> {
    if of[field].is_null() {
        of[field] = json!([]);
    }
    of[field].as_array_mut().expect("a list")
}
