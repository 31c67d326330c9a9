//! Readers: at no moment less than a whole file, and never a session in it that is over.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use super::{as_python_reads, path, serve, write};
use crate::files::names_in;
use crate::sidecar::{Pod, eventually, eventually_within, now, read};

const BEFORE: &str = "[first]\nregion = x\n\n";
const AFTER: &str = "\n[last]\naws_access_key_id = AKIALAST\n";

/// What was read, in the order in which it came: when reading began, and the inode.
type Seen = Vec<(String, SystemTime, u64)>;

/// Reads a file again and again, and looks what lies beside it.
fn watch(path: &Path, done: &AtomicBool) -> Seen {
    let mut seen = Seen::new();
    while !done.load(Ordering::Relaxed) {
        let begun = now();
        let mut file = File::open(path).expect("there at every moment");
        let inode = file.metadata().expect("metadata").ino();
        let mut text = String::new();
        file.read_to_string(&mut text).expect("text");
        match seen.last_mut() {
            // The last moment at which it stood there.
            Some(last) if last.0 == text => last.1 = begun,
            _ => seen.push((text, begun, inode)),
        }
        for name in names_in(path.parent().expect("a directory")) {
            let is_draft = name.starts_with(".credentials.") && name.ends_with(".draft");
            assert!(is_draft || name == "credentials", "{name}");
        }
    }
    seen
}

#[test]
fn who_reads_in_a_loop_sees_nothing_but_whole_files_with_sessions_that_are_alive() {
    let pod = Pod::new();
    let sts = pod.emulator.sts();
    sts.set_session_lifetime(Some(Duration::from_secs(10)));
    write(&pod, &format!("{BEFORE}[default]\n{AFTER}"));
    let sidecar = serve(&pod).start();
    sidecar.wait_ready();
    let done = AtomicBool::new(false);
    let seen = thread::scope(|scope| {
        let watcher = scope.spawn(|| watch(&path(&pod), &done));
        let exchanged = eventually_within(Duration::from_secs(90), || sts.exchanges() >= 5);
        done.store(true, Ordering::Relaxed);
        assert!(exchanged, "{}", sidecar.log());
        watcher.join().expect("whole files")
    });
    let issued = sts.issued();
    let by_key: BTreeMap<&str, _> = issued
        .iter()
        .map(|session| (session.access_key_id.as_str(), session))
        .collect();
    assert!(seen.len() >= 4, "{} contents", seen.len());
    for (text, last_seen, _) in &seen {
        let profile = text
            .strip_prefix(BEFORE)
            .and_then(|text| text.strip_suffix(AFTER))
            .unwrap_or_else(|| panic!("not whole:\n{text}"));
        let key = profile
            .lines()
            .nth(1)
            .and_then(|line| line.split(' ').nth(2));
        let session = by_key[key.unwrap_or_default()];
        assert_eq!(profile, super::profile("default", session));
        assert!(*last_seen < session.expiration, "dead:\n{text}");
    }
    for pair in seen.windows(2) {
        assert_ne!(pair[0].2, pair[1].2, "written into the old file");
    }
    as_python_reads(&path(&pod));
    let is_clean = || names_in(&pod.path("out")) == ["credentials"];
    assert!(eventually(is_clean), "{:?}", names_in(&pod.path("out")));
}

#[test]
fn who_opened_the_old_file_reads_it_to_its_end() {
    let pod = Pod::new();
    pod.emulator
        .sts()
        .set_session_lifetime(Some(Duration::from_secs(10)));
    let sidecar = serve(&pod).start();
    sidecar.wait_ready();
    let mut opened = File::open(path(&pod)).expect("a file");
    let first = read(&path(&pod));
    let replaced = eventually(|| read(&path(&pod)) != first);
    assert!(replaced, "{}", sidecar.log());
    let mut rest = String::new();
    opened.read_to_string(&mut rest).expect("text");
    assert_eq!(rest, first);
}
