//! Kustomizations, rendered by kubectl and read.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::kubectl::client::Kubectl;
use crate::sidecar::read;

/// Workloads of every kind that the component knows, as their owners wrote them.
pub const WORKLOADS: &str = include_str!("workloads.yaml");

/// One object, as JSON.
pub type Object = Value;

pub fn manifests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests")
}

/// The folders of all kustomizations that a user may name; those in `parts` are no use alone.
fn folders() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut to_see = vec![manifests()];
    while let Some(folder) = to_see.pop() {
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
        let entries = entries.map(|entry| entry.expect("an entry").path());
        to_see.extend(entries.filter(|path| path.is_dir() && !path.ends_with("parts")));
        if folder.join("kustomization.yaml").exists() {
            found.push(folder);
        }
    }
    found.sort();
    found
}

/// By its place under `manifests/`.
fn name_of(folder: &Path) -> String {
    let name = folder.strip_prefix(manifests());
    name.expect("a folder of manifests").display().to_string()
}

fn is_component(folder: &Path) -> bool {
    read(&folder.join("kustomization.yaml")).contains("kind: Component\n")
}

/// All that there is to apply, by the name of its folder. Rendered once, since many look at it.
pub fn every() -> &'static [(String, Vec<Object>)] {
    static EVERY: OnceLock<Vec<(String, Vec<Object>)>> = OnceLock::new();
    EVERY.get_or_init(|| {
        let folders = folders().into_iter();
        folders
            .map(|folder| (name_of(&folder), rendered(&folder)))
            .collect()
    })
}

/// A component cannot be rendered alone: with the workloads of these tests. Everything else as it is.
pub fn rendered(folder: &Path) -> Vec<Object> {
    match is_component(folder) {
        true => with_components(WORKLOADS, &[folder], ""),
        false => render(&Kubectl::one(), folder),
    }
}

/// These objects with these components, in a kustomization with these lines more.
pub fn with_components(objects: &str, components: &[&Path], more: &str) -> Vec<Object> {
    let user = User::new(objects, components, more);
    render(&Kubectl::one(), user.folder())
}

/// A user's kustomization.
pub struct User(TempDir);

impl User {
    pub fn new(objects: &str, components: &[&Path], more: &str) -> Self {
        let user = User(tempfile::tempdir().expect("a temporary directory"));
        fs::write(user.0.path().join("objects.yaml"), objects).expect("a file");
        user.write(&["objects.yaml".as_ref()], components, more);
        user
    }

    /// On top of others.
    pub fn over(others: &[&User], components: &[&Path], more: &str) -> Self {
        let user = User(tempfile::tempdir().expect("a temporary directory"));
        let folders: Vec<PathBuf> = others
            .iter()
            .map(|other| relative(other.folder(), user.folder()))
            .collect();
        let folders: Vec<&Path> = folders.iter().map(PathBuf::as_path).collect();
        user.write(&folders, components, more);
        user
    }

    pub fn folder(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, resources: &[&Path], components: &[&Path], more: &str) {
        let components: Vec<PathBuf> = components
            .iter()
            .map(|component| relative(component, self.folder()))
            .collect();
        // JSON is YAML.
        let lines = format!(
            "resources: {}\ncomponents: {}\n{more}",
            json!(resources),
            json!(components)
        );
        fs::write(self.folder().join("kustomization.yaml"), lines).expect("a file");
    }
}

/// kustomize takes no absolute paths.
fn relative(to: &Path, from: &Path) -> PathBuf {
    let real = |path: &Path| path.canonicalize().expect("a folder");
    let (to, from) = (real(to), real(from));
    let up = from.components().skip(1).map(|_| "..");
    let down = to.components().skip(1).map(|part| part.as_os_str());
    up.map(AsRef::as_ref).chain(down).collect()
}

pub fn render(kubectl: &Kubectl, folder: &Path) -> Vec<Object> {
    objects(&text(kubectl, folder))
}

pub fn text(kubectl: &Kubectl, folder: &Path) -> String {
    let finished = kubectl.kustomize(folder);
    assert!(
        finished.status.success(),
        "{kubectl} kustomize {}: {}",
        folder.display(),
        finished.stderr
    );
    finished.stdout
}

pub fn objects(yaml: &str) -> Vec<Object> {
    let documents = yaml.split("\n---\n").filter(|text| !text.trim().is_empty());
    documents
        .map(|text| serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}")))
        .collect()
}

/// `Kind/name`.
pub fn called(object: &Object) -> String {
    let text = |value: &Value| value.as_str().expect("a string").to_owned();
    format!(
        "{}/{}",
        text(&object["kind"]),
        text(&object["metadata"]["name"])
    )
}
