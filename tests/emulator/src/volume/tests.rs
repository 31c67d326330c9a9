//! What a pod may rely on when the kubelet rotates its token.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::*;

fn volume(content: &str) -> (tempfile::TempDir, Volume) {
    let dir = tempfile::tempdir().unwrap();
    let volume = Volume::create(dir.path(), content).unwrap();
    (dir, volume)
}

fn names(dir: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(dir).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn the_token_path_leads_through_two_symlinks_to_a_readable_file() {
    let (dir, volume) = volume("one");
    assert_eq!(
        fs::read_link(volume.token_path()).unwrap(),
        Path::new("..data/token")
    );
    let data = fs::read_link(dir.path().join("..data")).unwrap();
    assert!(dir.path().join(&data).join("token").is_file());
    assert_eq!(
        fs::metadata(volume.token_path()).unwrap().mode() & 0o777,
        0o644
    );
    let expected = [
        "..data".to_owned(),
        data.to_str().unwrap().to_owned(),
        "token".to_owned(),
    ];
    assert_eq!(names(dir.path()), BTreeSet::from(expected));
}

#[test]
fn a_rotation_swaps_the_directory_and_removes_the_old_one() {
    let (dir, volume) = volume("one");
    let before = fs::read_link(dir.path().join("..data")).unwrap();
    volume.rotate("two").unwrap();
    assert_eq!(fs::read_to_string(volume.token_path()).unwrap(), "two");
    assert!(!dir.path().join(before).exists());
    assert_eq!(names(dir.path()).len(), 3);
}

#[test]
fn the_same_content_touches_nothing() {
    let (dir, volume) = volume("one");
    let before = fs::read_link(dir.path().join("..data")).unwrap();
    volume.rotate("one").unwrap();
    assert_eq!(fs::read_link(dir.path().join("..data")).unwrap(), before);
}

#[test]
fn a_token_may_be_any_bytes() {
    let (_dir, volume) = volume("one");
    volume.rotate_bytes(&[0xff, 0x00, 0xfe]).unwrap();
    assert_eq!(fs::read(volume.token_path()).unwrap(), [0xff, 0x00, 0xfe]);
}

#[test]
fn a_second_kubelet_takes_over_the_volume_and_clears_a_half_made_swap() {
    let (dir, _volume) = volume("one");
    symlink("nowhere", dir.path().join("..data_tmp")).unwrap();
    let volume = Volume::create(dir.path(), "two").unwrap();
    assert_eq!(fs::read_to_string(volume.token_path()).unwrap(), "two");
    assert_eq!(names(dir.path()).len(), 3);
}

/// The old directory goes right after the swap, so a reader that already followed `..data` may
/// find it gone. It never sees half a token, and looking again soon finds the new one.
#[test]
fn a_volume_rotation_never_leaves_the_token_path_without_a_readable_file() {
    let (_dir, volume) = volume("0000");
    let done = AtomicBool::new(false);
    let read_again = || (0..50).find_map(|_| fs::read_to_string(volume.token_path()).ok());
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut seen = String::new();
            while !done.load(Ordering::Relaxed) {
                let token = read_again().expect("a token within 50 looks");
                assert_eq!(token.len(), 4, "half a token: {token:?}");
                assert!(token >= seen, "{token} after {seen}");
                seen = token;
            }
        });
        for rotation in 1..=200 {
            volume.rotate(&format!("{rotation:04}")).unwrap();
            // The links themselves are there at every moment.
            assert!(volume.token_path().is_symlink());
        }
        done.store(true, Ordering::Relaxed);
        reader.join().unwrap();
    });
    assert_eq!(fs::read_to_string(volume.token_path()).unwrap(), "0200");
}
