//! The role that the service account names, over hours.

use super::*;

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
        ServiceAccountErrorKind::NotFound,
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
        sleep(5 * MINUTE + 2 * SECOND).await;
        assert_eq!(rig.role(), arn("two"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_role_that_was_taken_away_is_not_asked_for_again_and_its_credentials_end() {
    for (annotations, finding) in [
        (&[][..], findings::ROLE_ANNOTATION_MISSING),
        (
            &[("role-arn", "no role")],
            findings::ROLE_ANNOTATION_INVALID,
        ),
    ] {
        let account = Account::new();
        account.role("one");
        let rig = Rig::annotated(&account, Some("frozen"));
        sleep(SECOND).await;
        account.annotate(annotations);
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
    sleep(5 * MINUTE + 2 * SECOND).await;
    assert_eq!(rig.role(), arn("one"));

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
