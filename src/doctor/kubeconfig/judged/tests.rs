use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, UNIX_EPOCH};

use super::super::{OfKubectl, look};
use super::*;
use crate::doctor::Verdict;

/// A folder with a kubeconfig whose user has these lines.
struct Here(tempfile::TempDir);

const SERVER: &str = "https://a.eks.amazonaws.com";

impl Here {
    fn with(user: &str) -> Self {
        let here = Here(tempfile::tempdir().unwrap());
        here.file(
            "config",
            &format!(
                "current-context: demo\n\
             contexts: [{{name: demo, context: {{cluster: demo, user: me}}}}]\n\
             clusters: [{{name: demo, cluster: {{server: '{SERVER}'}}}}]\n\
             users:\n- name: me\n  user: {user}\n"
            ),
        );
        here
    }

    fn file(&self, name: &str, content: &str) {
        fs::write(self.0.path().join(name), content).unwrap();
    }

    fn program(&self, name: &str, mode: u32) {
        self.file(name, "#!/bin/sh\n");
        fs::set_permissions(self.0.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn change(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.0.path().join("config")).unwrap();
        assert!(text.contains(from), "{text}");
        self.file("config", &text.replace(from, to));
    }

    fn judged(&self) -> Verdict {
        let surroundings = OfKubectl {
            kubeconfig: Some(self.0.path().join("config").into()),
            path: Some(self.0.path().into()),
            ..OfKubectl::default()
        };
        judge(
            &look(&surroundings),
            UNIX_EPOCH + Duration::from_secs(1_800_000_000),
        )
        .verdict
    }

    #[track_caller]
    fn finds(&self, finding: Finding, words: &[&str]) {
        let Verdict::Failed(diagnosis) = self.judged() else {
            panic!("{:?}", self.judged());
        };
        let said = diagnosis.to_string();
        assert_eq!(diagnosis.finding, finding, "{said}");
        assert!(!said.contains("hunter2"), "{said}");
        for words in words {
            assert!(said.contains(words), "no {words:?} in {said}");
        }
    }

    #[track_caller]
    fn fine(&self) -> String {
        match self.judged() {
            Verdict::Fine(found) => found,
            other => panic!("{other:?}"),
        }
    }
}

const EXEC: &str = "{exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: aws}}";
const TOKEN_FILE: &str = "{tokenFile: demo.eks-token}";
/// `{"alg":"none"}` and `{"aud":["sts.amazonaws.com"]}` or another audience.
const OF_STS: &str = "eyJhbGciOiJub25lIn0.eyJhdWQiOlsic3RzLmFtYXpvbmF3cy5jb20iXX0.aHVudGVyMg";
const OF_API: &str =
    "eyJhbGciOiJub25lIn0.eyJhdWQiOlsiaHR0cHM6Ly9rdWJlcm5ldGVzLmRlZmF1bHQuc3ZjIl19.aHVudGVyMg";

#[test]
fn a_command_has_to_be_a_program_where_kubectl_looks_for_it() {
    let here = Here::with(EXEC);
    let missing = findings::KUBECONFIG_COMMAND_MISSING;
    here.finds(
        missing,
        &[
            "exec: executable aws not found",
            "in no directory of PATH",
            "command: /DIR/irsa-sidecar",
        ],
    );
    here.program("aws", 0o644);
    here.finds(missing, &["executable aws not found"]);
    here.program("aws", 0o755);
    let found = here.fine();
    assert!(
        found.contains("/aws for client.authentication.k8s.io/v1beta1"),
        "{found}"
    );
    let other = Here::with(&EXEC.replace("aws", "aws-iam-authenticator"));
    // Its arguments are its own.
    other.finds(missing, &["args: [get-token, --cluster-name, NAME]"]);
    here.change("command: aws", "command: ./bin/aws");
    here.finds(missing, &["which is not there"]);
    fs::create_dir(here.0.path().join("bin")).unwrap();
    here.program("bin/aws", 0o600);
    here.finds(missing, &["no file that may be run"]);
    here.program("bin/aws", 0o700);
    here.fine();
}

#[test]
fn a_version_that_kubectl_does_not_take_is_named() {
    let here = Here::with(EXEC);
    here.program("aws", 0o755);
    for version in ["v1alpha1", "v2"] {
        let here = Here::with(&EXEC.replace("v1beta1", version));
        here.program("aws", 0o755);
        here.finds(
            findings::KUBECONFIG_API_VERSION,
            &[version, "invalid apiVersion"],
        );
    }
    let none = Here::with("{exec: {command: aws}}");
    none.finds(findings::KUBECONFIG_API_VERSION, &["names no apiVersion"]);
    here.change("v1beta1", "v1");
    here.finds(findings::KUBECONFIG_UNREADABLE, &["interactiveMode: Never"]);
    here.change("command: aws", "command: aws, interactiveMode: Never");
    here.fine();
}

#[test]
fn a_token_file_has_to_be_there_and_hold_a_token_for_a_cluster() {
    let here = Here::with(TOKEN_FILE);
    let wrong = |words: &[&str]| here.finds(findings::KUBECONFIG_TOKEN_FILE, words);
    wrong(&["demo.eks-token, which is not there", "--eks-cluster"]);
    here.file("demo.eks-token", " \n");
    wrong(&["which is empty"]);
    here.file("demo.eks-token", "hunter2");
    wrong(&["does not begin with k8s-aws-v1."]);
    here.file("demo.eks-token", "k8s-aws-v1.aHVudGVyMg");
    wrong(&["input token was not properly formatted"]);
    here.file("demo.eks-token", OF_STS);
    wrong(&["a web identity token for sts.amazonaws.com"]);
    here.file("demo.eks-token", OF_API);
    let found = here.fine();
    assert!(found.contains("a service account's token, in"), "{found}");
    fs::remove_file(here.0.path().join("demo.eks-token")).unwrap();
    fs::create_dir(here.0.path().join("demo.eks-token")).unwrap();
    wrong(&["which is a directory"]);
}

#[test]
fn a_token_of_another_vendor_is_no_trouble_where_nothing_says_eks() {
    let here = Here::with("{tokenFile: token}");
    here.file("token", "hunter2");
    here.finds(findings::KUBECONFIG_TOKEN_FILE, &["does not begin with"]);
    here.change(SERVER, "https://kubernetes.example.com:6443");
    let found = here.fine();
    assert!(found.contains("a token of another kind, in"), "{found}");
    // The sidecar writes such a name.
    here.change("tokenFile: token", "tokenFile: demo.eks-token");
    here.file("demo.eks-token", "hunter2");
    here.finds(findings::KUBECONFIG_TOKEN_FILE, &["does not begin with"]);
}

#[test]
fn an_eks_token_is_judged_by_its_age_wherever_it_stands() {
    let vectors: serde_json::Value = serde_json::from_str(include_str!(
        "../../../../tests/data/eks-token-vectors.json"
    ))
    .unwrap();
    let vector = &vectors["vectors"][0];
    let token = vector["output"]["token"].as_str().unwrap();
    let here = Here::with(TOKEN_FILE);
    here.file("demo.eks-token", token);
    here.finds(
        findings::KUBECONFIG_TOKEN_FILE,
        &["is expired", "lasts for 15 minutes"],
    );
    let inline = Here::with(&format!("{{token: {token}}}"));
    inline.finds(
        findings::KUBECONFIG_TOKEN_FILE,
        &["in the kubeconfig itself", "is expired"],
    );
    let foreign = Here::with("{token: hunter2}");
    let found = foreign.fine();
    assert!(!found.contains("hunter2"), "{found}");
}

#[test]
fn no_token_is_sent_over_plain_http() {
    let here = Here::with(EXEC);
    here.program("aws", 0o755);
    here.change(SERVER, "http://me:hunter2@a.eks.amazonaws.com");
    here.finds(
        findings::KUBECONFIG_PLAIN_HTTP,
        &["\"http://a.eks.amazonaws.com\"", "https://"],
    );
    // kubectl proxy logs in by itself.
    for user in ["{}", EXEC, TOKEN_FILE, "{token: hunter2}"] {
        for here in ["127.0.0.1", "localhost", "[::1]"] {
            let proxy = Here::with(user);
            proxy.change(SERVER, &format!("http://{here}:8001"));
            let found = proxy.fine();
            assert!(found.contains("kubectl sends no token to"), "{found}");
        }
    }
}

#[test]
fn a_kubeconfig_that_kubectl_cannot_use_says_why() {
    let here = Here::with(EXEC);
    here.change("current-context: demo", "current-context: other");
    let unusable = findings::KUBECONFIG_UNREADABLE;
    here.finds(unusable, &["no context \"other\""]);
    here.file("config", "hunter2: [");
    here.finds(unusable, &["is no YAML in line 1"]);
    here.file("config", "");
    here.finds(
        unusable,
        &["no current-context", "service account's own token"],
    );
    here.file("config", "a: &b hunter2\nc: *b\n");
    assert!(matches!(here.judged(), Verdict::Skipped(why) if why.contains("an alias")));
    fs::remove_file(here.0.path().join("config")).unwrap();
    here.finds(
        unusable,
        &[
            "there is no such file",
            "automountServiceAccountToken: false",
        ],
    );
    fs::create_dir(here.0.path().join("config")).unwrap();
    here.finds(unusable, &["is a directory"]);
    let nothing = judge(&look(&OfKubectl::default()), UNIX_EPOCH).verdict;
    assert!(matches!(nothing, Verdict::Skipped(_)), "{nothing:?}");
}
