//! Whatever else is in the file, and whoever else writes to it.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use super::{as_python_reads, keys, newest, path, profile, serve, wait_content, write};
use crate::clients::installed;
use crate::files::disk::library;
use crate::files::names_in;
use crate::sidecar::{Pod, eventually, eventually_within, read};

#[test]
fn the_profiles_comments_and_lines_of_others_stay_byte_for_byte() {
    let pod = Pod::new();
    let before = "\r\n; mine\r\n[other]  # ours\r\nAWS_Access_Key_Id=OTHER\r\n\tnested = 1\r\n\r\n[it]\r\n# the key\r\naws_access_key_id=OLD\r\n  and_more\r\ns3 =\r\n    region = theirs\r\n\r\n\r\n[last]\r\nregion=x";
    write(&pod, before);
    let sidecar = serve(&pod).arg("--credentials-profile=it").start();
    sidecar.wait_ready();
    let session = newest(&pod);
    let text = read(&path(&pod));
    let (key, rest) = keys(&session)
        .split_once('\n')
        .map(|(key, rest)| (key.to_owned(), rest.replace('\n', "\r\n")))
        .expect("lines");
    let expected = before
        .replace("aws_access_key_id=OLD\r\n  and_more", &key)
        .replace(
            "region = theirs\r\n",
            &format!("region = theirs\r\n{rest}region = eu-west-1\r\n"),
        );
    assert_eq!(text, expected);
    let read = as_python_reads(&path(&pod));
    assert_eq!(read["it"]["aws_session_token"], session.session_token);
    assert_eq!(read["it"]["s3"], "\nregion = theirs");
    assert_eq!(read["last"]["region"], "x");
}

#[test]
fn a_thousand_profiles_stay_as_they_are() {
    let pod = Pod::new();
    let of = |number: usize| {
        let (key, secret) = (format!("AKIA{number:016}"), "s".repeat(40));
        format!(
            "[profile-{number}]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\nregion = us-west-2\n\n"
        )
    };
    let before: String = (0..500).map(of).collect();
    let after: String = (500..1000).map(of).collect();
    write(&pod, &format!("{before}[default]\n\n{after}"));
    pod.emulator
        .sts()
        .set_session_lifetime(Some(Duration::from_secs(10)));
    let sidecar = serve(&pod).start();
    sidecar.wait_ready();
    for session in 1..=2 {
        let exchanged = eventually(|| pod.emulator.sts().exchanges() >= session);
        assert!(exchanged, "{}", sidecar.log());
        wait_content(&pod, &sidecar, |session| {
            format!("{before}{}\n{after}", profile("default", session))
        });
    }
    assert_eq!(as_python_reads(&path(&pod)).len(), 1001);
}

/// The AWS CLI rewrites the whole file in its place.
#[test]
fn what_the_aws_cli_writes_into_it_stays_and_what_it_spoils_is_mended() {
    let pod = Pod::new();
    let sidecar = serve(&pod).start();
    sidecar.wait_ready();
    let configure = |arguments: &[&str]| {
        let mut command = Command::new(installed("python/bin/python"));
        let command = command.arg(installed("python/bin/aws")).arg("configure");
        let done = command
            .args(arguments)
            .env_clear()
            .env("HOME", pod.dir.path())
            .env("AWS_SHARED_CREDENTIALS_FILE", path(&pod))
            .status();
        assert!(done.expect("the AWS CLI").success());
    };
    configure(&[
        "set",
        "aws_access_key_id",
        "AKIAOTHER",
        "--profile",
        "other",
    ]);
    configure(&["set", "aws_access_key_id", "AKIASPOILT"]);
    let other = "[other]\naws_access_key_id = AKIAOTHER\n";
    wait_content(&pod, &sidecar, |session| {
        format!("{}{other}", profile("default", session))
    });
    sidecar.wait_ready();
    configure(&["set", "aws_secret_access_key", "x", "--profile", "other"]);
    wait_content(&pod, &sidecar, |session| {
        let added = "aws_secret_access_key = x\n";
        format!("{}{other}{added}", profile("default", session))
    });
}

