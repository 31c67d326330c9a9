//! Readers: at no moment less than a whole token, and never an old one for long.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::{add_cluster, assert_taken, names_in, serve, token_file, url_in};
use crate::sidecar::{Pod, eventually, eventually_within, read};

/// Tokens of such a session are half over after five seconds at most.
const SHORT: Duration = Duration::from_secs(70);
/// Enough for that many of them, on a machine that does other things too.
const LONG: Duration = Duration::from_secs(90);

/// Tokens in the order in which they came, each with its inode.
type Seen = Vec<(String, u64)>;

/// Reads a file again and again, and looks what lies beside it.
fn watch(path: &Path, done: &AtomicBool) -> Seen {
    let mut seen = Seen::new();
    while !done.load(Ordering::Relaxed) {
        let mut file = File::open(path).expect("there at every moment");
        let inode = file.metadata().expect("metadata").ino();
        let mut token = String::new();
        file.read_to_string(&mut token).expect("text");
        url_in(&token);
        if seen.last().is_none_or(|(last, _)| *last != token) {
            seen.push((token, inode));
        }
        for name in names_in(path.parent().expect("a directory")) {
            let is_draft = name.starts_with('.') && name.ends_with(".draft");
            assert!(is_draft || name.ends_with(".eks-token"), "{name}");
        }
    }
    seen
}

#[test]
fn who_reads_in_a_loop_sees_nothing_but_whole_tokens_while_they_are_replaced() {
    let pod = Pod::new();
    pod.emulator.sts().set_session_lifetime(Some(SHORT));
    let clusters = [
        pod.emulator.cluster().clone(),
        add_cluster(&pod, "second", "eu-west-1"),
        add_cluster(&pod, "third", "eu-central-1"),
    ];
    let sidecar = serve(&pod, &["demo", "second", "third=eu-central-1"]).start();
    sidecar.wait_ready();
    let done = AtomicBool::new(false);
    let seen: Vec<Seen> = thread::scope(|scope| {
        let readers: Vec<_> = clusters
            .iter()
            .map(|cluster| {
                let (pod, done) = (&pod, &done);
                scope.spawn(move || watch(&token_file(pod, cluster.name()), done))
            })
            .collect();
        let exchanged = eventually_within(LONG, || pod.emulator.sts().exchanges() >= 3);
        done.store(true, Ordering::Relaxed);
        assert!(exchanged, "{}", sidecar.log());
        let join = |reader: thread::ScopedJoinHandle<'_, _>| reader.join().expect("whole tokens");
        readers.into_iter().map(join).collect()
    });
    for (cluster, seen) in clusters.iter().zip(&seen) {
        assert!(seen.len() >= 2, "{}: never replaced", cluster.name());
        for (token, _) in seen {
            let reviewed = cluster.review(token);
            assert!(reviewed.is_ok(), "{reviewed:?}");
        }
        for pair in seen.windows(2) {
            assert_ne!(pair[0].1, pair[1].1, "written into the old file");
        }
    }
    // One may be written at this moment; what was left by an earlier one would stay.
    let mut left = Vec::new();
    let clean = eventually(|| {
        left = names_in(&pod.path("out"));
        left.iter().all(|name| name.ends_with(".eks-token"))
    });
    assert!(clean, "{left:?}");
}

#[test]
fn who_opened_the_old_file_reads_the_old_token_to_its_end() {
    let pod = Pod::new();
    pod.emulator.sts().set_session_lifetime(Some(SHORT));
    let sidecar = serve(&pod, &["demo"]).start();
    sidecar.wait_ready();
    let path = token_file(&pod, "demo");
    let mut opened = File::open(&path).expect("a file");
    let mut first = String::new();
    opened.read_to_string(&mut first).expect("text");
    let mut opened = File::open(&path).expect("a file");
    let mut half = vec![0; first.len() / 2];
    opened.read_exact(&mut half).expect("half a token");
    let replaced = eventually_within(LONG, || read(&path) != first);
    assert!(replaced, "{}", sidecar.log());
    let mut rest = String::new();
    opened.read_to_string(&mut rest).expect("text");
    assert!(first.ends_with(&rest) && rest.len() == first.len() - half.len());
}

/// Whose key signed a token.
fn key_id(token: &str) -> String {
    let url = url_in(token);
    let (_, rest) = url.split_once("X-Amz-Credential=").expect("a key");
    rest.split('%').next().unwrap_or_default().to_owned()
}

/// Of a session of 210 s the credentials are refreshed after 21 s for whoever needs longer ones; the token in the file
/// would be good for 54 s more, and the file is looked at every 5 s in any case: the next time 4 s later.
#[test]
fn new_credentials_make_a_new_token_at_once_though_the_old_one_was_not_half_over() {
    const AT_ONCE: Duration = Duration::from_secs(3);
    let pod = Pod::new();
    let sts = pod.emulator.sts();
    sts.set_session_lifetime(Some(Duration::from_secs(210)));
    let sidecar = serve(&pod, &["demo"]).start();
    sidecar.wait_ready();
    let path = token_file(&pod, "demo");
    assert_eq!(key_id(&read(&path)), sts.issued()[0].access_key_id);
    // A token for a cluster that nobody asked for yet.
    let mut asked = 0;
    let refreshed = eventually_within(LONG, || {
        asked += 1;
        let query = format!("/v1/eks-token?cluster-name=another-{asked}");
        let answer = sidecar.get(&query, &[("authorization", pod.request.pod_uid())]);
        assert_eq!(answer.status, 200, "{answer:?}");
        sts.exchanges() >= 2
    });
    assert!(refreshed, "{}", sidecar.log());
    let newest = sts.issued().remove(1).access_key_id;
    let rewritten = eventually(|| key_id(&read(&path)) == newest);
    assert!(rewritten, "{}", sidecar.log());
    assert_taken(pod.emulator.cluster(), &path);
    let exchanged = pod.exchange_calls()[1].at;
    let written = fs::metadata(&path).and_then(|found| found.modified());
    // The times of files are a little behind.
    let written = written.expect("a time");
    let delay = written.duration_since(exchanged).unwrap_or_default();
    assert!(delay < AT_ONCE, "{delay:?}");
}

#[test]
fn a_token_outlives_neither_the_half_of_its_life_nor_its_credentials_in_its_file() {
    let pod = Pod::new();
    pod.emulator.sts().set_session_lifetime(Some(SHORT));
    let sidecar = serve(&pod, &["demo"]).start();
    sidecar.wait_ready();
    let path = token_file(&pod, "demo");
    let mut tokens: BTreeMap<String, usize> = BTreeMap::new();
    let enough = eventually_within(LONG, || {
        let token = read(&path);
        // Whatever is in the file is good at that very moment.
        assert_taken(pod.emulator.cluster(), &path);
        let count = tokens.len();
        tokens.entry(token).or_insert(count);
        tokens.len() >= 4
    });
    assert!(enough, "{} tokens; {}", tokens.len(), sidecar.log());
    assert_eq!(sidecar.ops_get("/readyz").status, 200);
}
