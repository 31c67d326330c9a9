use proptest::prelude::*;
use ring::{digest, hmac};
use serde_json::Value;

use super::*;
use crate::credentials::Session;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

fn vectors() -> Vec<Value> {
    let file: Value =
        serde_json::from_str(include_str!("../../tests/data/eks-token-vectors.json")).unwrap();
    file["vectors"].as_array().unwrap().clone()
}

/// 2025-01-02T03:04:05Z, and so many milliseconds.
fn at(millis: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(1_735_787_045_000 + millis)
}

fn parsed(time: &Value) -> SystemTime {
    use aws_smithy_types::DateTime;
    use aws_smithy_types::date_time::Format;
    let time = DateTime::from_str(time.as_str().unwrap(), Format::DateTime).unwrap();
    SystemTime::try_from(time).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn demo() -> (Region, ClusterName) {
    ("us-west-2".parse().unwrap(), "demo".parse().unwrap())
}

fn moment(wall: SystemTime) -> Moment {
    Moment {
        wall,
        tick: Instant::now(),
    }
}

fn later(start: Moment, wall: Duration, tick: Duration) -> Moment {
    Moment {
        wall: start.wall + wall,
        tick: start.tick + tick,
    }
}

fn session(session_token: &str, expiration: SystemTime) -> Session {
    Session {
        access_key_id: "ASIAIOSFODNN7EXAMPLE".into(),
        secret_access_key: Secret::new("hunter2/secret+key".into()),
        session_token: Secret::new(session_token.into()),
        expiration,
        account_id: "111122223333".into(),
        role_arn: "arn:aws:iam::111122223333:role/app".into(),
        session_name: "app-7f9".into(),
    }
}

/// Credentials that arrived at `obtained` and live as long as STS says.
fn credentials(obtained: Moment, expiration: SystemTime) -> Credentials {
    Credentials::new(session("hunter2==", expiration), obtained, 12 * HOUR).unwrap()
}

fn minted(credentials: &Credentials, now: Moment, local: SystemTime) -> EksToken {
    let (region, cluster) = demo();
    mint(credentials, &region, &cluster, false, now, local).unwrap()
}

fn decoded(token: &str) -> String {
    let encoded = token.strip_prefix(PREFIX).unwrap();
    String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(encoded).unwrap()).unwrap()
}

/// SigV4 as AWS describes it, written without the code under test.
fn assembled_by_hand(
    (key_id, secret, session_token): (&str, &str, &str),
    (host, region): (&str, &str),
    cluster: &str,
    time: &str,
) -> String {
    let percent = |text: &str| -> String {
        let encode = |b: u8| match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(b).to_string()
            }
            _ => format!("%{b:02X}"),
        };
        text.bytes().map(encode).collect()
    };
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|b| format!("{b:02x}")).collect() };
    let sha256 = |text: &str| hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
    let mac = |key: &[u8], text: &str| {
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes())
            .as_ref()
            .to_vec()
    };
    let date = &time[..8];
    let scope = format!("{date}/{region}/sts/aws4_request");
    let before = format!(
        "Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}&X-Amz-Date={time}&X-Amz-Expires=60",
        percent(&format!("{key_id}/{scope}"))
    );
    let token = format!("X-Amz-Security-Token={}", percent(session_token));
    let signed = "X-Amz-SignedHeaders=host%3Bx-k8s-aws-id";
    let canonical = format!(
        "GET\n/\n{before}&{token}&{signed}\nhost:{host}\nx-k8s-aws-id:{cluster}\n\nhost;x-k8s-aws-id\n{}",
        sha256("")
    );
    let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", sha256(&canonical));
    let steps = [date, region, "sts", "aws4_request", &to_sign];
    let signature = steps
        .iter()
        .fold(format!("AWS4{secret}").into_bytes(), |key, step| {
            mac(&key, step)
        });
    format!(
        "https://{host}/?{before}&{signed}&{token}&X-Amz-Signature={}",
        hex(&signature)
    )
}

