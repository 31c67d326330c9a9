//! The credentials door: bodies, headers, codes and their order.

use crate::sidecar::Pod;

#[test]
fn credentials_are_whole_and_for_the_role() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let answer = sidecar.get_credentials(&pod);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(answer.headers["cache-control"], "no-store");
    let issued = pod.emulator.sts().issued().remove(0);
    let body = answer.json();
    assert_eq!(body["AccessKeyId"], issued.access_key_id);
    assert_eq!(body["SecretAccessKey"], issued.secret_access_key);
    assert_eq!(body["Token"], issued.session_token);
}
