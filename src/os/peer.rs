//! Whose the other end of a TCP connection is, where both ends are on this machine.
//!
//! The system is asked for the one socket that is meant (`sock_diag`), whose answer takes as long with ten as with ten
//! thousand connections; where it has no such service, its table of all of them is read.

use std::io;
use std::net::SocketAddr;

/// The number of the user who opened the socket at `peer` that is connected to `own`; `None` when there is no such
/// connection any more.
///
/// # Errors
/// [`io::ErrorKind::Unsupported`] where the system does not tell; any other when it could not be asked.
pub fn owner(peer: SocketAddr, own: SocketAddr) -> io::Result<Option<u32>> {
    // An address of version 4 within one of version 6 is the same connection.
    let plain = |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
    system::owner(plain(peer), plain(own))
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::{SocketAddr, io};

    pub(super) fn owner(_: SocketAddr, _: SocketAddr) -> io::Result<Option<u32>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::IpAddr;
    use std::time::Duration;

    use socket2::{Domain, Protocol, Socket, Type};

    use super::{SocketAddr, io};

    /// A connection that both ends hold. Others have lost their owner already, and are shown as root's.
    const ESTABLISHED: u8 = 1;

    pub(super) fn owner(peer: SocketAddr, own: SocketAddr) -> io::Result<Option<u32>> {
        asked(peer, own).or_else(|error| {
            tracing::debug!(%error, "sock_diag does not answer; the table of connections is read");
            listed(peer, own)
        })
    }

    /// Asks for one socket: `linux/inet_diag.h`, in the machine's byte order but for ports and addresses.
    pub(super) fn asked(peer: SocketAddr, own: SocketAddr) -> io::Result<Option<u32>> {
        const SOCK_DIAG_BY_FAMILY: u16 = 20;
        const NO_SUCH: i32 = -libc::ENOENT;
        let family = match peer {
            SocketAddr::V4(_) => libc::AF_INET,
            SocketAddr::V6(_) => libc::AF_INET6,
        };
        let mut question = Vec::with_capacity(72);
        // struct nlmsghdr
        question.extend(72_u32.to_ne_bytes());
        question.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
        question.extend((libc::NLM_F_REQUEST as u16).to_ne_bytes());
        question.extend([0; 8]);
        // struct inet_diag_req_v2
        question.extend([family as u8, libc::IPPROTO_TCP as u8, 0, 0]);
        question.extend(u32::MAX.to_ne_bytes());
        // struct inet_diag_sockid: seen from the peer's side, in any interface, with any cookie.
        question.extend(peer.port().to_be_bytes());
        question.extend(own.port().to_be_bytes());
        question.extend(octets(peer.ip()));
        question.extend(octets(own.ip()));
        question.extend([0; 4]);
        question.extend([0xff; 8]);
        let socket = Socket::new(
            Domain::from(libc::AF_NETLINK),
            Type::DGRAM,
            Some(Protocol::from(libc::NETLINK_SOCK_DIAG)),
        )?;
        socket.set_read_timeout(Some(Duration::from_millis(200)))?;
        (&socket).write_all(&question)?;
        let mut answer = [0; 512];
        let length = (&socket).read(&mut answer)?;
        let answer = answer.get(..length).unwrap_or_default();
        let malformed = || io::Error::from(io::ErrorKind::InvalidData);
        let number = |at: usize| -> io::Result<u32> {
            let bytes = answer.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
            bytes.map(u32::from_ne_bytes).ok_or_else(malformed)
        };
        let kind = answer.get(4..6).and_then(|bytes| bytes.try_into().ok());
        match kind.map(u16::from_ne_bytes) {
            Some(kind) if i32::from(kind) == libc::NLMSG_ERROR => match number(16)? as i32 {
                NO_SUCH => Ok(None),
                error => Err(io::Error::from_raw_os_error(error.wrapping_neg())),
            },
            Some(SOCK_DIAG_BY_FAMILY) => {
                // struct inet_diag_msg: family, state, timer, retransmissions, then the same sockid; the uid at 64.
                let state = answer.get(17).copied().ok_or_else(malformed)?;
                let uid = number(16 + 64)?;
                Ok((state == ESTABLISHED).then_some(uid))
            }
            _ => Err(malformed()),
        }
    }

    fn octets(address: IpAddr) -> [u8; 16] {
        match address {
            IpAddr::V6(address) => address.octets(),
            IpAddr::V4(address) => {
                let mut octets = [0; 16];
                for (to, from) in octets.iter_mut().zip(address.octets()) {
                    *to = from;
                }
                octets
            }
        }
    }

    /// Looks it up in the system's tables, where one of version 4 may stand in either.
    pub(super) fn listed(peer: SocketAddr, own: SocketAddr) -> io::Result<Option<u32>> {
        let mut wanted = vec![(hex(peer), hex(own))];
        if let (IpAddr::V4(from), IpAddr::V4(to)) = (peer.ip(), own.ip()) {
            let mapped = |address: std::net::Ipv4Addr, port| {
                hex(SocketAddr::new(IpAddr::V6(address.to_ipv6_mapped()), port))
            };
            wanted.push((mapped(from, peer.port()), mapped(to, own.port())));
        }
        let tables = ["/proc/self/net/tcp", "/proc/self/net/tcp6"].map(std::fs::File::open);
        if let [Err(_), Err(_)] = &tables {
            return Err(io::ErrorKind::Unsupported.into());
        }
        for table in tables.into_iter().flatten() {
            for line in BufReader::new(table).lines() {
                let line = line?;
                let mut words = line.split_ascii_whitespace().skip(1);
                let (Some(from), Some(to), Some(state)) = (words.next(), words.next(), words.next()) else {
                    continue;
                };
                let is_it = wanted.iter().any(|(peer, own)| from == peer && to == own);
                if is_it && state == "01" {
                    return Ok(words.nth(3).and_then(|uid| uid.parse().ok()));
                }
            }
        }
        Ok(None)
    }

    /// As the tables write it: words of four bytes, each as a number in the machine's byte order, then the port.
    fn hex(address: SocketAddr) -> String {
        let octets = octets(address.ip());
        let used = if address.is_ipv4() { 4 } else { 16 };
        let words = octets.get(..used).unwrap_or_default().chunks_exact(4);
        let mut text: String = words
            .filter_map(|word| word.try_into().ok().map(u32::from_ne_bytes))
            .map(|word| format!("{word:08X}"))
            .collect();
        text.push_str(&format!(":{:04X}", address.port()));
        text
    }
}

