//! Why the kernel says EPERM: what of `/proc/self/status` lacks NET_ADMIN, and which line of the pod's spec gives it.

use crate::diagnosis::{Diagnosis, findings};

/// From linux/capability.h.
const NET_ADMIN: u32 = 12;

/// What `/proc/self/status` says of us.
#[derive(Debug, Clone, Copy)]
struct Process {
    /// Whether it may be had at all.
    bounding: bool,
    /// Whether it is there now.
    effective: bool,
    /// The effective user.
    user: u32,
}

impl Process {
    fn of(status: &str) -> Option<Self> {
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
        let has = |name: &str| {
            let set = u64::from_str_radix(field(name)?.trim(), 16).ok()?;
            Some(set >> NET_ADMIN & 1 == 1)
        };
        Some(Process {
            bounding: has("CapBnd:")?,
            effective: has("CapEff:")?,
            user: field("Uid:")?.split_whitespace().nth(1)?.parse().ok()?,
        })
    }
}

/// Explains EPERM by the content of `/proc/self/status`.
pub(super) fn missing(status: &str) -> Diagnosis {
    const ADD: &str = "add NET_ADMIN to securityContext.capabilities.add of this init container";
    const ROOT: &str = "set runAsUser: 0 and runAsNonRoot: false in its securityContext";
    let (found, fix) = match Process::of(status) {
        None => (
            "the kernel lets this process change no addresses, and /proc/self/status does not say why".to_owned(),
            format!("{ADD}, and {ROOT}"),
        ),
        Some(Process { bounding: false, user: 0, .. }) => (
            "NET_ADMIN is missing: it is not in this container's bounding set (CapBnd)".to_owned(),
            ADD.to_owned(),
        ),
        Some(Process { bounding: false, user, .. }) => (
            format!("NET_ADMIN is missing: it is not in this container's bounding set (CapBnd), and user {user} would not get it from there"),
            format!("{ADD}, and {ROOT}, since Kubernetes gives capabilities to no other user than root"),
        ),
        Some(Process { effective: false, user: 0, .. }) => (
            "NET_ADMIN is in this container's bounding set but not effective (CapEff), though this is root: something takes it away before this program starts".to_owned(),
            "run irsa-sidecar as the container's command itself, behind no program that drops capabilities or sets securebits".to_owned(),
        ),
        Some(Process { effective: false, user, .. }) => (
            format!("NET_ADMIN is in this container's bounding set but not effective (CapEff): user {user} does not get it, as Kubernetes has no ambient capabilities"),
            format!("{ROOT}; it is this init container only"),
        ),
        Some(Process { effective: true, .. }) => (
            "NET_ADMIN is effective (CapEff), and the kernel refuses all the same: the network namespace belongs to another user namespace, or a seccomp profile or a security module forbids it".to_owned(),
            "run this as an init container of the pod whose network it is, with seccompProfile RuntimeDefault".to_owned(),
        ),
    };
    Diagnosis {
        finding: findings::LINK_LOCAL_CAPABILITY,
        found,
        expected: "NET_ADMIN for this one step (the sidecar itself never needs it)".to_owned(),
        fix: format!(
            "{fix}; where Pod Security \"baseline\" or \"restricted\" forbids NET_ADMIN, {}",
            super::WITHOUT
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(user: u32, effective: u64, bounding: u64) -> String {
        let diagnosis = missing(&format!(
            "Name:\tirsa-sidecar\nUid:\t{user}\t{user}\t{user}\t{user}\nCapInh:\t0000000000000000\nCapPrm:\t{effective:016x}\nCapEff:\t{effective:016x}\nCapBnd:\t{bounding:016x}\nCapAmb:\t0000000000000000\n"
        ));
        assert_eq!(diagnosis.finding, findings::LINK_LOCAL_CAPABILITY);
        let words = diagnosis.to_string();
        for part in ["baseline", "restricted", "http://127.0.0.1:9910/"] {
            assert!(words.contains(part), "{words}");
        }
        words
    }

    /// What a container runtime leaves by default; NET_ADMIN is not in it.
    const DEFAULT: u64 = 0xa80425fb;
    const WITH_NET_ADMIN: u64 = DEFAULT | 1 << NET_ADMIN;
    const ADD: &str = "capabilities.add";
    const ROOT: &str = "runAsUser: 0 and runAsNonRoot: false";

    #[test]
    fn root_without_it_in_the_bounding_set_is_told_to_add_it_and_nothing_else() {
        let words = words(0, DEFAULT, DEFAULT);
        assert!(words.contains("CapBnd") && words.contains(ADD) && !words.contains(ROOT));
    }

    #[test]
    fn another_user_without_it_is_told_both_at_once() {
        let words = words(65532, 0, 0);
        assert!(words.contains(ADD) && words.contains(ROOT) && words.contains("65532"));
    }

    #[test]
    fn another_user_who_was_given_it_is_told_to_be_root() {
        let words = words(65532, 0, WITH_NET_ADMIN);
        assert!(words.contains("user 65532") && words.contains("ambient"));
        assert!(words.contains(ROOT) && !words.contains(ADD));
    }

    #[test]
    fn root_from_whom_it_was_taken_is_told_so() {
        let words = words(0, DEFAULT, WITH_NET_ADMIN);
        assert!(words.contains("takes it away") && !words.contains(ADD) && !words.contains(ROOT));
    }

    #[test]
    fn who_has_it_all_is_told_that_it_is_something_else() {
        assert!(words(0, WITH_NET_ADMIN, WITH_NET_ADMIN).contains("seccomp"));
    }

    #[test]
    fn a_status_that_cannot_be_read_leads_to_the_usual_advice() {
        for status in ["", "CapBnd:\tnonsense\n"] {
            let words = missing(status).to_string();
            assert!(words.contains(ADD) && words.contains(ROOT), "{words}");
        }
    }
}
