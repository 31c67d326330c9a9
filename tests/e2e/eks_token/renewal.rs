//! When there is a new token, and when there are new credentials for its sake.

use std::collections::HashSet;
use std::thread;
use std::time::Duration;

use tokio::time::Instant;

use super::{DEMO, MINUTE, is_nearly, let_in, session_lifetime, token, travel};
use crate::sidecar::{Pod, Sidecar, eventually};

/// Tokens for this many clusters, none of which was asked for before.
fn tokens_for_clusters(pod: &Pod, sidecar: &Sidecar, names: std::ops::Range<u32>) {
    for number in names {
        token(pod, sidecar, &format!("cluster-name=c-{number}"));
    }
}

/// Ten minutes are not enough for a token's fourteen; but new ones would live no longer.
#[test]
fn credentials_that_would_die_first_are_refreshed_first_and_young_ones_are_not() {
    let pod = Pod::new();
    session_lifetime(&pod, 10 * MINUTE);
    let sidecar = pod.ready_sidecar();
    let sts = pod.emulator.sts();
    let first = token(&pod, &sidecar, DEMO);
    tokens_for_clusters(&pod, &sidecar, 0..30);
    assert_eq!(sts.exchanges(), 1, "young ones are as good as new");

    travel(&pod, &sidecar, 2 * MINUTE);
    tokens_for_clusters(&pod, &sidecar, 30..31);
    assert_eq!(sts.exchanges(), 2, "two minutes of ten are over");
    // With the credentials the token is new, though it was not half over.
    let second = token(&pod, &sidecar, DEMO);
    assert_eq!(second.access_key_id, sts.issued()[1].access_key_id);
    assert_ne!(second.access_key_id, first.access_key_id);
    let death = second.signer(&pod).expiration - MINUTE;
    is_nearly(second.expiration, death - 2 * MINUTE);
    let_in(&pod, &second);

    tokens_for_clusters(&pod, &sidecar, 0..30);
    assert_eq!(sts.exchanges(), 2, "these are young again");
}

/// The same in real time. Sessions are young for a tenth of their life.
#[test]
fn sessions_that_are_always_too_short_are_not_refreshed_in_a_loop() {
    let pod = Pod::new();
    session_lifetime(&pod, Duration::from_secs(70));
    let began = Instant::now();
    let sidecar = pod.ready_sidecar();
    let mut number = 0;
    let refreshed = eventually(|| {
        number += 1;
        let token = token(&pod, &sidecar, &format!("cluster-name=c-{number}"));
        let death = token.signer(&pod).expiration - MINUTE;
        assert_eq!(token.expiration, death, "{token:?}");
        pod.emulator.sts().exchanges() >= 2
    });
    assert!(refreshed, "{}", sidecar.log());
    assert!(began.elapsed() >= Duration::from_secs(6), "too soon");
}

#[test]
fn credentials_that_outlive_a_token_are_left_alone() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    travel(&pod, &sidecar, 20 * MINUTE);
    tokens_for_clusters(&pod, &sidecar, 0..10);
    assert_eq!(pod.emulator.sts().exchanges(), 1, "forty minutes are left");
    travel(&pod, &sidecar, 46 * MINUTE);
    tokens_for_clusters(&pod, &sidecar, 10..20);
    assert_eq!(
        pod.emulator.sts().exchanges(),
        2,
        "a quarter of an hour is not"
    );
}

#[test]
fn many_who_need_newer_credentials_at_once_cost_one_exchange() {
    let pod = Pod::new();
    session_lifetime(&pod, 10 * MINUTE);
    let sidecar = pod.ready_sidecar();
    travel(&pod, &sidecar, 3 * MINUTE);
    let signers: HashSet<String> = thread::scope(|scope| {
        let ask = |number| {
            let (pod, sidecar) = (&pod, &sidecar);
            let query = format!("cluster-name=c-{number}");
            scope.spawn(move || token(pod, sidecar, &query).access_key_id)
        };
        let asking: Vec<_> = (0..20).map(ask).collect();
        asking
            .into_iter()
            .map(|asked| asked.join().expect("a token"))
            .collect()
    });
    assert_eq!(pod.emulator.sts().exchanges(), 2);
    let newest = &pod.emulator.sts().issued()[1].access_key_id;
    assert_eq!(signers, HashSet::from([newest.clone()]));
}

#[test]
fn one_token_is_given_to_all_who_ask_for_seven_minutes_and_no_longer() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let tokens: HashSet<String> = thread::scope(|scope| {
        let ask = |_| scope.spawn(|| token(&pod, &sidecar, DEMO).text);
        let asking: Vec<_> = (0..20).map(ask).collect();
        asking
            .into_iter()
            .map(|asked| asked.join().expect("a token"))
            .collect()
    });
    assert_eq!(tokens.len(), 1, "{tokens:?}");
    let first = token(&pod, &sidecar, DEMO);
    travel(&pod, &sidecar, Duration::from_secs(6 * 60 + 20));
    assert_eq!(token(&pod, &sidecar, DEMO), first);
    travel(&pod, &sidecar, Duration::from_secs(7 * 60 + 1));
    let second = token(&pod, &sidecar, DEMO);
    assert_ne!(second.text, first.text);
    assert!(second.signed_at >= first.signed_at + Duration::from_secs(7 * 60));
    assert_eq!(second.access_key_id, first.access_key_id);
    assert_eq!(pod.emulator.sts().exchanges(), 1);
    let_in(&pod, &second);
}

#[test]
fn each_cluster_region_and_role_has_a_token_of_its_own() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let queries = [
        DEMO,
        "cluster-name=other",
        "cluster-name=demo&region=us-west-2",
        "cluster-name=other&region=us-west-2",
    ];
    let ask = || -> Vec<String> {
        queries
            .iter()
            .map(|query| token(&pod, &sidecar, query).text)
            .collect()
    };
    let tokens = ask();
    let different: HashSet<&String> = tokens.iter().collect();
    assert_eq!(different.len(), queries.len());
    assert_eq!(ask(), tokens, "and each of them is kept");
}
