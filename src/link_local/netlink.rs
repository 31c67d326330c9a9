//! Three requests of rtnetlink(7), written out: find `lo`, list its addresses, add one.
//!
//! The libraries for it bring five crates and 0.8 MB; a raw socket is in the tree anyway.

use std::io::{self, Read, Write};
use std::net::IpAddr;

use socket2::{Domain, Protocol, Socket, Type};

use super::HostAddress;

const REQUEST: u16 = libc::NLM_F_REQUEST as u16;
const ACK: u16 = libc::NLM_F_ACK as u16;
const DUMP: u16 = libc::NLM_F_DUMP as u16;
const NEW_ONLY: u16 = (libc::NLM_F_CREATE | libc::NLM_F_EXCL) as u16;
const ERROR: u16 = libc::NLMSG_ERROR as u16;
const DONE: u16 = libc::NLMSG_DONE as u16;

/// `struct nlmsghdr`, `ifinfomsg` and `ifaddrmsg`.
const HEAD: usize = 16;
const LINK: usize = 16;
const ADDRESS: usize = 8;
/// `struct rtattr`, and what it and all others are aligned to.
const ATTRIBUTE: usize = 4;
const ALIGNMENT: usize = 4;

/// The kernel fills no more than this at once.
const LARGEST: usize = 32 * 1024;

/// The interface `lo`.
#[derive(Debug)]
pub(super) struct Loopback {
    socket: Socket,
    index: u32,
    is_up: bool,
}

impl Loopback {
    pub(super) fn find() -> io::Result<Self> {
        let (raw, route) = (Type::from(libc::SOCK_RAW), libc::NETLINK_ROUTE);
        // Neither bound nor connected: what is sent goes to the kernel, which gives it a port.
        let socket = Socket::new(
            Domain::from(libc::AF_NETLINK),
            raw,
            Some(Protocol::from(route)),
        )?;
        let mut body = vec![0; LINK];
        put_attribute(&mut body, libc::IFLA_IFNAME, b"lo\0");
        let mut found = None;
        ask(&socket, libc::RTM_GETLINK, ACK, &body, |kind, body| {
            if kind == libc::RTM_NEWLINK {
                found = link(body);
            }
        })?;
        let (index, is_up) = found.ok_or(io::ErrorKind::InvalidData)?;
        Ok(Loopback {
            socket,
            index,
            is_up,
        })
    }

    pub(super) fn is_up(&self) -> bool {
        self.is_up
    }

    /// Those that stand for themselves alone.
    pub(super) fn addresses(&self) -> io::Result<Vec<HostAddress>> {
        let mut found = Vec::new();
        let body = [0; ADDRESS];
        ask(
            &self.socket,
            libc::RTM_GETADDR,
            DUMP,
            &body,
            |kind, body| {
                if kind == libc::RTM_NEWADDR {
                    found.extend(address(body, self.index));
                }
            },
        )?;
        Ok(found)
    }

    /// An error of kind `AlreadyExists` where it is there.
    pub(super) fn add(&self, address: HostAddress) -> io::Result<()> {
        let body = new_address(address, self.index);
        ask(
            &self.socket,
            libc::RTM_NEWADDR,
            NEW_ONLY | ACK,
            &body,
            |_, _| {},
        )
    }
}

/// Of scope host, so that on no other interface it is ever taken for a sender's address; over IPv6 the kernel has scopes of
/// its own. There without a look for others who have it (there are none on `lo`), and without a route beside the one to
/// itself.
fn new_address(address: HostAddress, lo: u32) -> Vec<u8> {
    let family = match address.0 {
        IpAddr::V4(_) => libc::AF_INET,
        IpAddr::V6(_) => libc::AF_INET6,
    };
    let mut body = vec![family as u8, address.prefix(), 0, libc::RT_SCOPE_HOST];
    body.extend(lo.to_ne_bytes());
    match address.0 {
        IpAddr::V4(ip) => put_attribute(&mut body, libc::IFA_LOCAL, &ip.octets()),
        IpAddr::V6(ip) => {
            let flags = libc::IFA_F_NODAD | libc::IFA_F_NOPREFIXROUTE;
            put_attribute(&mut body, libc::IFA_LOCAL, &ip.octets());
            put_attribute(&mut body, libc::IFA_FLAGS, &flags.to_ne_bytes());
        }
    }
    body
}

