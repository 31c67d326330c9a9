//! The link-local addresses that old SDKs have written into them, put on `lo` of the pod's own network namespace.
//!
//! Run once, by an init step with NET_ADMIN. Links, routes and other addresses are left alone, and nothing at all is
//! changed in a namespace that looks like the node's.

mod capability;
mod namespace;
mod netlink;

use std::fmt;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use self::namespace::Sights;
use self::netlink::Loopback;
use crate::diagnosis::{Diagnosis, findings};

/// Where SDKs take AWS_CONTAINER_CREDENTIALS_RELATIVE_URI to be.
pub const CONTAINER_CREDENTIALS: Ipv4Addr = Ipv4Addr::new(169, 254, 170, 2);
/// Instance metadata.
const INSTANCE_METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
/// The EKS Pod Identity agent.
const POD_IDENTITY: Ipv4Addr = Ipv4Addr::new(169, 254, 170, 23);
/// The same over IPv6.
const POD_IDENTITY_IPV6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23);

const ADDRESSES_OVER_IPV6: &str = "/proc/net/if_inet6";
const IPV6_OFF_ON_LO: &str = "/proc/sys/net/ipv6/conf/lo/disable_ipv6";

/// Which addresses are wanted besides 169.254.170.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Instance metadata.
    pub imds: bool,
    /// EKS Pod Identity.
    pub pod_identity: bool,
}

/// The command by which the pod gets this address; `None` for all others.
pub fn command_for(address: IpAddr) -> Option<&'static str> {
    if address == CONTAINER_CREDENTIALS {
        Some("irsa-sidecar link-local")
    } else if address == INSTANCE_METADATA {
        Some("irsa-sidecar link-local --imds")
    } else if address == POD_IDENTITY || address == POD_IDENTITY_IPV6 {
        Some("irsa-sidecar link-local --pod-identity")
    } else {
        None
    }
}

/// What became of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    /// A line about each address, and warnings.
    pub words: Vec<String>,
    /// Why not all addresses are there.
    pub trouble: Option<Diagnosis>,
}

/// One address and the prefix that stands for it alone.
#[derive(Clone, Copy, PartialEq, Eq)]
struct HostAddress(IpAddr);

impl HostAddress {
    fn prefix(self) -> u8 {
        match self.0 {
            IpAddr::V4(_) => 32,
            IpAddr::V6(_) => 128,
        }
    }
}

impl fmt::Display for HostAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.0, self.prefix())
    }
}

/// Adds what is not there yet. An error means that nothing was changed.
pub fn add(wanted: Wanted) -> Result<Outcome, Diagnosis> {
    let mut words = namespace::judge(&Sights::here())?;
    let lo = Loopback::find().map_err(no_loopback)?;
    if !lo.is_up() {
        words.push(
            "warning: lo is down, and until it is up nobody in this pod can reach an address on it; the pod's network is not set up yet, or not as Kubernetes wants it".to_owned(),
        );
    }
    // Without the list the kernel's own answer tells which of them were there.
    let present = lo.addresses().unwrap_or_default();
    let mut trouble = None;
    for address in wanted.addresses() {
        if address.0.is_ipv6()
            && let Some(why) = ipv6_is_off()
        {
            words.push(format!(
                "{address} is left out: IPv6 is switched off in this pod ({why})"
            ));
            continue;
        }
        let added = match present.contains(&address) {
            true => Err(io::ErrorKind::AlreadyExists.into()),
            false => lo.add(address),
        };
        match added {
            Ok(()) => words.push(format!("{address} added to lo")),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                words.push(format!("{address} was already there"));
            }
            Err(error) => {
                words.push(format!("{address} not added to lo: {error}"));
                trouble.get_or_insert_with(|| not_added(address, &error));
            }
        }
    }
    Ok(Outcome { words, trouble })
}

impl Wanted {
    fn addresses(self) -> Vec<HostAddress> {
        let mut addresses: Vec<IpAddr> = vec![CONTAINER_CREDENTIALS.into()];
        if self.imds {
            addresses.push(INSTANCE_METADATA.into());
        }
        if self.pod_identity {
            addresses.extend::<[IpAddr; 2]>([POD_IDENTITY.into(), POD_IDENTITY_IPV6.into()]);
        }
        addresses.into_iter().map(HostAddress).collect()
    }
}

/// By what it can be seen, if so.
fn ipv6_is_off() -> Option<String> {
    if !Path::new(ADDRESSES_OVER_IPV6).exists() {
        return Some(format!("there is no {ADDRESSES_OVER_IPV6}"));
    }
    // Where it cannot be read the kernel will tell.
    let switch = fs::read_to_string(IPV6_OFF_ON_LO).ok()?;
    (switch.trim() == "1").then(|| format!("{IPV6_OFF_ON_LO} is 1"))
}

fn no_loopback(error: io::Error) -> Diagnosis {
    let found = match error.raw_os_error() {
        Some(libc::ENODEV) => "this network namespace has no interface lo".to_owned(),
        _ => format!("the kernel cannot be asked for the interface lo over netlink: {error}"),
    };
    Diagnosis {
        finding: findings::LINK_LOCAL_ADDRESS,
        found,
        expected: "the network namespace of a pod, and a sandbox that lets it be changed"
            .to_owned(),
        fix: format!(
            "run this as an init container of the pod; where the sandbox has no netlink, {WITHOUT}"
        ),
    }
}

fn not_added(address: HostAddress, error: &io::Error) -> Diagnosis {
    if error.raw_os_error() == Some(libc::EPERM) {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        return capability::missing(&status);
    }
    Diagnosis {
        finding: findings::LINK_LOCAL_ADDRESS,
        found: format!("the kernel refuses {address} on lo: {error}"),
        expected: "to add it, or to find it there".to_owned(),
        fix: format!("look with `ip address` at what else this pod has on lo; or {WITHOUT}"),
    }
}

/// What always works.
const WITHOUT: &str = "do without link-local: AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:9910/v2/credentials/$(POD_UID) in the app's container needs no capability";

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(imds: bool, pod_identity: bool) -> Vec<String> {
        let wanted = Wanted { imds, pod_identity };
        wanted
            .addresses()
            .iter()
            .map(HostAddress::to_string)
            .collect()
    }

    #[test]
    fn nothing_is_taken_that_was_not_asked_for() {
        assert_eq!(texts(false, false), ["169.254.170.2/32"]);
        assert_eq!(
            texts(true, false),
            ["169.254.170.2/32", "169.254.169.254/32"]
        );
        assert_eq!(
            texts(false, true),
            ["169.254.170.2/32", "169.254.170.23/32", "fd00:ec2::23/128"]
        );
        assert_eq!(texts(true, true).len(), 4);
    }

    #[test]
    fn an_error_of_the_kernel_is_named_with_the_address() {
        let address = HostAddress(POD_IDENTITY.into());
        let error = io::Error::from_raw_os_error(libc::ENOBUFS);
        let diagnosis = not_added(address, &error);
        assert_eq!(diagnosis.finding, findings::LINK_LOCAL_ADDRESS);
        let words = diagnosis.to_string();
        assert!(words.contains("169.254.170.23/32") && words.contains("No buffer space"));
    }

    #[test]
    fn a_namespace_without_lo_is_said_to_be_one() {
        let words = no_loopback(io::Error::from_raw_os_error(libc::ENODEV)).to_string();
        assert!(words.contains("no interface lo"), "{words}");
        let words = no_loopback(io::Error::from_raw_os_error(libc::EAFNOSUPPORT)).to_string();
        assert!(words.contains("not supported"), "{words}");
    }
}