#[test]
fn every_vector_of_the_aws_cli_is_met_byte_for_byte() {
    let vectors = vectors();
    assert_eq!(vectors.len(), 13);
    for vector in &vectors {
        let (input, output) = (&vector["input"], &vector["output"]);
        let secret = Secret::new(text(&input["secret_access_key"]).into());
        let session_token = input["session_token"]
            .as_str()
            .map(|token| Secret::new(token.into()));
        let keys = Keys {
            access_key_id: text(&input["access_key_id"]),
            secret_access_key: &secret,
            session_token: session_token.as_ref(),
        };
        let region: Region = text(&input["region"]).parse().unwrap();
        let cluster: ClusterName = text(&input["cluster"]).parse().unwrap();
        let use_fips = input["env"]["AWS_USE_FIPS_ENDPOINT"] == "true";
        let signed_at = parsed(&input["time"]);

        let url = presigned_url(&keys, &region, &cluster, use_fips, signed_at).unwrap();
        assert_eq!(url.as_str(), text(&output["url"]), "{}", vector["name"]);
        let token = presign(&keys, &region, &cluster, use_fips, signed_at);
        if output["over_verifier_limit"] == true {
            let error = EksTokenError::TooLarge {
                bytes: usize::try_from(output["token_length"].as_u64().unwrap()).unwrap(),
                session_token_length: text(&input["session_token"]).len(),
            };
            assert_eq!(token, Err(error));
            continue;
        }
        let token = token.unwrap();
        assert_eq!(token.expose(), text(&output["token"]));
        let token = EksToken {
            minted_local: signed_at,
            token,
            expiration: whole_second(signed_at) + LIFE,
            minted: moment(signed_at),
            reuse: REUSE,
            signer: Signer {
                access_key_id: String::new(),
                obtained: Instant::now(),
            },
        };
        assert_eq!(
            std::str::from_utf8(&exec_credential(&token, ApiVersion::V1Beta1)).unwrap(),
            text(&output["exec_credential_from_aws_cli"])
        );
    }
}

proptest! {
    #[test]
    fn whatever_the_keys_hold_the_url_is_the_one_that_is_assembled_by_hand(
        key_id in "[A-Z0-9]{16,20}",
        secret in "[ -~]{1,40}",
        session_token in "[A-Za-z0-9+/=]{1,400}|[ -~]{1,60}|.{1,40}",
        place in prop::sample::select(vec![
            ("us-west-2", "sts.us-west-2.amazonaws.com"),
            ("cn-north-1", "sts.cn-north-1.amazonaws.com.cn"),
            ("us-gov-east-1", "sts.us-gov-east-1.amazonaws.com"),
            ("eusc-de-east-1", "sts.eusc-de-east-1.amazonaws.eu"),
            ("us-isob-east-1", "sts.us-isob-east-1.sc2s.sgov.gov"),
        ]),
        cluster in "[!-~]{1,100}",
        seconds in 0_u64..100 * 365 * 86_400,
    ) {
        let signed_at = UNIX_EPOCH + Duration::from_secs(seconds);
        let time = rfc3339(signed_at).replace(['-', ':'], "");
        let (secret_key, token) = (Secret::new(secret.clone()), Secret::new(session_token.clone()));
        let keys = Keys {
            access_key_id: &key_id,
            secret_access_key: &secret_key,
            session_token: Some(&token),
        };
        let (region, host) = place;
        let made = presign(&keys, &region.parse().unwrap(), &cluster.parse().unwrap(), false, signed_at).unwrap();
        let by_hand = assembled_by_hand((&key_id, &secret, &session_token), (host, region), &cluster, &time);
        prop_assert_eq!(decoded(made.expose()), by_hand);
    }
}

#[test]
fn a_token_is_refused_from_the_first_byte_beyond_4096_and_never_before() {
    let (region, cluster) = demo();
    let secret = Secret::new("s".into());
    let (mut accepted, mut refused) = (0, 0);
    for length in 2670..2690 {
        let token = Secret::new("x".repeat(length));
        let keys = Keys {
            access_key_id: "ASIAIOSFODNN7EXAMPLE",
            secret_access_key: &secret,
            session_token: Some(&token),
        };
        let url = presigned_url(&keys, &region, &cluster, false, at(0)).unwrap();
        let whole = format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(url.as_bytes()));
        let error = EksTokenError::TooLarge {
            bytes: whole.len(),
            session_token_length: length,
        };
        if whole.len() > LONGEST {
            refused += 1;
            assert_eq!(presign(&keys, &region, &cluster, false, at(0)), Err(error));
        } else {
            accepted += 1;
            let made = presign(&keys, &region, &cluster, false, at(0)).unwrap();
            assert_eq!(made.expose(), whole);
        }
    }
    assert!(accepted > 0 && refused > 0, "{accepted} and {refused}");
}

