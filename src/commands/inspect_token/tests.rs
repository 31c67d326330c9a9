use std::collections::HashSet;
use std::sync::LazyLock;
use std::time::UNIX_EPOCH;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::eks_token::{Keys, PREFIX, presign};

/// As STS makes them.
const SESSION_TOKEN: &str = "IQoJb3JpZ2luX2VjEHkaCWV1LXdlc3QtMSJHMEUCIQDx7+kqUeEKZ3m0Zz9bV1Yw/4oWqT2cN8hJrL5sPfXgAiEA1uQvB6tRyH0KdMnEjFa3GkSpCw+OiZlU7x2rT9YbN8oqvwUIYRAAGgwxMTExMjIyMjMzMzMiDPq/mK4Wz==";

fn signed_at() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_795_295_431)
}

fn url() -> String {
    let secret = Secret::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into());
    let session_token = Secret::new(SESSION_TOKEN.into());
    let keys = Keys {
        access_key_id: "ASIAIOSFODNN7EXAMPLE",
        secret_access_key: &secret,
        session_token: Some(&session_token),
    };
    let (region, cluster) = ("us-west-2".parse().unwrap(), "demo".parse().unwrap());
    let token = presign(&keys, &region, &cluster, false, signed_at()).unwrap();
    let encoded = token.expose().strip_prefix(PREFIX).unwrap();
    String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(encoded).unwrap()).unwrap()
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// All that is printed of a token that holds `url`, and all that could be logged.
fn shown(url: &str) -> String {
    let token = format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(url));
    let inspection = inspect(&token, signed_at(), None);
    let mut report = Report::default();
    report.inspection(&inspection, None);
    format!("{}{inspection:?}", report.0)
}

/// The session token and the signature in every form.
fn secrets() -> Vec<String> {
    let url = url();
    let (_, signature) = url.split_once("X-Amz-Signature=").unwrap();
    let plain = [SESSION_TOKEN, signature];
    let forms = |secret: &str| {
        let (once, twice) = (encode(secret), encode(&encode(secret)));
        let wide = BASE64_STANDARD.encode(secret);
        let narrow = BASE64_URL_SAFE_NO_PAD.encode(secret);
        [secret.to_owned(), once, twice, wide, narrow]
    };
    let mut all: Vec<String> = plain.into_iter().flat_map(forms).collect();
    all.push(BASE64_URL_SAFE_NO_PAD.encode(&url));
    all
}

/// Every twenty characters of a secret, in lower case, as hosts and schemes may be.
static PIECES: LazyLock<HashSet<Vec<u8>>> = LazyLock::new(|| {
    let secrets = secrets().into_iter();
    let pieces = secrets.flat_map(|secret| {
        let secret = secret.to_ascii_lowercase().into_bytes();
        secret.windows(20).map(<[u8]>::to_vec).collect::<Vec<_>>()
    });
    pieces.collect()
});

/// Twenty characters of a secret that are in `said`.
fn leaked(said: &str) -> Option<String> {
    let said = said.to_ascii_lowercase();
    let mut pieces = said.as_bytes().windows(20);
    let found = pieces.find(|piece| PIECES.contains(*piece));
    found.map(|piece| String::from_utf8_lossy(piece).into_owned())
}

/// Where something is put into a good URL.
const SLOTS: &[&str] = &[
    "https",
    "://",
    "sts",
    "us-west-2.",
    ".amazonaws",
    ".com/",
    "/?",
    "Action",
    "GetCaller",
    "Version",
    "2011",
    "X-Amz-Algorithm=",
    "X-Amz-Credential=",
    "ASIAIOSFODNN7EXAMPLE",
    "%2F20261121",
    "%2Fus-west-2",
    "%2Fsts",
    "X-Amz-Date=",
    "20261121T211031Z",
    "X-Amz-Expires=",
    "X-Amz-SignedHeaders=",
    "host",
    "%3B",
    "x-k8s-aws-id",
    "X-Amz-Security-Token=",
    "X-Amz-Signature=",
];

const BETWEEN: &[&str] = &[
    "",
    "&",
    "=",
    "%26",
    "%3D",
    ";",
    "%3B",
    "/",
    "%2F",
    ":",
    "@",
    "#",
    "?",
    ".",
    "-",
    "%",
    "%25",
    "+",
    " ",
    "[",
    "]",
    "é",
    "%26X-Amz-Security-Token%3D",
    "&X-Amz-Date=",
    "://",
];