#[cfg(all(test, target_os = "linux"))]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn the_owner_of_a_connection_is_found_in_both_ways() {
        for (listen, connect) in [
            ("127.0.0.1:0", "127.0.0.1"),
            ("[::1]:0", "::1"),
            ("[::]:0", "127.0.0.1"),
            ("127.0.0.1:0", "::ffff:127.0.0.1"),
        ] {
            let listener = TcpListener::bind(listen).unwrap();
            let port = listener.local_addr().unwrap().port();
            let client = TcpStream::connect(SocketAddr::new(connect.parse().unwrap(), port)).unwrap();
            let (stream, peer) = listener.accept().unwrap();
            let own = stream.local_addr().unwrap();
            let user = Some(crate::os::process::user());
            assert_eq!(owner(peer, own).unwrap(), user, "{listen}");
            let plain = |it: SocketAddr| SocketAddr::new(it.ip().to_canonical(), it.port());
            assert_eq!(system::asked(plain(peer), plain(own)).unwrap(), user, "{listen}");
            assert_eq!(system::listed(plain(peer), plain(own)).unwrap(), user, "{listen}");
            // Nobody's: the connection is there no more, or never was.
            drop(client);
            for find in [system::asked, system::listed] {
                assert_eq!(find(plain(peer), plain(own)).unwrap(), None, "{listen}");
                assert_eq!(
                    find(plain(own), SocketAddr::new(own.ip().to_canonical(), 1)).unwrap(),
                    None
                );
            }
        }
    }
}
