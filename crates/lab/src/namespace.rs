//! A network and files of `/etc` of one's own (namespaces of Linux), so that the lab can have the ports and the names
//! that the world knows, and the machine keeps its own.
//!
//! As root the caller stays who it is. Anybody else becomes root of a user namespace that holds nobody else, where the
//! kernel allows it.
//!
//! Deliberately absent: process identifiers and host name of one's own, and any way out of the network.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;

use rustix::io::Errno;
use rustix::mount::{MountPropagationFlags, mount_bind, mount_change};
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketType, recv, sendto, socket};
use rustix::thread::UnshareFlags;

use crate::Error;

/// Moves the calling process into a network of its own, in which only loopback exists and is up.
///
/// Must come before any thread is started: a thread keeps the namespaces it was born in.
pub fn enter() -> Result<(), Error> {
    let apart = UnshareFlags::NEWNET | UnshareFlags::NEWNS;
    match unshare(apart) {
        Ok(()) => (),
        Err(Errno::PERM) => as_root_of_nobody_else(apart)?,
        Err(errno) => return Err(not_allowed(errno)),
    }
    // Nothing that is mounted from here on may reach the machine.
    let private = MountPropagationFlags::REC | MountPropagationFlags::PRIVATE;
    mount_change("/", private).map_err(os("cannot keep mounts to the lab"))?;
    bring_up_loopback()
}

/// Puts a file in the place of another, for this process and its children alone.
pub fn replace(place: &Path, by: &Path) -> Result<(), Error> {
    let what = format!(
        "cannot put a file of the lab in the place of {}",
        place.display()
    );
    mount_bind(by, place).map_err(os(what))
}

#[expect(
    deprecated,
    reason = "only a table of open files of one's own could break other code's promises, and none is asked for"
)]
fn unshare(flags: UnshareFlags) -> rustix::io::Result<()> {
    rustix::thread::unshare(flags)
}

fn as_root_of_nobody_else(apart: UnshareFlags) -> Result<(), Error> {
    let (user, group) = (
        rustix::process::geteuid().as_raw(),
        rustix::process::getegid().as_raw(),
    );
    unshare(apart | UnshareFlags::NEWUSER).map_err(not_allowed)?;
    // The group map of one's own group is allowed only to those who cannot drop groups (user_namespaces(7)).
    for (file, content) in [
        ("setgroups", "deny".to_owned()),
        ("uid_map", format!("0 {user} 1")),
        ("gid_map", format!("0 {group} 1")),
    ] {
        std::fs::write(format!("/proc/self/{file}"), content)
            .map_err(|source| Error::NoNamespace { source })?;
    }
    Ok(())
}

fn not_allowed(errno: Errno) -> Error {
    Error::NoNamespace {
        source: errno.into(),
    }
}

fn os(what: impl Into<String>) -> impl FnOnce(Errno) -> Error {
    let what = what.into();
    move |errno| Error::Io {
        what,
        source: errno.into(),
    }
}

/// A new network's loopback is down (on most kernels). It is up when an address of it has a route.
fn bring_up_loopback() -> Result<(), Error> {
    let asked = ask_for_loopback();
    let probe = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|socket| socket.connect((Ipv4Addr::LOCALHOST, 53)));
    match (asked, probe) {
        (_, Ok(())) => Ok(()),
        (Err(source), _) | (Ok(()), Err(source)) => Err(Error::Io {
            what: "cannot bring up loopback in the lab's network".into(),
            source,
        }),
    }
}

/// RTM_NEWLINK, rtnetlink(7): the flags IFF_UP of interface 1, which loopback is in every network.
#[expect(
    clippy::host_endian_bytes,
    reason = "the kernel of this machine reads it"
)]
fn ask_for_loopback() -> io::Result<()> {
    const RTM_NEWLINK: u16 = 16;
    const NLM_F_REQUEST_ACK: u16 = 0x5;
    const IFF_UP: u32 = 1;
    const LOOPBACK: i32 = 1;
    const LENGTH: u32 = 32;
    let mut message = Vec::with_capacity(32);
    message.extend(LENGTH.to_ne_bytes());
    message.extend(RTM_NEWLINK.to_ne_bytes());
    message.extend(NLM_F_REQUEST_ACK.to_ne_bytes());
    message.extend(1_u32.to_ne_bytes()); // sequence number
    message.extend(0_u32.to_ne_bytes()); // port: the kernel's choice
    message.extend([0; 4]); // family, padding, type
    message.extend(LOOPBACK.to_ne_bytes());
    message.extend(IFF_UP.to_ne_bytes());
    message.extend(IFF_UP.to_ne_bytes()); // which flags are meant
    let link = socket(AddressFamily::NETLINK, SocketType::RAW, None)?;
    let kernel = SocketAddrNetlink::new(0, 0);
    sendto(&link, &message, SendFlags::empty(), &kernel)?;
    // The answer comes after the deed; what it says is seen by the probe.
    let mut answer = [0_u8; 256];
    recv(&link, &mut answer, RecvFlags::empty())?;
    Ok(())
}