/// One way to spoil a URL. Places are taken modulo what there is.
#[derive(Debug, Clone)]
enum Mutation {
    Insert(usize, &'static str),
    Delete(usize, usize),
    Move(usize, usize, usize),
    Encode(usize, usize),
    Decode(usize, usize),
    Replace(&'static str, &'static str),
    /// A secret in this form and these signs around it, before, in place of or behind the slot.
    Put(usize, usize, &'static str, &'static str, &'static str),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let place = || 0_usize..2000;
    let length = || 0_usize..400;
    prop_oneof![
        (place(), select(BETWEEN)).prop_map(|(at, text)| Mutation::Insert(at, text)),
        (place(), length()).prop_map(|(at, length)| Mutation::Delete(at, length)),
        (place(), length(), place()).prop_map(|(at, length, to)| Mutation::Move(at, length, to)),
        (place(), length()).prop_map(|(at, length)| Mutation::Encode(at, length)),
        (place(), length()).prop_map(|(at, length)| Mutation::Decode(at, length)),
        (select(SLOTS), select(SLOTS)).prop_map(|(from, to)| Mutation::Replace(from, to)),
        (select(SLOTS), select(BETWEEN)).prop_map(|(from, to)| Mutation::Replace(from, to)),
        (
            0_usize..11,
            0_usize..3,
            select(SLOTS),
            select(BETWEEN),
            select(BETWEEN)
        )
            .prop_map(|(which, how, slot, front, back)| Mutation::Put(
                which, how, slot, front, back
            )),
    ]
}

fn range(text: &str, at: usize, length: usize) -> std::ops::Range<usize> {
    let floor = |place: usize| {
        (0..=place.min(text.len()))
            .rev()
            .find(|p| text.is_char_boundary(*p))
    };
    let start = floor(at % (text.len() + 1)).unwrap_or_default();
    start..floor(start + length).unwrap_or(start).max(start)
}

fn spoil(mut url: String, mutation: &Mutation, secrets: &[String]) -> String {
    match mutation {
        Mutation::Insert(at, text) => url.insert_str(range(&url, *at, 0).start, text),
        Mutation::Delete(at, length) => url.replace_range(range(&url, *at, *length), ""),
        Mutation::Move(at, length, to) => {
            let taken = range(&url, *at, *length);
            let piece = url[taken.clone()].to_owned();
            url.replace_range(taken, "");
            url.insert_str(range(&url, *to, 0).start, &piece);
        }
        Mutation::Encode(at, length) => {
            let taken = range(&url, *at, *length);
            let piece = encode(&url[taken.clone()]);
            url.replace_range(taken, &piece);
        }
        Mutation::Decode(at, length) => {
            let taken = range(&url, *at, *length);
            let piece = percent_decode_str(&url[taken.clone()]);
            let piece = piece.decode_utf8_lossy().into_owned();
            url.replace_range(taken, &piece);
        }
        Mutation::Replace(from, to) => url = url.replace(from, to),
        Mutation::Put(which, how, slot, front, back) => {
            let secret = format!("{front}{}{back}", secrets[which % secrets.len()]);
            let put = match how {
                0 => format!("{secret}{slot}"),
                1 => secret,
                _ => format!("{slot}{secret}"),
            };
            url = url.replacen(slot, &put, 1);
        }
    }
    url
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn however_a_token_is_spoilt_no_piece_of_its_secrets_is_shown(
        mutations in proptest::collection::vec(mutation(), 1..5),
    ) {
        let secrets = secrets();
        let spoilt = mutations.iter().fold(url(), |url, one| spoil(url, one, &secrets));
        let said = shown(&spoilt);
        prop_assert_eq!(leaked(&said), None, "{}\n{}", spoilt, said);
    }
}

#[test]
fn a_secret_in_any_place_of_a_token_is_not_shown() {
    let secrets = secrets();
    let places = SLOTS
        .iter()
        .flat_map(|slot| BETWEEN.iter().map(move |front| (slot, front)));
    for (slot, front) in places {
        // The session token as it is, once encoded and in base64.
        for (which, how) in [(0, 0), (0, 1), (0, 2), (1, 1), (3, 2), (5, 1)] {
            let spoilt = spoil(url(), &Mutation::Put(which, how, slot, front, ""), &secrets);
            let said = shown(&spoilt);
            assert_eq!(leaked(&said), None, "{spoilt}\n{said}");
        }
    }
}

/// Only what is known is told.
#[test]
fn of_a_token_that_cannot_be_decoded_no_header_and_no_session_token_is_told() {
    let lines = |token: &str| {
        let mut report = Report::default();
        report.inspection(&inspect(token, signed_at(), None), None);
        let names = report
            .0
            .lines()
            .filter_map(|line| line.split_whitespace().next());
        names.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(lines("nonsense"), ["size", "rules", "fix"]);
    assert_eq!(lines("k8s-aws-v1.=="), ["size", "rules", "fix"]);
    assert_eq!(lines("k8s-aws-v1."), ["size", "rules", "fix"]);
}

#[test]
fn whose_clock_it_is_judged_by_is_told_and_that_it_may_be_wrong() {
    let report = |signed: i64, offset: Option<i64>| {
        let token = format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(url()));
        let distance = Duration::from_secs(signed.unsigned_abs());
        let now = match signed < 0 {
            true => signed_at() - distance,
            false => signed_at() + distance,
        };
        let mut report = Report::default();
        report.inspection(&inspect(&token, now, None), offset);
        report.0
    };
    let fresh = report(60, None);
    assert!(
        fresh.contains(", 1m ago by this machine's clock\n") && !fresh.contains("\nclock "),
        "{fresh}"
    );
    for seconds in [20 * 60, -60] {
        let doubtful = report(seconds, None);
        assert!(
            doubtful.contains("\nclock           it may be this machine's that is wrong"),
            "{doubtful}"
        );
        assert!(!report(seconds, Some(0)).contains("\nclock "));
    }
    let corrected = report(60, Some(-1_200_000));
    assert!(
        corrected.contains(", 1m ago by the clock of STS\n"),
        "{corrected}"
    );
    assert!(
        corrected.contains("\nclock           this machine's is 20m ahead of that of STS"),
        "{corrected}"
    );
    assert!(report(60, Some(600_000)).contains("this machine's is 10m behind that of STS"));
}
