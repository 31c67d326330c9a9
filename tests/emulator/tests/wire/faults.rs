//! Each fault, as a client meets it.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use emulator::{Emulator, Fault, TokenRequest};
use tokio::time::Instant;

use crate::client::{Reply, eventually, exchange, now, send, try_exchange};

/// The first answer of an emulator with this fault; the second is always good.
fn met_by(fault: Fault) -> Reply {
    let emulator = Emulator::start();
    emulator.sts().fail_next(1, fault);
    let reply = exchange(&emulator);
    assert_eq!(exchange(&emulator).status, 200);
    reply
}

/// How a connection fails on which no answer comes.
fn cut_by(fault: Fault) -> ErrorKind {
    let emulator = Emulator::start();
    emulator.sts().fail_next(1, fault.clone());
    let token = emulator.issuer().token(&TokenRequest::default());
    let error = try_exchange(&emulator, &token, &[]).unwrap_err();
    assert_eq!(emulator.sts().calls()[0].result, fault.name());
    assert_eq!(exchange(&emulator).status, 200);
    error.kind()
}

#[test]
fn an_error_comes_with_its_real_status_and_usual_message() {
    let reply = met_by(Fault::error("RegionDisabledException"));
    assert_eq!(
        (reply.status, reply.element("Code")),
        (403, "RegionDisabledException")
    );
    assert_eq!(reply.element("Type"), "Sender");
    assert_eq!(
        met_by(Fault::error("InternalFailure")).element("Type"),
        "Receiver"
    );
}

#[test]
fn throttling_is_a_400() {
    assert_eq!(
        met_by(Fault::Throttle).error(),
        (400, "Throttling", "Rate exceeded")
    );
}

#[test]
fn a_server_error_is_a_page_of_html() {
    let reply = met_by(Fault::ServerError(502));
    assert_eq!(
        (reply.status, reply.header("content-type")),
        (502, Some("text/html"))
    );
}

#[test]
fn garbage_is_a_200_without_an_answer() {
    let reply = met_by(Fault::Garbage);
    assert_eq!(reply.status, 200);
    assert!(!reply.body.contains("AssumeRoleWithWebIdentityResponse"));
}

#[test]
fn empty_credentials_are_well_formed() {
    let reply = met_by(Fault::EmptyCredentials);
    assert_eq!((reply.status, reply.element("AccessKeyId")), (200, ""));
    assert_eq!(
        (
            reply.element("SecretAccessKey"),
            reply.element("SessionToken")
        ),
        ("", "")
    );
}

#[test]
fn expired_credentials_are_expired_on_arrival() {
    let emulator = Emulator::start();
    emulator.sts().fail(Fault::ExpiredCredentials);
    assert_eq!(exchange(&emulator).status, 200);
    assert!(emulator.sts().issued()[0].expiration < now());
    assert_eq!(emulator.sts().calls()[0].result, "expired-credentials");
    assert_eq!(emulator.sts().exchanges(), 0);
}

#[test]
fn the_two_troubles_with_the_identity_provider_have_their_words() {
    let reply = met_by(Fault::VerificationKey);
    assert_eq!(
        (reply.status, reply.element("Code")),
        (400, "InvalidIdentityToken")
    );
    assert_eq!(
        reply.element("Message"),
        "Couldn't retrieve verification key from your identity provider,  please reference \
         AssumeRoleWithWebIdentity documentation for requirements",
    );
    let reply = met_by(Fault::IdpCommunication);
    assert_eq!(
        (reply.status, reply.element("Code")),
        (400, "IDPCommunicationError")
    );
}

#[test]
fn an_answer_may_lack_its_date() {
    let reply = met_by(Fault::NoDate);
    assert_eq!((reply.status, reply.header("date")), (200, None));
}

#[test]
fn latency_delays_the_right_answer() {
    let started = Instant::now();
    let reply = met_by(Fault::Latency(Duration::from_millis(300)));
    assert_eq!(reply.status, 200);
    assert!(started.elapsed() >= Duration::from_millis(300));
}

#[test]
fn a_reset_is_a_reset() {
    assert_eq!(cut_by(Fault::Reset), ErrorKind::ConnectionReset);
}

/// An end, or a reset when the request had already arrived: TCP's business.
#[test]
fn down_means_that_nobody_answers() {
    let kind = cut_by(Fault::Down);
    let cut = [
        ErrorKind::UnexpectedEof,
        ErrorKind::ConnectionReset,
        ErrorKind::BrokenPipe,
    ];
    assert!(cut.contains(&kind), "{kind}");
}

#[test]
fn a_request_that_hangs_is_recorded_and_does_not_hold_up_others() {
    let emulator = Emulator::start();
    emulator.sts().fail_next(1, Fault::Hang);
    std::thread::scope(|scope| {
        let hanging = scope.spawn(|| wait_for_an_answer(&emulator).unwrap_err().kind());
        eventually(|| emulator.sts().calls().len() == 1);
        assert_eq!(emulator.sts().calls()[0].result, "hang");
        assert_eq!(exchange(&emulator).status, 200);
        assert_eq!(hanging.join().unwrap(), ErrorKind::WouldBlock);
    });
}

/// Gives up after half a second, as a client with a timeout.
fn wait_for_an_answer(emulator: &Emulator) -> io::Result<usize> {
    let address = emulator.url().strip_prefix("http://").expect("plain HTTP");
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_millis(500)))?;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")?;
    stream.read(&mut [0])
}

#[test]
fn a_lasting_fault_lasts_until_it_is_cleared() {
    let emulator = Emulator::start();
    emulator.sts().fail(Fault::ServerError(503));
    for _ in 0..3 {
        assert_eq!(exchange(&emulator).status, 503);
    }
    emulator.sts().clear_faults();
    assert_eq!(exchange(&emulator).status, 200);
}

#[test]
fn the_date_is_that_of_the_clock_of_sts() {
    let emulator = Emulator::start();
    emulator.sts().set_clock_skew(-86_400);
    let reply = send(emulator.url(), "GET", "/", "", "").unwrap();
    let date = httpdate::parse_http_date(reply.header("date").unwrap()).unwrap();
    let behind = now().duration_since(date).unwrap().as_secs();
    assert!((86_400..86_410).contains(&behind), "{behind}");
}
