use super::*;

/// The table of the facts, row by row: status, code, words, finding, remedy.
const TABLE: &[(u16, &str, &str, Finding, Remedy)] = &[
    (
        403,
        "AccessDenied",
        "Not authorized to perform sts:AssumeRoleWithWebIdentity",
        findings::STS_ACCESS_DENIED,
        Remedy::Change,
    ),
    (
        400,
        "InvalidIdentityToken",
        "No OpenIDConnect provider found in your account for https://x",
        findings::STS_NO_PROVIDER,
        Remedy::Change,
    ),
    (
        400,
        "InvalidIdentityToken",
        "Incorrect token audience",
        findings::STS_AUDIENCE,
        Remedy::Change,
    ),
    (
        400,
        "InvalidIdentityToken",
        "Missing a required claim: aud",
        findings::STS_AUDIENCE_MISSING,
        Remedy::NewToken,
    ),
    (
        400,
        "InvalidIdentityToken",
        "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements",
        findings::STS_VERIFICATION_KEY,
        Remedy::Wait,
    ),
    (
        400,
        "InvalidIdentityToken",
        "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint",
        findings::STS_THUMBPRINT,
        Remedy::Change,
    ),
    (
        400,
        "InvalidIdentityToken",
        "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)",
        findings::STS_NOT_A_JWT,
        Remedy::NewToken,
    ),
    (
        400,
        "InvalidIdentityToken",
        "words that nobody has seen before",
        findings::STS_TOKEN_REJECTED,
        Remedy::NewToken,
    ),
    (
        400,
        "ExpiredTokenException",
        "Token expired: current date/time 2 must be before the expiration date/time 1",
        findings::STS_TOKEN_EXPIRED,
        Remedy::NewToken,
    ),
    (
        400,
        "IDPCommunicationError",
        "",
        findings::STS_VERIFICATION_KEY,
        Remedy::Wait,
    ),
    (
        403,
        "IDPRejectedClaim",
        "",
        findings::STS_CLAIM_REJECTED,
        Remedy::Change,
    ),
    (
        400,
        "MalformedPolicyDocument",
        "",
        findings::STS_SESSION_POLICY,
        Remedy::Change,
    ),
    (
        400,
        "PackedPolicyTooLarge",
        "",
        findings::STS_SESSION_POLICY,
        Remedy::Change,
    ),
    (
        403,
        "RegionDisabledException",
        "",
        findings::STS_REGION_DISABLED,
        Remedy::Change,
    ),
    (
        400,
        "ValidationError",
        "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        findings::STS_DURATION,
        Remedy::Change,
    ),
    (
        400,
        "ValidationError",
        "1 validation error detected",
        findings::STS_INVALID_REQUEST,
        Remedy::Change,
    ),
    (
        400,
        "Throttling",
        "Rate exceeded",
        findings::STS_THROTTLED,
        Remedy::Wait,
    ),
    (429, "", "", findings::STS_THROTTLED, Remedy::Wait),
    (
        500,
        "InternalFailure",
        "",
        findings::STS_UNAVAILABLE,
        Remedy::Wait,
    ),
    (
        503,
        "ServiceUnavailable",
        "",
        findings::STS_UNAVAILABLE,
        Remedy::Wait,
    ),
    (502, "", "", findings::STS_UNAVAILABLE, Remedy::Wait),
    (404, "", "", findings::STS_GARBLED, Remedy::Wait),
    (
        400,
        "SomethingNew",
        "",
        findings::STS_REFUSED,
        Remedy::Change,
    ),
];

#[test]
fn every_row_of_the_table_has_its_meaning_and_its_fix() {
    for (status, code, message, finding, remedy) in TABLE {
        let row = classify(*status, code, message);
        assert_eq!(
            (row.finding, row.remedy),
            (*finding, *remedy),
            "{code} {message}"
        );
        assert!(!row.fix.is_empty() && !row.expected.is_empty());
    }
}

#[test]
fn causes_of_a_missing_connection_are_told_apart() {
    for (cause, finding) in [
        (
            "failed to lookup address information: Name or service not known",
            findings::STS_DNS,
        ),
        ("Connection refused (os error 111)", findings::STS_CONNECT),
        ("invalid peer certificate: UnknownIssuer", findings::STS_TLS),
        (
            "the proxy cannot be reached: Connection refused (os error 111)",
            findings::PROXY_UNREACHABLE,
        ),
        // It is the proxy's, and the system's roots are not to blame.
        (
            "the proxy cannot be reached: invalid peer certificate: UnknownIssuer",
            findings::PROXY_UNREACHABLE,
        ),
        (PROXY_WANTS_A_PASSWORD, findings::PROXY_REFUSED),
        (
            "the proxy refuses: its answer to CONNECT is not 200",
            findings::PROXY_REFUSED,
        ),
    ] {
        assert_eq!(unreachable(cause).finding, finding, "{cause}");
    }
}

/// In the words of the TLS library, whatever they are by now.
#[test]
fn a_certificate_that_a_clock_or_a_name_makes_bad_is_told_from_one_that_no_root_has_signed() {
    use rustls::CertificateError::{
        ExpiredContext, NotValidForNameContext, NotValidYetContext, UnknownIssuer,
    };
    use rustls_pki_types::UnixTime;
    let (time, later) = (
        UnixTime::since_unix_epoch(std::time::Duration::from_secs(1_000)),
        UnixTime::since_unix_epoch(std::time::Duration::from_secs(2_000)),
    );
    let fix = |error: rustls::CertificateError| {
        let cause = rustls::Error::InvalidCertificate(error).to_string();
        let row = unreachable(&cause);
        assert_eq!(row.finding, findings::STS_TLS, "{cause}");
        row.fix
    };
    for error in [
        ExpiredContext {
            time: later,
            not_after: time,
        },
        NotValidYetContext {
            time,
            not_before: later,
        },
    ] {
        assert!(fix(error.clone()).contains("node's clock"), "{error:?}");
    }
    assert!(fix(UnknownIssuer).contains("--ca-bundle"));
    let name = rustls_pki_types::ServerName::try_from("sts.eu-west-1.amazonaws.com").unwrap();
    let other = NotValidForNameContext {
        expected: name,
        presented: vec!["portal.example.com".into()],
    };
    assert!(fix(other).contains("--sts-endpoint-url"));
}
