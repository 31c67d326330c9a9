//! What holds by the rules and will not do all the same, and whose clock it is that judges.

use std::time::Duration;

use super::presigned::{
    ACCESS_KEY_ID, Presigned, SESSION_TOKEN, assert_nothing_shown, open_session,
};
use super::{duration, inspect, line};
use crate::clock::pod_on_a_node_with_a_wrong_clock;
use crate::sidecar::{Pod, now};

#[test]
fn what_the_rules_let_pass_and_sts_does_not_is_warned_of() {
    let pod = Pod::new();
    let ahead = Presigned::at(now() + Duration::from_secs(600), "eu-west-1");
    for (token, words) in [
        (ahead.token(), "in the future, and STS takes 300"),
        (
            Presigned {
                region: "us-east-1".into(),
                ..Presigned::now()
            }
            .token(),
            "it is signed for the region \"us-east-1\", and its host is that of \"eu-west-1\"",
        ),
        (
            Presigned {
                host: "sts.eu-west-1.api.aws".into(),
                ..Presigned::now()
            }
            .token(),
            "sts.eu-west-1.amazonaws.com is taken by all",
        ),
        (
            Presigned::now().without("X-Amz-Security-Token").token(),
            "is of no use without its session token",
        ),
    ] {
        let ended = inspect(&pod, &[&token]).output();
        assert_eq!(ended.status.code(), Some(0), "{ended:?}");
        assert!(line(&ended, "warning").contains(words), "{}", ended.stdout);
        assert_nothing_shown(&ended, &token);
    }
    let ended = inspect(
        &pod,
        &[&Presigned::at(now() + Duration::from_secs(120), "eu-west-1").token()],
    )
    .output();
    assert!(
        line(&ended, "signed at").ends_with(" ahead of this machine's clock"),
        "{}",
        ended.stdout
    );
}

#[test]
fn a_token_is_judged_by_the_time_of_sts_where_that_is_known() {
    for (skew, how) in [(-3600, "ahead of"), (3600, "behind")] {
        let pod = pod_on_a_node_with_a_wrong_clock(skew);
        open_session(&pod, ACCESS_KEY_ID, SESSION_TOKEN);
        let hour = Duration::from_secs(skew.unsigned_abs());
        let there = if skew < 0 { now() - hour } else { now() + hour };
        let good = Presigned::at(there - Duration::from_secs(60), "eu-west-1").token();
        let ended = inspect(&pod, &["--cluster-name", "demo", &good]).output();
        assert_eq!(ended.status.code(), Some(0), "{ended:?}");
        let (_, age) = line(&ended, "signed at").split_once(", ").expect("an age");
        let age = age.strip_suffix(" ago by the clock of STS");
        assert!(duration(age.expect("an age")) >= Duration::from_secs(58));
        let clock = line(&ended, "clock").strip_prefix("this machine's is ");
        let (distance, words) = clock
            .and_then(|it| it.split_once(&format!(" {how}")))
            .expect("a distance");
        assert!(duration(distance).abs_diff(hour) <= Duration::from_secs(3));
        assert_eq!(words, " that of STS, by which the token is judged");

        let old = Presigned::at(there - Duration::from_secs(1000), "eu-west-1").token();
        let ended = inspect(&pod, &["--cluster-name", "demo", &old]).output();
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
        assert!(
            line(&ended, "rules").contains("X-Amz-Date parameter is expired"),
            "{}",
            ended.stdout
        );
    }
    let pod = Pod::new();
    // Nobody was asked: then it may be this clock that is wrong.
    let old = Presigned::at(now() - Duration::from_secs(1000), "eu-west-1").token();
    let ended = inspect(&pod, &[&old]).output();
    assert!(
        line(&ended, "clock").contains("it may be this machine's that is wrong"),
        "{}",
        ended.stdout
    );
}