#[test]
fn a_token_lives_for_14_minutes_from_the_second_of_its_signature() {
    let now = moment(at(999));
    let token = minted(&credentials(now, at(0) + HOUR), now, at(999));
    assert_eq!(token.expiration(), at(0) + Duration::from_secs(14 * 60));
    assert!(decoded(token.token().expose()).contains("&X-Amz-Date=20250102T030405Z&"));
}

#[test]
fn a_token_ends_exactly_a_minute_before_its_credentials_do() {
    for noise in [0, 1, 250, 499, 500, 999] {
        let obtained = moment(at(noise));
        let credentials = credentials(obtained, at(0) + HOUR);
        // Ten minutes are left, as told by two clocks that disagree by some microseconds.
        let passed = Duration::from_secs(50 * 60);
        let now = later(obtained, passed, passed + Duration::from_micros(37));
        let token = minted(&credentials, now, now.wall);
        assert_eq!(
            token.expiration(),
            at(0) + HOUR - 60 * SECOND,
            "noise {noise}"
        );
    }
}

#[test]
fn a_wrong_clock_is_told_in_its_own_time_and_signed_in_that_of_sts() {
    for offset in [-HOUR.as_secs().cast_signed(), 3 * 3600] {
        let now = moment(at(0));
        let local = if offset < 0 {
            now.wall - HOUR
        } else {
            now.wall + 3 * HOUR
        };
        let long = credentials(now, at(0) + HOUR);
        let token = minted(&long, now, local);
        assert!(decoded(token.token().expose()).contains("&X-Amz-Date=20250102T030405Z&"));
        assert_eq!(token.expiration(), local + LIFE);

        let short = credentials(now, at(0) + Duration::from_secs(300));
        let token = minted(&short, now, local);
        assert_eq!(token.expiration(), local + Duration::from_secs(240));
    }
}

#[test]
fn credentials_that_die_within_a_minute_sign_nothing() {
    let (region, cluster) = demo();
    let start = moment(at(0));
    let mint_with = |left: Duration| {
        let credentials = credentials(start, at(0) + left);
        mint(&credentials, &region, &cluster, false, start, at(0))
    };
    for left in [1, 30, 59, 60] {
        let remaining = Duration::from_secs(left);
        assert_eq!(
            mint_with(remaining).unwrap_err(),
            EksTokenError::Dying { remaining }
        );
    }
    let barely = mint_with(61 * SECOND).unwrap();
    assert_eq!(barely.expiration(), at(1000));
    // Rounded up it would have a life; it has none.
    assert!(mint_with(Duration::from_millis(60_400)).is_err());
}

#[test]
fn one_token_is_given_out_for_seven_minutes() {
    let start = moment(at(0));
    let credentials = credentials(start, at(0) + HOUR);
    let token = minted(&credentials, start, start.wall);
    let seconds = Duration::from_secs;
    assert!(token.reusable(start, start.wall, &credentials));
    assert_eq!(token.reuse_left(start), seconds(420));
    let last = later(start, seconds(419), seconds(419));
    assert!(token.reusable(last, last.wall, &credentials));
    for (wall, tick) in [(420, 420), (420, 0), (0, 420), (9999, 1)] {
        let now = later(start, seconds(wall), seconds(tick));
        assert!(
            !token.reusable(now, now.wall, &credentials),
            "{wall} {tick}"
        );
    }
    let stepped_back = Moment {
        wall: start.wall - HOUR,
        tick: start.tick + seconds(421),
    };
    assert!(!token.reusable(stepped_back, stepped_back.wall, &credentials));
}

#[test]
fn a_token_whose_end_was_given_in_a_clock_that_was_stepped_since_is_not_given_out_again() {
    let start = moment(at(0));
    let credentials = credentials(start, at(0) + HOUR);
    let token = minted(&credentials, start, start.wall);
    let now = later(start, SECOND, SECOND);
    assert!(token.reusable(now, now.wall + 4 * SECOND, &credentials));
    for stepped in [now.wall - 1200 * SECOND, now.wall + 1200 * SECOND] {
        assert!(!token.reusable(now, stepped, &credentials));
    }
}

#[test]
fn a_token_with_a_short_life_is_given_out_for_half_of_it() {
    let start = moment(at(0));
    let credentials = credentials(start, at(0) + Duration::from_secs(360));
    let token = minted(&credentials, start, start.wall);
    assert_eq!(token.reuse_left(start), Duration::from_secs(150));
}

