//! A node with a wrong clock: tokens are signed in the time of STS, and end in the node's own.

use std::thread;
use std::time::Duration;

use super::{DEMO, LIFE, MINUTE, let_in, pod_at, session_lifetime, token, unix, whole_second};
use crate::sidecar::{Pod, now};

/// How far STS is ahead of this node, in seconds. A token that was off by so much would be refused at once.
const SKEWS: [i64; 4] = [3 * 3600, -3 * 3600, 50 * 86_400, -50 * 86_400];
/// `Date` has whole seconds.
const ROUNDING: i64 = 1;

fn pod_with_sts_ahead_by(skew: i64) -> Pod {
    let distance = Duration::from_secs(skew.unsigned_abs());
    let pod = pod_at(if skew < 0 {
        now() - distance
    } else {
        now() + distance
    });
    pod.emulator.sts().set_clock_skew(skew);
    pod
}

fn for_each_skew(test: fn(i64)) {
    thread::scope(|scope| {
        for skew in SKEWS {
            scope.spawn(move || test(skew));
        }
    });
}

#[test]
fn a_wrong_clock_spoils_no_token_and_the_end_is_told_in_the_nodes_own_time() {
    for_each_skew(|skew| {
        let pod = pod_with_sts_ahead_by(skew);
        let sidecar = pod.ready_sidecar();
        let before = now();
        let token = token(&pod, &sidecar, DEMO);
        let after = now();
        let_in(&pod, &token);
        let signed_at = unix(token.signed_at) - skew;
        assert!(signed_at >= unix(before) - ROUNDING, "{skew}: {token:?}");
        assert!(signed_at <= unix(after) + ROUNDING, "{skew}: {token:?}");
        let (earliest, latest) = (whole_second(before) + LIFE, whole_second(after) + LIFE);
        assert!(
            (earliest..=latest).contains(&token.expiration),
            "{skew}: {token:?}"
        );
    });
}

#[test]
fn an_end_that_comes_of_the_credentials_is_moved_into_the_nodes_own_time_too() {
    for_each_skew(|skew| {
        let pod = pod_with_sts_ahead_by(skew);
        session_lifetime(&pod, 10 * MINUTE);
        let sidecar = pod.ready_sidecar();
        let token = token(&pod, &sidecar, DEMO);
        let_in(&pod, &token);
        let death = unix(token.signer(&pod).expiration) - skew - 60;
        let told = unix(token.expiration);
        assert!(
            (told - death).abs() <= ROUNDING,
            "{skew}: {told}, not {death}"
        );
    });
}
