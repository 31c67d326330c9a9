//! Session tokens of IMDSv2: who gets one, for how long it is good, and what is good without one.

use std::time::Duration;

use tokio::time::Instant;

use super::{Imds, OF_THE_ROLE, REGION, ROLE, ROLE_NAME, TOKEN, TOKEN_HEADER, TTL_HEADER};
use super::{is_refused, is_whole};
use crate::sidecar::{Connection, Pod, eventually, exchange, get_head, request};

const NO_TOKEN: &str = "--imds-v1";
const BAD_TOKEN: &str = "get a new token with PUT /latest/api/token";
const BAD_TTL: &str = "from 1 to 21600";

#[test]
fn a_token_is_given_for_one_second_to_six_hours_and_says_for_how_long() {
    let pod = Pod::new();
    let imds = Imds::start(pod.serve());
    // Go v2, object_store and s3cmd ask for these; others for the most.
    for ttl in ["1", "60", "300", "600", "21600"] {
        let answer = imds.put(&[(TTL_HEADER, ttl)]);
        is_whole(&answer, "text/plain");
        assert_eq!(answer.headers[TTL_HEADER], ttl);
        let visible = |b: u8| b.is_ascii_graphic();
        assert!(answer.body.len() > 40 && answer.body.bytes().all(visible));
    }
}

#[test]
fn any_other_time_to_live_is_refused_in_words() {
    let pod = Pod::new();
    let imds = Imds::start(pod.serve());
    is_refused(&imds.put(&[]), 400, "InvalidParameter", BAD_TTL);
    let long = "9".repeat(4000);
    for ttl in [
        "",
        "0",
        "-1",
        "+5",
        "1e3",
        "60.0",
        "60s",
        "0x3c",
        "6 0",
        "60,60",
        "21601",
        "4294967297",
        "18446744073709551617",
        "sixty",
        "\u{661}",
        "\u{ff16}\u{ff10}",
        &long,
    ] {
        let answer = imds.put(&[(TTL_HEADER, ttl)]);
        is_refused(&answer, 400, "InvalidParameter", BAD_TTL);
        assert!(!answer.headers.contains_key(TTL_HEADER));
    }
    let twice = [(TTL_HEADER, "60"), (TTL_HEADER, "60")];
    is_refused(&imds.put(&twice), 400, "InvalidParameter", BAD_TTL);
    let raw = format!("PUT {TOKEN} HTTP/1.1\r\nhost: {}\r\n", imds.address);
    let latin = [raw.as_bytes(), TTL_HEADER.as_bytes(), b": \xe9\r\n\r\n"].concat();
    let half_closed = [&latin[..latin.len() - 2], b"connection: close\r\n\r\n"].concat();
    let answer = exchange(imds.address, &half_closed);
    is_refused(&answer, 400, "InvalidParameter", BAD_TTL);
}

/// The C++ SDK says nothing of a body, Ruby and others that it is empty.
#[test]
fn a_token_is_given_whatever_is_said_of_a_body_that_is_not_there() {
    let pod = Pod::new();
    let imds = Imds::start(pod.serve());
    for rest in [
        "\r\n",
        "content-length: 0\r\n\r\n",
        "content-length: 0\r\ncontent-type: application/x-www-form-urlencoded\r\n\r\n",
        "content-length: 0\r\nexpect: 100-continue\r\n\r\n",
    ] {
        let mut connection = Connection::open(imds.address);
        let put = put_head(&imds, rest);
        for _ in 0..2 {
            connection.send(put.as_bytes()).expect("sent");
            let answer = connection.receive().expect("whole").expect("an answer");
            assert_eq!(answer.status, 200, "{rest:?}: {answer:?}");
        }
    }
}

#[test]
fn a_token_is_given_with_a_body_too_and_the_body_is_never_taken_for_a_request() {
    let pod = Pod::new();
    let imds = Imds::ready(pod.serve().env("IRSA_SIDECAR_IMDS_V1", "true"));
    let smuggled = get_head(imds.address, ROLE, &[]);
    let framed = format!("content-length: {}\r\n", smuggled.len());
    let chunk = format!("{:x}\r\n{smuggled}\r\n0\r\n\r\n", smuggled.len());
    for (headers, body) in [
        ("content-length: 5\r\n", "hello"),
        ("content-length: 5\r\nexpect: 100-continue\r\n", "hello"),
        (&framed, &smuggled),
        (&format!("{framed}expect: 100-continue\r\n"), &smuggled),
        ("transfer-encoding: chunked\r\n", &chunk),
    ] {
        let head = put_head(&imds, &format!("{headers}\r\n"));
        for at_once in [true, false] {
            let mut connection = Connection::open(imds.address);
            let first = if at_once {
                format!("{head}{body}")
            } else {
                head.clone()
            };
            connection.send(first.as_bytes()).expect("sent");
            let answer = connection.receive().expect("whole").expect("an answer");
            assert_eq!(answer.status, 200, "{headers}: {answer:?}");
            if !at_once {
                // May be closed by now.
                let _ = connection.send(body.as_bytes());
            }
            let next = get_head(imds.address, ROLE, &[]);
            let _ = connection.send(next.as_bytes());
            assert!(connection.is_closed(), "{headers}: answered once more");
        }
    }
}

fn put_head(imds: &Imds, rest: &str) -> String {
    let host = imds.address;
    format!("PUT {TOKEN} HTTP/1.1\r\nhost: {host}\r\n{TTL_HEADER}: 60\r\n{rest}")
}

