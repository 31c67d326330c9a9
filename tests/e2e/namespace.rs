//! A private network namespace: a test runs itself once more in one of its own, where it is root and where nobody else
//! has addresses or ports. No root is needed for that, but a kernel with user namespaces.

use std::process::{Command, Stdio};

/// Says to a copy of this program that it is inside.
const INSIDE: &str = "E2E_PRIVATE_NETWORK";

/// Runs this, the whole body of a test, in a network namespace of its own, where `lo` is up and nothing else is.
pub fn in_private_network<F: FnOnce()>(body: F) {
    in_private(&["--net"], body);
}

/// The same with mounts of its own too: what is mounted there nobody else sees.
pub fn in_private_network_and_files<F: FnOnce()>(body: F) {
    in_private(&["--net", "--mount"], body);
}

fn in_private<F: FnOnce()>(namespaces: &[&str], body: F) {
    if std::env::var_os(INSIDE).is_some() {
        ip("link set lo up");
        return body();
    }
    let test = name_of(std::any::type_name::<F>());
    let run = Command::new("unshare")
        .args(["--user", "--map-root-user"])
        .args(namespaces)
        .arg(std::env::current_exe().expect("our own path"))
        .args([test, "--exact", "--nocapture"])
        .env(INSIDE, "1")
        .stdin(Stdio::null())
        .output();
    let output = run.expect("unshare (of util-linux) cannot be run, and this test needs it");
    let (said, complained) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    // Where no test had the name, none would have failed.
    let passed = output.status.success() && said.contains("1 passed");
    assert!(
        passed,
        "in a private network namespace (where unshare itself complains, the kernel forbids user namespaces, and this test needs them):\n{said}\n{complained}"
    );
}

/// `e2e::module::test::{{closure}}` without the crate and the closure.
fn name_of(closure: &'static str) -> &'static str {
    let test = closure.strip_suffix("::{{closure}}");
    let test = test.and_then(|path| path.split_once("::"));
    test.expect("the body is a closure of the test itself").1
}

/// `ip` of iproute2 with these arguments.
pub fn ip(arguments: &str) -> String {
    let run = Command::new("ip").args(arguments.split(' ')).output();
    let output = run.expect("ip (of iproute2) cannot be run, and this test needs it");
    assert!(
        output.status.success(),
        "ip {arguments}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}