#[test]
fn a_token_is_not_reused_once_credentials_have_changed() {
    let start = moment(at(0));
    let first = credentials(start, at(0) + HOUR);
    let token = minted(&first, start, start.wall);
    let now = later(start, SECOND, SECOND);
    assert!(token.reusable(now, now.wall, &first));
    // Another exchange, though the key id is the same.
    assert!(!token.reusable(now, now.wall, &credentials(now, at(0) + HOUR)));
    let mut other = session("hunter2==", at(0) + HOUR);
    other.access_key_id = "ASIAOTHER".into();
    let other = Credentials::new(other, start, HOUR).unwrap();
    assert!(!token.reusable(now, now.wall, &other));
}

#[test]
fn a_clock_beyond_all_dates_is_an_error_and_no_panic() {
    let (region, cluster) = demo();
    let secret = Secret::new("s".into());
    let keys = Keys {
        access_key_id: "AKID",
        secret_access_key: &secret,
        session_token: None,
    };
    let far = UNIX_EPOCH + Duration::from_secs(253_402_300_800);
    for signed_at in [far, UNIX_EPOCH - SECOND] {
        let made = presign(&keys, &region, &cluster, false, signed_at);
        assert!(matches!(made, Err(EksTokenError::Unsignable(_))));
    }
    assert!(presign(&keys, &region, &cluster, false, far - SECOND).is_ok());
}

#[test]
fn nothing_that_is_shown_holds_the_token_or_what_signed_it() {
    let now = moment(at(0));
    let credentials = credentials(now, at(0) + HOUR);
    let token = minted(&credentials, now, now.wall);
    let shown = format!("{token:?} {:?}", Keys::from(&credentials));
    assert!(shown.contains("2025-01-02T03:18:05Z"), "{shown}");
    for secret in ["hunter2", "k8s-aws-v1", "Signature"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn the_error_about_size_says_why_and_what_to_do() {
    let error = EksTokenError::TooLarge {
        bytes: 5449,
        session_token_length: 3520,
    };
    assert_eq!(
        error.to_string(),
        "the EKS token has 5449 bytes, as the session token in it has 3520 characters; expected at most 4096 bytes, \
         which is all that EKS accepts: a session token of about 2,500 characters; session tags, a session policy and \
         policy ARNs make session tokens long: assume a role without them, or with fewer"
    );
    assert_eq!(error.diagnosis().finding.id, "eks-token-too-large");
}

#[test]
fn cluster_names_take_the_form_that_is_signed() {
    for (given, signed) in [
        ("demo", "demo"),
        ("  my  old   cluster ", "my old cluster"),
        ("dev.k8s.example.com", "dev.k8s.example.com"),
        ("a_b-C/d:e", "a_b-C/d:e"),
    ] {
        assert_eq!(given.parse::<ClusterName>().unwrap().as_str(), signed);
    }
    let longest = "x".repeat(256);
    assert_eq!(longest.parse::<ClusterName>().unwrap().as_str(), longest);
    for (given, error) in [
        ("", NotAClusterName::Empty),
        ("   ", NotAClusterName::Empty),
        ("a\nb", NotAClusterName::Character('\n')),
        ("a\tb", NotAClusterName::Character('\t')),
        ("\u{7f}", NotAClusterName::Character('\u{7f}')),
        ("né", NotAClusterName::Character('é')),
        (&format!("{longest}x"), NotAClusterName::TooLong(257)),
    ] {
        assert_eq!(given.parse::<ClusterName>(), Err(error));
    }
    assert_eq!(
        NotAClusterName::Character('\r').to_string(),
        r"the cluster name has a control character (\r)"
    );
}

#[test]
fn api_versions_are_named_with_their_group_or_without() {
    for version in [ApiVersion::V1Alpha1, ApiVersion::V1Beta1, ApiVersion::V1] {
        let full = version.to_string();
        let short = full.rsplit('/').next().unwrap();
        assert_eq!(full.parse(), Ok(version));
        assert_eq!(short.parse(), Ok(version));
    }
    for wrong in ["", "v2", "V1", "client.authentication.k8s.io/", "apps/v1"] {
        assert!(wrong.parse::<ApiVersion>().is_err(), "{wrong}");
    }
}