#[test]
fn an_edit_of_the_moment_before_the_file_would_be_replaced_is_not_lost() {
    let pod = Pod::new();
    let sidecar = serve(&pod)
        .env("LD_PRELOAD", library(&pod))
        .env("SLOW", "500000")
        .start();
    sidecar.wait_ready();
    fs::remove_file(path(&pod)).expect("a file");
    let is_draft = |name: &String| name.ends_with(".draft");
    let begun = eventually(|| names_in(&pod.path("out")).iter().any(is_draft));
    assert!(begun, "{}", sidecar.log());
    // What it writes is on its way to the disk, and takes half a second.
    write(&pod, "[other]\nregion = x\n");
    wait_content(&pod, &sidecar, |session| {
        format!("[other]\nregion = x\n\n{}", profile("default", session))
    });
}

/// Whoever takes the file's place while it is being edited: nothing of theirs is lost.
#[test]
fn edits_of_others_survive_refreshes_at_the_same_time() {
    let pod = Pod::new();
    let sts = pod.emulator.sts();
    sts.set_session_lifetime(Some(Duration::from_secs(10)));
    let sidecar = serve(&pod).start();
    sidecar.wait_ready();
    let (draft, mut edits) = (pod.path("draft"), 0);
    let refreshed = eventually_within(Duration::from_secs(60), || {
        // Another editor that replaces files as a whole, and looks whether anything has happened since it read.
        let text = read(&path(&pod));
        let mine = format!("[edit-{edits}]\nregion = x\n");
        fs::write(&draft, format!("{text}{mine}")).expect("a draft");
        if read(&path(&pod)) == text {
            fs::rename(&draft, path(&pod)).expect("a file");
            edits += 1;
        }
        sleep(Duration::from_millis(100));
        sts.exchanges() >= 4
    });
    assert!(refreshed, "{}", sidecar.log());
    wait_content(&pod, &sidecar, |session| {
        let edits = (0..edits).map(|edit| format!("[edit-{edit}]\nregion = x\n"));
        format!(
            "{}{}",
            profile("default", session),
            edits.collect::<String>()
        )
    });
    assert!(edits > 20, "{edits} edits");
}

/// Written in its place and slowly: half of it is there when the sidecar would write.
#[test]
fn an_edit_that_is_under_way_is_awaited() {
    let pod = Pod::new();
    write(&pod, "[other]\n");
    let mut file = OpenOptions::new()
        .append(true)
        .open(path(&pod))
        .expect("a file");
    let sidecar = serve(&pod).start();
    let mut lines = String::from("[other]\n");
    let mut append = |line: &str| {
        file.write_all(line.as_bytes()).expect("a line");
        lines.push_str(line);
    };
    let exchanged = eventually(|| {
        append("# and so on\n");
        pod.emulator.sts().exchanges() >= 1
    });
    assert!(exchanged, "{}", sidecar.log());
    // Now the sidecar has what it would write, and time enough to do so.
    for _ in 0..3 {
        sleep(Duration::from_millis(300));
        append("# and so on\n");
    }
    append("[last]\nregion = x\n");
    wait_content(&pod, &sidecar, |session| {
        format!("{lines}\n{}", profile("default", session))
    });
    sidecar.wait_ready();
}

#[test]
fn a_symlink_in_its_place_is_replaced_and_what_it_leads_to_is_left_alone_and_named() {
    let pod = Pod::new();
    let victim = pod.path("victim");
    let mine = "[default]\naws_access_key_id = AKIAMINE\n[other]\nregion = x\n";
    let plant = || {
        fs::write(&victim, mine).expect("a file");
        symlink(&victim, path(&pod)).expect("a symlink");
    };
    fs::create_dir(pod.path("out")).expect("a directory");
    plant();
    let sidecar = serve(&pod).start();
    sidecar.wait_ready();
    let warnings = || {
        let target = victim.display().to_string();
        let is_about = |event: &&serde_json::Value| {
            let message = event["message"].as_str().unwrap_or_default();
            event["level"] == "WARN"
                && event["target"] == target.as_str()
                && message.contains("are not in the new file")
        };
        sidecar.events().iter().filter(is_about).count()
    };
    let is_replaced = || {
        let is_file = fs::symlink_metadata(path(&pod)).is_ok_and(|found| found.is_file());
        assert_eq!(read(&victim), mine);
        is_file && read(&path(&pod)) == profile("default", &newest(&pod))
    };
    assert!(is_replaced(), "{}", sidecar.log());
    assert_eq!(warnings(), 1, "{}", sidecar.log());

    fs::remove_file(path(&pod)).expect("a file");
    plant();
    assert!(eventually(is_replaced), "{}", sidecar.log());
    assert!(eventually(|| warnings() == 2), "{}", sidecar.log());
}
