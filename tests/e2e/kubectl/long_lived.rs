//! Processes that live longer than a token: `kubectl proxy` stands for every program of client-go.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::Instant;

use super::client::Kubectl;
use super::{kubeconfig_with_plugin, sidecar_with_files};
use crate::sidecar::{Answer, Launch, PATIENCE, Pod, eventually_within, read, request};

/// client-go looks at a token file again after 50 s.
const REREAD: Duration = Duration::from_secs(50);
const BETWEEN_REQUESTS: Duration = Duration::from_millis(250);

/// `kubectl proxy`; ends with the test.
struct Proxy {
    child: Child,
    address: SocketAddr,
    _home: TempDir,
}

impl Proxy {
    fn start(kubeconfig: &Path, plugin: &Launch) -> Self {
        let home = tempfile::tempdir().expect("a temporary directory");
        let mut child = Kubectl::one()
            .command(&home, kubeconfig, plugin)
            .args(["proxy", "--port=0"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("kubectl starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("a pipe");
        let read = BufReader::new(stdout).read_line(&mut line);
        let address = line.trim().rsplit(' ').next().map(str::parse);
        let Some(Ok(address)) = address else {
            panic!("kubectl proxy says {line:?}: {read:?}");
        };
        Proxy {
            child,
            address,
            _home: home,
        }
    }

    fn pods(&self) -> Answer {
        let answer = request(self.address, "GET", "/api/v1/namespaces/default/pods", &[]);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The tokens that the cluster saw, one after the other.
fn tokens(pod: &Pod) -> Vec<String> {
    let requests = pod.emulator.cluster().requests();
    let mut tokens: Vec<String> = requests.into_iter().filter_map(|one| one.token).collect();
    tokens.dedup();
    tokens
}

/// Asks every now and then, and is answered every time, until the cluster has seen another token.
fn asks_until_the_token_changes(
    pod: &Pod,
    proxy: &Proxy,
    patience: Duration,
    mut meanwhile: impl FnMut(),
) {
    let mut last = Instant::now();
    let changed = eventually_within(patience, || {
        meanwhile();
        if last.elapsed() > BETWEEN_REQUESTS {
            last = Instant::now();
            proxy.pods();
        }
        tokens(pod).len() > 1
    });
    assert!(changed, "the same token for {patience:?}");
}

#[test]
fn the_plugin_is_run_again_when_the_life_that_it_told_is_over_and_not_before() {
    let pod = Pod::new();
    let kubeconfig = {
        let sidecar = pod.ready_sidecar();
        kubeconfig_with_plugin(&pod, &sidecar, &[])
    };
    // The token is told to live a minute less than its credentials.
    let sts = pod.emulator.sts();
    sts.set_session_lifetime(Some(Duration::from_secs(70)));
    let exchanges = sts.exchanges();
    let proxy = Proxy::start(&kubeconfig, &pod.alone([""; 0]));
    proxy.pods();
    asks_until_the_token_changes(&pod, &proxy, Duration::from_secs(60), || {});
    let two = sts.issued();
    let [first, second] = &two[exchanges..] else {
        panic!("{} runs", two.len() - exchanges);
    };
    let told = first.expiration - Duration::from_secs(60);
    let requests = pod.emulator.cluster().requests();
    let earlier = tokens(&pod)[0].clone();
    let later = requests
        .iter()
        .find(|one| one.token.as_ref() != Some(&earlier));
    assert!(later.expect("a request").at >= told);
    assert_ne!(first.access_key_id, second.access_key_id);
}

#[test]
fn a_process_that_lives_long_sees_the_token_file_change() {
    let pod = Pod::new();
    // The token is told to live for 60 s, and so the file is written anew after 30; the first one is good for 120.
    let lifetime = Duration::from_secs(120);
    pod.emulator.sts().set_session_lifetime(Some(lifetime));
    let (sidecar, kubeconfig) = sidecar_with_files(&pod);
    let file = pod.path("eks/demo.eks-token");
    let mut written = vec![read(&file)];
    let proxy = Proxy::start(&kubeconfig, &Launch::new([""; 0]));
    proxy.pods();
    asks_until_the_token_changes(&pod, &proxy, REREAD + PATIENCE, || {
        let now = read(&file);
        if !written.contains(&now) {
            written.push(now);
        }
    });
    let seen = tokens(&pod);
    let all_written = seen.iter().all(|token| written.contains(token));
    assert!(all_written, "{seen:?}\n{}", sidecar.log());
}