/// Sends a request and reads answers up to the last, which is the kernel's verdict.
fn ask(
    mut socket: &Socket,
    kind: u16,
    flags: u16,
    body: &[u8],
    mut each: impl FnMut(u16, &[u8]),
) -> io::Result<()> {
    // One request at a time, each read to its end: they need no numbers.
    let (number, port) = (0_u32, 0_u32);
    let length = (HEAD + body.len()) as u32;
    let mut request = Vec::from(length.to_ne_bytes());
    request.extend(kind.to_ne_bytes());
    request.extend((REQUEST | flags).to_ne_bytes());
    request.extend(number.to_ne_bytes());
    request.extend(port.to_ne_bytes());
    request.extend(body);
    socket.write_all(&request)?;
    let mut buffer = vec![0; LARGEST];
    loop {
        let length = socket.read(&mut buffer)?;
        let mut rest = &buffer[..length];
        while !rest.is_empty() {
            let (kind, body, next) = message(rest).ok_or(io::ErrorKind::InvalidData)?;
            match kind {
                ERROR | DONE => return verdict(body),
                _ => each(kind, body),
            }
            rest = next;
        }
    }
}

/// The first message: its type, its body, and what follows it.
fn message(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = u32_at(bytes, 0)? as usize;
    let body = bytes.get(HEAD..length)?;
    let next = bytes.get(length.next_multiple_of(ALIGNMENT)..);
    Some((u16_at(bytes, 4)?, body, next.unwrap_or_default()))
}

/// Zero, or an error's number with a minus before it. The end of a list may come without.
fn verdict(body: &[u8]) -> io::Result<()> {
    match u32_at(body, 0).map(u32::cast_signed) {
        None | Some(0) => Ok(()),
        Some(number) => Err(io::Error::from_raw_os_error(-number)),
    }
}

/// Index, and whether it is up.
fn link(body: &[u8]) -> Option<(u32, bool)> {
    let flags = u32_at(body, 8)?;
    Some((u32_at(body, 4)?, flags & libc::IFF_UP as u32 != 0))
}

/// The address, if it is one of this interface and stands for itself alone.
fn address(body: &[u8], interface: u32) -> Option<HostAddress> {
    let prefix = *body.get(1)?;
    let mut rest = body.get(ADDRESS..)?;
    let (mut local, mut peer) = (None, None);
    while let Some((kind, value, next)) = attribute(rest) {
        match kind {
            libc::IFA_LOCAL => local = ip(value),
            libc::IFA_ADDRESS => peer = ip(value),
            _ => {}
        }
        rest = next;
    }
    // Over IPv6 there is only the latter where both are the same.
    let address = HostAddress(local.or(peer)?);
    (u32_at(body, 4)? == interface && prefix == address.prefix()).then_some(address)
}

fn attribute(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = usize::from(u16_at(bytes, 0)?);
    let value = bytes.get(ATTRIBUTE..length)?;
    let next = bytes.get(length.next_multiple_of(ALIGNMENT)..);
    Some((u16_at(bytes, 2)?, value, next.unwrap_or_default()))
}

fn put_attribute(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = (ATTRIBUTE + value.len()) as u16;
    message.extend(length.to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(value);
    message.resize(message.len().next_multiple_of(ALIGNMENT), 0);
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
        .ok()
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at + 2)?;
    Some(u16::from_ne_bytes(bytes.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?;
    Some(u32::from_ne_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link_local::{POD_IDENTITY, POD_IDENTITY_IPV6};

    #[test]
    fn what_is_written_reads_back() {
        for ip in [IpAddr::from(POD_IDENTITY), POD_IDENTITY_IPV6.into()] {
            let body = new_address(HostAddress(ip), 7);
            assert!(address(&body, 7) == Some(HostAddress(ip)));
            assert!(address(&body, 1).is_none(), "that is another interface");
            let mut wider = body.clone();
            wider[1] = 24;
            assert!(address(&wider, 7).is_none(), "that is a whole network");
        }
    }

    #[test]
    fn torn_messages_are_no_messages_and_never_a_panic() {
        let body = new_address(HostAddress(POD_IDENTITY.into()), 1);
        for end in 0..body.len() {
            assert!(address(&body[..end], 1).is_none());
        }
        for length in [0_u32, 15, 17, u32::MAX] {
            let mut bytes = vec![0; HEAD];
            bytes[..4].copy_from_slice(&length.to_ne_bytes());
            assert!(message(&bytes).is_none(), "{length}");
        }
        assert!(message(&[]).is_none());
    }

    #[test]
    fn lo_is_found_and_has_its_address() {
        let lo = Loopback::find().unwrap();
        let own = HostAddress(std::net::Ipv6Addr::LOCALHOST.into());
        let has_ipv6 = std::net::TcpListener::bind("[::1]:0").is_ok();
        assert_eq!(lo.addresses().unwrap().contains(&own), has_ipv6);
        assert!(lo.is_up());
    }
}
