//! A disk that hangs: the files wait for it, and nobody else does.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::{assert_taken, names_in, serve, token_file};
use crate::sidecar::{Pod, eventually, read};

/// Does not return from `fsync` while the file that `HUNG` names is there, and takes the microseconds in `SLOW`, no
/// more and no less, where that is set.
const HANGS: &str = r#"
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

int fsync(int descriptor) {
    const char *hung = getenv("HUNG");
    while (hung && access(hung, F_OK) == 0)
        usleep(10000);
    const char *slow = getenv("SLOW");
    if (slow)
        return usleep(atoi(slow));
    return syscall(SYS_fsync, descriptor);
}
"#;

pub fn library(pod: &Pod) -> PathBuf {
    let (source, library) = (pod.path("hangs.c"), pod.path("hangs.so"));
    fs::write(&source, HANGS).expect("a source");
    let mut compile = Command::new("cc");
    compile.args(["-shared", "-fPIC", "-o"]).arg(&library);
    let compiled = compile.arg(&source).status();
    assert!(compiled.expect("cc, which links Rust too").success());
    library
}

#[test]
fn a_disk_that_hangs_keeps_no_door_from_answering() {
    let pod = Pod::new();
    let hung = pod.path("hung");
    let sidecar = serve(&pod, &["demo"])
        .env("LD_PRELOAD", library(&pod))
        .env("HUNG", &hung)
        .start();
    sidecar.wait_ready();
    let token = token_file(&pod, "demo");
    let before = read(&token);
    fs::write(&hung, "").expect("a file");
    fs::remove_file(&token).expect("a file");
    let is_draft = |name: &String| name.ends_with(".draft");
    let hangs = eventually(|| names_in(&pod.path("out")).iter().any(is_draft));
    assert!(hangs, "{}", sidecar.log());

    assert_eq!(sidecar.get_credentials(&pod).status, 200);
    assert_eq!(sidecar.ops_get("/livez").status, 200);
    assert!(!token.exists(), "the disk did not hang");

    fs::remove_file(&hung).expect("a file");
    let is_back = eventually(|| token.exists());
    assert!(is_back, "{}", sidecar.log());
    assert_eq!(read(&token), before);
    assert_taken(pod.emulator.cluster(), &token);
}

#[test]
fn a_file_that_is_being_written_at_the_end_is_written_to_its_own_end() {
    let pod = Pod::new();
    let mut sidecar = serve(&pod, &["demo"])
        .env("LD_PRELOAD", library(&pod))
        .env("SLOW", "200000")
        .start();
    sidecar.wait_ready();
    let token = token_file(&pod, "demo");
    fs::remove_file(&token).expect("a file");
    let is_draft = |name: &String| name.ends_with(".draft");
    let begun = eventually(|| names_in(&pod.path("out")).iter().any(is_draft));
    assert!(begun, "{}", sidecar.log());
    sidecar.signal("TERM");
    assert_eq!(sidecar.wait().code(), Some(0), "{}", sidecar.log());
    assert_eq!(names_in(&pod.path("out")), ["demo.eks-token"]);
    assert_taken(pod.emulator.cluster(), &token);
}
