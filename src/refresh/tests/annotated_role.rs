//! The role that the service account names, over hours.

use super::*;
use crate::claims::{self, Claims};
use crate::refresh::annotated_role::AnnotatedRole;

const UNREACHABLE: ServiceAccountErrorKind = ServiceAccountErrorKind::Unreachable {
    server: String::new(),
    cause: String::new(),
};

fn forbidden() -> ServiceAccountErrorKind {
    ServiceAccountErrorKind::Forbidden {
        message: String::new(),
    }
}

fn unauthorized() -> ServiceAccountErrorKind {
    ServiceAccountErrorKind::Unauthorized {
        message: String::new(),
    }
}

#[tokio::test(start_paused = true)]
async fn the_service_account_is_read_every_five_minutes_and_a_changed_role_is_there_at_once() {
    let account = Account::new();
    account.role("one");
    let rig = Rig::annotated(&account, Some("frozen"));
    sleep(SECOND).await;
    assert_eq!(rig.role(), arn("one"), "it beats AWS_ROLE_ARN");
    sleep(HOUR * 12).await;
    let readings = account.readings();
    assert!(
        (144..=165).contains(&readings),
        "{readings} readings in 12 h"
    );
    account.role("two");
    sleep(5 * MINUTE + 2 * SECOND).await;
    assert_eq!(rig.role(), arn("two"));
    assert_eq!(rig.roles(), [arn("one"), arn("two")]);
    let exchanges = rig.exchanges();
    account.annotate(&[("role-arn", &arn("two")), ("token-expiration", "7200")]);
    sleep(5 * MINUTE + 2 * SECOND).await;
    assert_eq!(
        rig.exchanges(),
        exchanges,
        "what changes nothing costs nothing"
    );
}

#[tokio::test(start_paused = true)]
async fn a_new_role_is_asked_for_whole_sessions_whatever_the_last_one_allowed() {
    let account = Account::new();
    account.role("one");
    let world = World::new();
    let dir = tempfile::tempdir().unwrap();
    write_token(dir.path(), world.sts_time(), "sts.amazonaws.com");
    let role = RoleFrom::Annotation(annotations_config(None));
    let rig = Rig::start_as(world, dir, role, account.clone(), [], 12 * HOUR, 1);
    rig.otherwise(Act::TooLong);
    sleep(2 * SECOND).await;
    rig.otherwise(Act::Grant);
    account.role("two");
    sleep(5 * MINUTE + 2 * SECOND).await;
    assert_eq!(rig.role(), arn("two"));
    let asked = rig.script.asked.lock().unwrap();
    let durations: Vec<Duration> = asked.iter().map(|(_, duration)| *duration).collect();
    assert_eq!(durations, [12 * HOUR, HOUR, 12 * HOUR]);
}

