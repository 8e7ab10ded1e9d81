//! The listening side: one socket, a thread that accepts, and an end that waits for nobody.
//!
//! Made by the kernel on an activation, closed by a `comm_close`, by a second activation or by the shutdown.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use super::Options;
use super::connection;
use super::link::{self, Link};
use crate::os;

/// At most this many clients are connected at once; an editor that reconnects needs two for a moment.
pub const MAX_CLIENTS: usize = 8;

/// A language server on a TCP port. Dropping it closes it.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    options: Options,
    /// The listening socket again, as something that can be shut down from another thread.
    listener: TcpStream,
    clients: Mutex<Clients>,
}

#[derive(Default)]
struct Clients {
    closed: bool,
    links: Vec<Weak<Link>>,
}

impl Server {
    /// Listens on a free port of `address` and accepts clients from now on.
    ///
    /// An address that is not this machine's own, or not a loopback one without [`Options::any_address`], is replaced
    /// by 127.0.0.1 with a warning: a front-end that asked for a server waits for a port and takes no refusal.
    ///
    /// # Errors
    /// When no port can be had or no thread started.
    pub fn bind(address: IpAddr, options: Options) -> io::Result<Self> {
        let listener = listen(address, options.any_address)?;
        let address = listener.local_addr()?;
        let server = Self {
            address,
            shared: Arc::new(Shared {
                options,
                listener: TcpStream::from(OwnedFd::from(listener.try_clone()?)),
                clients: Mutex::default(),
            }),
        };
        let shared = Arc::clone(&server.shared);
        std::thread::Builder::new()
            .name("drupe-lsp-accept".into())
            .spawn(move || accept(&listener, &shared))?;
        tracing::info!(%address, "the language server listens");
        Ok(server)
    }

    /// The port on which it listens.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The address on which it listens.
    #[cfg(test)]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it: the port is closed when this returns; pending requests are answered with an error and connections
    /// closed soon after, by detached threads. Never waits; may be called from any thread and more than once.
    pub fn close(&self) {
        let links = {
            let mut clients = self.shared.lock();
            if std::mem::replace(&mut clients.closed, true) {
                return;
            }
            std::mem::take(&mut clients.links)
        };
        // On Linux this ends the listening and wakes the accepting thread; elsewhere a connection to it does.
        if self.shared.listener.shutdown(Shutdown::Both).is_err() {
            let _ = TcpStream::connect_timeout(&self.address, Duration::from_millis(20));
        }
        for link in links.iter().filter_map(Weak::upgrade) {
            link.close();
        }
        tracing::info!(address = %self.address, "the language server is closed");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Clients> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts serving a client, unless the server is closed or full.
    fn admit(&self, stream: TcpStream) -> io::Result<()> {
        let mut clients = self.lock();
        clients
            .links
            .retain(|link| link.upgrade().is_some_and(|link| !link.is_closing()));
        if clients.closed {
            return Ok(());
        }
        if clients.links.len() >= MAX_CLIENTS {
            tracing::warn!("a language client is refused: {MAX_CLIENTS} are connected");
            return Ok(());
        }
        let link = Arc::new(Link::new(link::tcp(&stream)?));
        clients.links.push(Arc::downgrade(&link));
        connection::spawn(stream, link, self.options.clone())
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Shared").finish_non_exhaustive()
    }
}

fn listen(address: IpAddr, any_address: bool) -> io::Result<TcpListener> {
    let fallback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    if !address.is_loopback() && !any_address {
        tracing::warn!(%address, "not a loopback address; the language server uses {fallback} instead");
        return TcpListener::bind((fallback, 0));
    }
    TcpListener::bind((address, 0)).or_else(|error| {
        tracing::warn!(%address, %error, "cannot listen there; the language server uses {fallback} instead");
        TcpListener::bind((fallback, 0))
    })
}

/// Whether a client on this machine is of the same user, or root. What the server tells of the session is as private as
/// the session, and a port is open to all who have a login here. Where the system does not tell, and for clients of
/// other machines, which a user has asked for ([`Options::any_address`]), nobody can be told from another.
fn may_be_served(peer: SocketAddr, own: SocketAddr) -> bool {
    // One end is enough: a process here may call from any of the machine's addresses.
    if ![peer, own]
        .iter()
        .any(|end| end.ip().to_canonical().is_loopback())
    {
        tracing::info!(%peer, "a language client of another machine");
        return true;
    }
    let reason = match os::peer::owner(peer, own) {
        Ok(Some(uid)) if uid == 0 || uid == os::process::user() => return true,
        Ok(Some(uid)) => format!("it is of the user with uid {uid}"),
        Ok(None) => "it is gone already".to_owned(),
        Err(error) if error.kind() == io::ErrorKind::Unsupported => return true,
        Err(error) => format!("its user is not known: {error}"),
    };
    tracing::warn!(port = peer.port(), "a language client is refused: {reason}");
    false
}

fn accept(listener: &TcpListener, shared: &Shared) {
    loop {
        let accepted = listener.accept();
        if shared.lock().closed {
            return;
        }
        let result = accepted.and_then(|(stream, peer)| {
            if !may_be_served(peer, stream.local_addr()?) {
                return Ok(());
            }
            shared.admit(stream)
        });
        if let Err(error) = result {
            // A client that left before it was accepted, or no descriptors left: the next one may do better.
            tracing::warn!(%error, "a language client was not accepted");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
