//! The service account's annotation, where it is asked for.

use std::time::Duration;

use super::{Local, Patience};
use crate::diagnosis::steps;
use crate::doctor::{Entry, annotation};
use crate::service_account::{Annotated, Api, ServiceAccountName};

/// The API server answers at once, or is not there: it is in the pod's own cluster.
const READING: Duration = Duration::from_secs(4);

/// The entry, and what the annotation says.
pub(super) async fn walk(local: &Local, patience: &Patience) -> (Entry, Option<Annotated>) {
    let examined = &local.examined;
    let skipped = |why: &str| (Entry::skipped(steps::ANNOTATION, why), None);
    let Some(config) = &examined.annotations else {
        return skipped("not read: role-from-annotation is off, or a setting names the role");
    };
    let Some(Ok(claims)) = &local.claims else {
        return skipped(
            "not read: which service account it is stands in the token; see token-file and claims",
        );
    };
    let account = match ServiceAccountName::of(claims) {
        Ok(account) => account,
        Err(error) => return (Entry::failed(steps::ANNOTATION, error.diagnosis()), None),
    };
    let reading = examined.api.annotations(&account);
    let read = patience.within(steps::ANNOTATION, READING, reading).await;
    let read = match read {
        Ok(read) => read.and_then(|found| config.read(&account, &found)),
        Err(late) => Err(examined.api.unreachable(&account, late.to_string())),
    };
    let entry = annotation::judge(&read, &account, claims, config);
    (entry, read.ok())
}