#[tokio::test(start_paused = true)]
async fn without_the_option_nobody_reads_the_service_account() {
    let rig = Rig::start([], HOUR, 1);
    sleep(HOUR).await;
    assert!(rig.serves());
    assert_eq!(rig.account.readings(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_new_token_and_a_refused_exchange_have_the_service_account_read_again() {
    let account = Account::new();
    account.role("one");
    let rig = Rig::annotated(&account, None);
    sleep(SECOND).await;
    account.role("two");
    write_token(
        rig.dir.path(),
        rig.world.sts_time() + SECOND,
        "sts.amazonaws.com",
    );
    sleep(crate::watch::POLL + 2 * SECOND).await;
    assert_eq!(rig.role(), arn("two"), "a new token");

    rig.otherwise(Act::Refuse(
        answered(403, "AccessDenied", "Not authorized").kind,
    ));
    account.role("wrong");
    sleep(5 * MINUTE + 2 * SECOND).await;
    assert_eq!(rig.roles().last(), Some(&arn("wrong")));
    assert_eq!(rig.role(), arn("two"), "the last ones are served");
    rig.otherwise(Act::Grant);
    account.role("three");
    sleep(MINUTE + 2 * SECOND).await;
    assert_eq!(rig.role(), arn("three"), "before the next exchange");
}

#[tokio::test(start_paused = true)]
async fn what_was_read_stays_while_it_cannot_be_read_again_whatever_the_reason() {
    for kind in [
        UNREACHABLE,
        forbidden(),
        unauthorized(),
        ServiceAccountErrorKind::NoApiToken(String::new()),
    ] {
        let account = Account::new();
        account.role("one");
        let rig = Rig::annotated(&account, Some("frozen"));
        sleep(SECOND).await;
        account.fail(kind);
        sleep(6 * HOUR).await;
        assert_eq!(rig.role(), arn("one"));
        assert_eq!(rig.roles(), [arn("one")], "never the frozen one");
        account.role("two");
        sleep(MINUTE + 2 * SECOND).await;
        assert_eq!(rig.role(), arn("two"), "asked at least every minute");
    }
}

#[tokio::test(start_paused = true)]
async fn a_role_that_was_taken_away_is_not_asked_for_again_and_its_credentials_end() {
    for (annotations, finding) in [
        (Some(&[][..]), findings::ROLE_ANNOTATION_MISSING),
        (
            Some(&[("role-arn", "no role")]),
            findings::ROLE_ANNOTATION_INVALID,
        ),
        (None, findings::SERVICE_ACCOUNT_NOT_FOUND),
    ] {
        let account = Account::new();
        account.role("one");
        let rig = Rig::annotated(&account, Some("frozen"));
        sleep(SECOND).await;
        match annotations {
            Some(annotations) => account.annotate(annotations),
            None => account.fail(ServiceAccountErrorKind::NotFound),
        }
        let exchanges = rig.exchanges();
        sleep(6 * MINUTE).await;
        assert_eq!(rig.finding(), finding.id, "seen at once");
        assert!(rig.serves(), "credentials that live are given out");
        // Its silence does not bring back what was taken away.
        account.fail(UNREACHABLE);
        sleep(2 * HOUR).await;
        assert!(!rig.serves());
        assert_eq!(rig.exchanges(), exchanges, "no exchange since");
        account.role("one");
        sleep(MINUTE + 2 * SECOND).await;
        assert!(rig.serves());
    }
}

#[tokio::test(start_paused = true)]
async fn aws_role_arn_stands_in_only_until_the_api_has_answered() {
    let account = Account::new();
    account.fail(UNREACHABLE);
    let rig = Rig::annotated(&account, Some("frozen"));
    sleep(SECOND).await;
    assert_eq!(rig.role(), arn("frozen"));
    account.role("one");
    // Each pause is at most twice as long as the API was away before.
    sleep(20 * SECOND).await;
    assert_eq!(rig.role(), arn("one"), "away for a moment only");

    let account = Account::new();
    account.fail(UNREACHABLE);
    let rig = Rig::annotated(&account, Some("frozen"));
    sleep(2 * HOUR).await;
    let readings = account.readings();
    assert!(
        (120..=480).contains(&readings),
        "{readings} readings in 2 h"
    );
    account.role("one");
    sleep(MINUTE + 2 * SECOND).await;
    assert_eq!(rig.role(), arn("one"), "away for hours");

    let account = Account::new();
    account.fail(UNREACHABLE);
    let rig = Rig::annotated(&account, Some("frozen"));
    sleep(SECOND).await;
    account.fail(forbidden());
    sleep(6 * MINUTE).await;
    assert_eq!(rig.finding(), findings::SERVICE_ACCOUNT_FORBIDDEN.id);
    assert!(rig.serves());
    account.fail(UNREACHABLE);
    sleep(HOUR).await;
    assert!(!rig.serves());
    assert_eq!(rig.roles(), [arn("frozen")]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_at_the_start_is_a_finding_whatever_stands_in_aws_role_arn() {
    for (kind, finding) in [
        (forbidden(), findings::SERVICE_ACCOUNT_FORBIDDEN),
        (unauthorized(), findings::SERVICE_ACCOUNT_UNAUTHORIZED),
        (
            ServiceAccountErrorKind::NotFound,
            findings::SERVICE_ACCOUNT_NOT_FOUND,
        ),
    ] {
        let account = Account::new();
        account.fail(kind);
        let rig = Rig::annotated(&account, Some("frozen"));
        sleep(10 * MINUTE).await;
        assert_eq!(rig.finding(), finding.id);
        assert_eq!(rig.exchanges(), 0);
        account.role("one");
        sleep(5 * MINUTE).await;
        assert_eq!(rig.role(), arn("one"), "{}", finding.id);
    }
}

#[tokio::test(start_paused = true)]
async fn without_anything_to_stand_in_the_api_is_asked_until_it_answers() {
    let account = Account::new();
    account.fail(UNREACHABLE);
    let rig = Rig::annotated(&account, None);
    sleep(HOUR).await;
    assert_eq!(rig.finding(), findings::API_UNREACHABLE.id);
    assert_eq!(rig.exchanges(), 0);
    account.role("one");
    sleep(MINUTE + SECOND).await;
    assert_eq!(rig.role(), arn("one"));
}

#[tokio::test(start_paused = true)]
async fn the_audience_of_the_annotation_is_what_the_claims_are_checked_against() {
    let account = Account::new();
    let audience = |audience: &str| {
        account.annotate(&[("role-arn", &arn("one")), ("audience", audience)]);
    };
    audience("sts.example.com");
    let rig = Rig::annotated(&account, None);
    sleep(SECOND).await;
    assert_eq!(rig.finding(), findings::TOKEN_AUDIENCE.id);
    assert_eq!(rig.exchanges(), 0);
    audience("sts.amazonaws.com");
    sleep(MINUTE + 2 * SECOND).await;
    assert!(rig.serves(), "{}", rig.finding());
    audience("sts.example.com");
    sleep(5 * MINUTE + 2 * SECOND).await;
    assert_eq!(
        rig.finding(),
        findings::TOKEN_AUDIENCE.id,
        "looked at at once"
    );
}

#[tokio::test(start_paused = true)]
async fn a_missing_token_does_not_make_the_loop_spin_when_a_reading_is_due() {
    let account = Account::new();
    account.role("one");
    let rig = Rig::annotated(&account, None);
    sleep(SECOND).await;
    fs::remove_file(rig.dir.path().join("token")).unwrap();
    let readings = account.readings();
    let looks = || rig.world.looks.load(Ordering::Relaxed);
    let before = looks();
    sleep(20 * MINUTE).await;
    assert_eq!(account.readings(), readings);
    let looks = looks() - before;
    assert!(looks < 2000, "{looks} looks at the clock in 20 min");
}

/// Each may take as long as a request takes to be given up.
#[tokio::test(start_paused = true)]
async fn an_attempt_reads_once_whatever_made_it_and_whatever_is_found() {
    for kind in [
        forbidden(),
        unauthorized(),
        ServiceAccountErrorKind::NotFound,
    ] {
        let account = Account::new();
        account.fail(kind);
        let rig = Rig::annotated(&account, None);
        // Attempts are half a minute apart by then.
        sleep(3 * MINUTE).await;
        let before = after_a_reading(&account).await;
        write_token(
            rig.dir.path(),
            rig.world.sts_time() + SECOND,
            "sts.amazonaws.com",
        );
        let failed = failures(&rig);
        assert_eq!(after_a_reading(&account).await, before + 1, "a new token");
        assert_eq!(failures(&rig), failed + 1);
    }

    let account = Account::new();
    account.role("one");
    let rig = Rig::annotated(&account, None);
    sleep(SECOND).await;
    account.annotate(&[]);
    assert_eq!(after_a_reading(&account).await, 2, "the role is gone");
    assert_eq!(rig.finding(), findings::ROLE_ANNOTATION_MISSING.id);
    sleep(2 * HOUR).await;
    let attempts = u32::try_from(account.readings() - 1).unwrap();
    assert_eq!(failures(&rig), attempts, "none between the attempts");
    account.role("two");
    sleep(5 * MINUTE + 2 * SECOND).await;
    assert_eq!(rig.role(), arn("two"), "the next attempt reads again");
}

/// Waits for the next reading and a little longer; tells how many it has been.
async fn after_a_reading(account: &Account) -> usize {
    let before = account.readings();
    while account.readings() == before {
        sleep(SECOND).await;
    }
    sleep(5 * SECOND).await;
    account.readings()
}

fn failures(rig: &Rig) -> u32 {
    let text = rig.metrics.text();
    let counts = text.lines().filter(|line| {
        line.starts_with("irsa_sidecar_refreshes_total") && !line.contains("success")
    });
    counts
        .filter_map(|line| line.rsplit_once(' ')?.1.parse::<u32>().ok())
        .sum()
}

#[tokio::test(start_paused = true)]
async fn nothing_of_one_service_account_holds_for_the_token_of_another() {
    let other_token = |rig: &Rig| {
        let now = rig.world.sts_time() + SECOND;
        write_token_of(rig.dir.path(), now, "sts.amazonaws.com", "other");
    };
    let account = Account::new();
    account.role("one");
    let rig = Rig::annotated(&account, None);
    sleep(SECOND).await;
    account.role("two");
    other_token(&rig);
    sleep(crate::watch::POLL + 2 * SECOND).await;
    assert_eq!(rig.role(), arn("two"));
    let names: Vec<_> = account.readings.lock().unwrap().clone();
    let names: Vec<_> = names.iter().map(|read| read.name.as_str()).collect();
    assert_eq!(names, ["app", "other"]);

    for kind in [UNREACHABLE, forbidden()] {
        let account = Account::new();
        account.role("one");
        let rig = Rig::annotated(&account, None);
        sleep(SECOND).await;
        account.fail(kind);
        other_token(&rig);
        sleep(2 * HOUR).await;
        assert_eq!(rig.exchanges(), 1, "none for the other's role");
        assert!(!rig.serves());
        account.role("two");
        sleep(5 * MINUTE + 2 * SECOND).await;
        assert_eq!(rig.roles(), [arn("one"), arn("two")]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_of_another_service_account_is_noticed_by_the_attempt_itself() {
    let account = Account::new();
    account.annotate(&[("role-arn", &arn("one")), ("audience", "sts.example.com")]);
    let mut role = AnnotatedRole::new(annotations_config(Some("frozen")), account.clone());
    let of = |account: &str| claims_of(account);
    assert_eq!(role.settle(&of("app")).await.unwrap().as_str(), arn("one"));
    assert_eq!(role.audience(), Some("sts.example.com"));
    account.annotate(&[("role-arn", &arn("two")), ("audience", "sts.example.org")]);
    assert_eq!(role.settle(&of("app")).await.unwrap().as_str(), arn("one"));
    assert_eq!(
        role.settle(&of("other")).await.unwrap().as_str(),
        arn("two")
    );
    assert_eq!(account.readings(), 2);
    account.fail(UNREACHABLE);
    let third = role.settle(&of("third")).await.unwrap();
    assert_eq!(third.as_str(), arn("frozen"), "nothing was heard of it yet");
    assert_eq!(role.audience(), None, "another's audience");
    account.fail(forbidden());
    assert!(role.read_again(&of("third")).await, "nothing stands in now");
    account.role("two");
    let fourth = role.settle(&of("fourth")).await.unwrap();
    assert_eq!(fourth.as_str(), arn("two"), "another's refusal");
}

fn claims_of(account: &str) -> Claims {
    let dir = tempfile::tempdir().unwrap();
    let now = UNIX_EPOCH + Duration::from_secs(EPOCH);
    write_token_of(dir.path(), now, "sts.amazonaws.com", account);
    let token = crate::token::read_once(&dir.path().join("token")).unwrap();
    claims::decode(&token).unwrap()
}