#[test]
fn a_token_is_good_for_as_long_as_it_says_and_no_longer() {
    let pod = Pod::new();
    let imds = Imds::ready(pod.serve());
    let second = Duration::from_secs(1);
    let asked = Instant::now();
    let answer = imds.put(&[(TTL_HEADER, "1")]);
    let given = Instant::now();
    let headers = [(TOKEN_HEADER, answer.body.as_str())];
    let over = eventually(|| {
        let sent = Instant::now();
        let answer = imds.bare(ROLE, &headers);
        if answer.status == 200 {
            assert!(
                sent < given + second,
                "still good after {:?}",
                given.elapsed()
            );
            return false;
        }
        is_refused(&answer, 401, "Unauthorized", BAD_TOKEN);
        assert!(
            asked.elapsed() >= second,
            "over after {:?}",
            asked.elapsed()
        );
        true
    });
    assert!(over, "a token of one second never ended");
    for _ in 0..3 {
        assert_eq!(imds.bare(REGION, &headers).status, 401, "it came back");
    }
}

#[test]
fn what_is_no_token_of_this_process_is_worth_nothing_even_where_none_is_needed() {
    let pod = Pod::new();
    for v1 in ["false", "true"] {
        let launch = || pod.serve().env("IRSA_SIDECAR_IMDS_V1", v1);
        let of_another_process = Imds::start(launch()).token();
        let imds = Imds::ready(launch());
        let good = imds.token();
        let authorization = crate::sidecar::read(&pod.path("authorization-token"));
        let mut other = good.clone().into_bytes();
        let last = other.len() / 2;
        other[last] = if other[last] == b'A' { b'B' } else { b'A' };
        let other = String::from_utf8(other).expect("ASCII");
        let long = "A".repeat(7_000);
        let padded = format!("{good}=");
        for wrong in [
            "",
            "x",
            "null",
            "\u{e9}\u{1f512}",
            &other,
            &padded,
            &format!("{good},{good}"),
            &good[1..],
            &good.repeat(2),
            &long,
            pod.request.pod_uid(),
            &authorization,
            &of_another_process,
        ] {
            for path in OF_THE_ROLE.iter().chain([&REGION]) {
                let answer = imds.bare(path, &[(TOKEN_HEADER, wrong)]);
                is_refused(&answer, 401, "Unauthorized", BAD_TOKEN);
            }
        }
        let twice = [(TOKEN_HEADER, good.as_str()), (TOKEN_HEADER, &good)];
        is_refused(&imds.bare(ROLE, &twice), 401, "Unauthorized", BAD_TOKEN);
        // Beyond what the head of any request may have.
        let huge = "A".repeat(8 * 1024);
        let answer = imds.bare(ROLE, &[(TOKEN_HEADER, &huge)]);
        assert_eq!(answer.status, 431, "{answer:?}");
        let headers = [(TOKEN_HEADER, good.as_str())];
        assert_eq!(imds.bare(ROLE, &headers).status, 200);
    }
}

#[test]
fn without_a_token_there_is_nothing_unless_version_1_was_asked_for() {
    let pod = Pod::new();
    let imds = Imds::ready(pod.serve());
    for path in OF_THE_ROLE.iter().chain([&REGION]) {
        is_refused(&imds.bare(path, &[]), 401, "Unauthorized", NO_TOKEN);
    }
    // An authorization that opens the other door is none here.
    let uid = [("authorization", pod.request.pod_uid())];
    is_refused(&imds.bare(ROLE, &uid), 401, "Unauthorized", NO_TOKEN);
    drop(imds);

    let imds = Imds::ready(pod.serve().arg("--imds-v1"));
    assert_eq!(imds.bare(ROLE_NAME, &[]).body, "app");
    let answer = imds.bare(ROLE, &[]);
    is_whole(&answer, "application/json");
    assert_eq!(
        answer.body,
        imds.get(ROLE).body,
        "and with a token the same"
    );
    assert_eq!(imds.bare(REGION, &[]).body, "eu-west-1");
}

#[test]
fn a_token_and_what_it_opens_may_be_asked_for_on_one_connection_and_at_once() {
    let pod = Pod::new();
    let imds = Imds::ready(pod.serve());
    let host = imds.address;
    let put = put_head(&imds, "\r\n");
    let mut connection = Connection::open(host);
    connection.send(put.as_bytes()).expect("sent");
    let mut token = connection.receive().expect("whole").expect("it").body;
    for _ in 0..20 {
        let get = get_head(host, ROLE, &[(TOKEN_HEADER, &token)]);
        let without = get_head(host, ROLE, &[]);
        let three = [put.as_str(), &get, &without].concat();
        connection.send(three.as_bytes()).expect("sent");
        let mut next = || connection.receive().expect("whole").expect("an answer");
        let (new, credentials, refused) = (next(), next(), next());
        assert_eq!((new.status, credentials.status), (200, 200));
        assert_eq!(credentials.json()["Code"], "Success");
        is_refused(&refused, 401, "Unauthorized", NO_TOKEN);
        token = new.body;
    }
}

#[test]
fn ten_thousand_tokens_later_the_first_is_still_good() {
    let pod = Pod::new();
    let imds = Imds::ready(pod.serve());
    let first = imds.token();
    let host = imds.address;
    let put = put_head(&imds, "\r\n");
    let mut connection = Connection::open(host);
    let batch = put.repeat(100);
    for _ in 0..100 {
        connection.send(batch.as_bytes()).expect("sent");
        for _ in 0..100 {
            let answer = connection.receive().expect("whole").expect("an answer");
            assert_eq!(answer.status, 200);
        }
    }
    let headers = [(TOKEN_HEADER, first.as_str())];
    assert_eq!(request(host, "GET", ROLE, &headers).status, 200);
}
