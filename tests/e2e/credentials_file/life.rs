//! From refresh to refresh, through outages, to the end of the process and beyond.

use std::time::Duration;

use emulator::Fault;

use super::{as_python_reads, keys, newest, path, profile, serve, wait_content, write};
use crate::files::names_in;
use crate::files::readiness::assert_not_ready;
use crate::sidecar::{Pod, eventually, eventually_within, now, read};

/// Half over after five seconds, over after nine.
const SHORT: Duration = Duration::from_secs(10);
/// For a session to come to its end, on a machine that does other things too.
const LONG: Duration = Duration::from_secs(60);

const OTHERS: &str = "# mine\n[other]\naws_access_key_id = AKIAOTHER\naws_secret_access_key = other\n\n[default]\noutput = json\n";

#[test]
fn every_refresh_rewrites_it_and_leaves_the_rest_alone() {
    let pod = Pod::new();
    let sts = pod.emulator.sts();
    sts.set_session_lifetime(Some(SHORT));
    write(&pod, OTHERS);
    let sidecar = serve(&pod).start();
    sidecar.wait_ready();
    for session in 1..=3 {
        let exchanged = eventually(|| sts.exchanges() >= session);
        assert!(exchanged, "{}", sidecar.log());
        wait_content(&pod, &sidecar, |session| {
            format!("{OTHERS}{}region = eu-west-1\n", keys(session))
        });
        assert_eq!(sidecar.ops_get("/readyz").status, 200);
    }
    let read = as_python_reads(&path(&pod));
    assert_eq!(read["other"]["aws_access_key_id"], "AKIAOTHER");
    assert_eq!(read["default"]["output"], "json");
}

#[test]
fn credentials_that_are_over_are_taken_out_and_their_successors_put_in() {
    let pod = Pod::new();
    let sts = pod.emulator.sts();
    sts.set_session_lifetime(Some(SHORT));
    write(&pod, OTHERS);
    let sidecar = serve(&pod).start();
    sidecar.wait_ready();
    sts.fail(Fault::ServerError(503));
    let end = newest(&pod).expiration;
    let without = format!("{OTHERS}region = eu-west-1\n");
    let taken_out = eventually_within(LONG, || {
        let asked = now();
        let text = read(&path(&pod));
        assert!(
            asked < end || text == without,
            "expired credentials:\n{text}"
        );
        text == without
    });
    assert!(taken_out, "{}\n{}", read(&path(&pod)), sidecar.log());
    sidecar.wait_finding("sts-unavailable");
    assert_not_ready(&sidecar, "sts-unavailable");
    let events = sidecar.events();
    let complaints = events
        .iter()
        .filter(|event| event["message"] == "cannot write a file in output-dir");
    assert_eq!(complaints.count(), 0, "said by who exchanges");

    sts.clear_faults();
    sts.set_session_lifetime(None);
    let ready = eventually_within(LONG, || sidecar.ops_get("/readyz").status == 200);
    assert!(ready, "{}", sidecar.log());
    let put_in = format!("{without}{}", keys(&newest(&pod)));
    assert_eq!(read(&path(&pod)), put_in);
}

/// A token for a cluster waits for STS as long as it may; the end of credentials does not.
#[test]
fn they_are_taken_out_in_time_though_token_files_wait_for_sts() {
    let pod = Pod::new();
    let sts = pod.emulator.sts();
    sts.set_session_lifetime(Some(Duration::from_secs(20)));
    let clusters = ["--eks-cluster=demo", "--eks-cluster=b", "--eks-cluster=c"];
    let launch = clusters
        .into_iter()
        .fold(serve(&pod), |launch, cluster| launch.arg(cluster));
    let sidecar = launch.start();
    let written = eventually(|| path(&pod).exists());
    assert!(written, "{}", sidecar.log());
    let end = newest(&pod).expiration;
    sts.fail(Fault::Hang);
    let is_taken_out = || read(&path(&pod)) == "[default]\nregion = eu-west-1\n";
    let taken_out = eventually_within(LONG, || {
        let asked = now();
        let is_taken_out = is_taken_out();
        assert!(asked < end || is_taken_out, "{}", sidecar.log());
        is_taken_out
    });
    assert!(taken_out, "{}", sidecar.log());
}

#[test]
fn when_the_process_ends_the_file_stays_and_the_next_one_goes_on_with_it() {
    let pod = Pod::new();
    write(&pod, OTHERS);
    let launch = serve(&pod);
    let mut sidecar = launch.start();
    sidecar.wait_ready();
    let written = read(&path(&pod));
    sidecar.signal("TERM");
    assert_eq!(sidecar.wait().code(), Some(0), "{}", sidecar.log());
    assert_eq!(read(&path(&pod)), written);
    assert_eq!(names_in(&pod.path("out")), ["credentials"]);
    assert!(newest(&pod).expiration > now());

    let again = launch.start();
    again.wait_ready();
    let expected = format!("{OTHERS}{}region = eu-west-1\n", keys(&newest(&pod)));
    assert_ne!(
        written, expected,
        "the second process has a session of its own"
    );
    assert_eq!(read(&path(&pod)), expected);
}

/// It may be alive or not: nobody knows, so it stays until it is known what comes after it, and no longer.
#[test]
fn what_an_earlier_process_left_stays_during_the_first_exchange_and_goes_when_that_fails() {
    let pod = Pod::new();
    let sts = pod.emulator.sts();
    let left = "[default]\naws_access_key_id = ASIALEFT\noutput = json\n";
    write(&pod, left);
    sts.fail(Fault::Hang);
    let sidecar = serve(&pod).start();
    let mut kept = false;
    let taken_out = eventually(|| {
        let is_starting = sidecar.ops_get("/readyz").json()["finding"] == "starting";
        kept |= is_starting && read(&path(&pod)) == left;
        read(&path(&pod)) == "[default]\noutput = json\n"
    });
    assert!(taken_out, "{}", sidecar.log());
    assert!(kept, "it was taken out before anything was known");
    assert_not_ready(&sidecar, "sts-timeout");
    sts.clear_faults();
    let ready = eventually_within(LONG, || sidecar.ops_get("/readyz").status == 200);
    assert!(ready, "{}", sidecar.log());
}

#[test]
fn a_file_that_was_taken_away_comes_back() {
    let pod = Pod::new();
    let sidecar = serve(&pod).start();
    sidecar.wait_ready();
    let whole = |session: &_| profile("default", session);
    std::fs::remove_file(path(&pod)).expect("a file");
    wait_content(&pod, &sidecar, whole);
    // A whole volume may be wiped.
    std::fs::remove_dir_all(pod.path("out")).expect("a directory");
    wait_content(&pod, &sidecar, whole);
    sidecar.wait_ready();
}
