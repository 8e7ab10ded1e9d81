//! Listening sockets: binding them, adopting those that somebody else has bound, and accepting.
//!
//! Binding is plain blocking `std`, done before there is a runtime; [`Acceptor`] is the same socket in the driver.

use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::{fs, net, os::fd::AsRawFd, os::unix};

use super::Endpoint;
use super::registry::Registration;
use super::stream::Stream;
use crate::os::socket;

/// Connections that may wait to be accepted; the standard library asks for 128. While the io thread does something else
/// for a moment, a crowd at the door must not have the system turn a client away, whose next try comes after a second.
const BACKLOG: i32 = 1024;

/// A socket that listens already.
#[derive(Debug)]
pub enum Listener {
    Tcp(net::TcpListener),
    /// `path` is removed when the socket that adopts this listener is dropped.
    Ipc {
        listener: unix::net::UnixListener,
        path: PathBuf,
    },
}

/// Binds an endpoint, and says which it became: port 0 is replaced by the port that the system chose.
///
/// An ipc path gets mode 0600 in a folder that is made, with mode 0700, when it is missing. A socket file that nobody
/// listens on is replaced.
///
/// # Errors
/// `AddrInUse` for a port or a socket file that is being listened on, `AlreadyExists` for a path that holds something
/// else than a socket, and whatever the system says.
pub fn bind(endpoint: &Endpoint) -> io::Result<(Listener, Endpoint)> {
    match endpoint {
        Endpoint::Tcp { host, port } => {
            let address = if host == "*" { "0.0.0.0" } else { host };
            let listener = net::TcpListener::bind((address, *port))?;
            socket::set_backlog(&listener, BACKLOG)?;
            let port = listener.local_addr()?.port();
            Ok((
                Listener::Tcp(listener),
                Endpoint::Tcp {
                    host: host.clone(),
                    port,
                },
            ))
        }
        Endpoint::Ipc(path) => {
            let listener = bind_ipc(path)?;
            Ok((
                Listener::Ipc {
                    listener,
                    path: path.clone(),
                },
                endpoint.clone(),
            ))
        }
    }
}

fn bind_ipc(path: &Path) -> io::Result<unix::net::UnixListener> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.file_type().is_socket() => replace_stale(path)?,
        Ok(_) => {
            return Err(io::Error::new(
                ErrorKind::AlreadyExists,
                "the path exists and is not a socket",
            ));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let listener = unix::net::UnixListener::bind(path)?;
    socket::set_backlog(&listener, BACKLOG)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Removes a socket file on which nobody listens any more, for instance after a crash.
fn replace_stale(path: &Path) -> io::Result<()> {
    match unix::net::UnixStream::connect(path) {
        Ok(_) => Err(io::Error::new(
            ErrorKind::AddrInUse,
            "another process listens on this path",
        )),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) => Err(error),
    }
}

/// The file of an ipc listener: removed when dropped, unless somebody has put another one in its place.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    inode: Option<u64>,
}

impl SocketFile {
    fn new(path: PathBuf) -> Self {
        let inode = inode(&path);
        Self { path, inode }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.inode.is_some()
            && self.inode == inode(&self.path)
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::debug!(path = %self.path.display(), %error, "the socket file stays behind");
        }
    }
}

fn inode(path: &Path) -> Option<u64> {
    fs::symlink_metadata(path).ok().map(|meta| meta.ino())
}

/// A listener inside the runtime.
#[derive(Debug)]
pub(super) struct Acceptor {
    // Dropped first: a descriptor must leave the registry before it is closed and may be given out again.
    _registered: Registration,
    socket: Socket,
}

#[derive(Debug)]
enum Socket {
    Tcp(tokio::net::TcpListener),
    Ipc(tokio::net::UnixListener),
}

impl Acceptor {
    pub(super) fn adopt(listener: Listener) -> io::Result<(Self, Option<SocketFile>)> {
        let (socket, fd, file) = match listener {
            Listener::Tcp(listener) => {
                listener.set_nonblocking(true)?;
                let fd = listener.as_raw_fd();
                (
                    Socket::Tcp(tokio::net::TcpListener::from_std(listener)?),
                    fd,
                    None,
                )
            }
            Listener::Ipc { listener, path } => {
                listener.set_nonblocking(true)?;
                let fd = listener.as_raw_fd();
                (
                    Socket::Ipc(tokio::net::UnixListener::from_std(listener)?),
                    fd,
                    Some(SocketFile::new(path)),
                )
            }
        };
        Ok((
            Self {
                _registered: Registration::new(fd),
                socket,
            },
            file,
        ))
    }

    /// The next connection and how to name its other end in the log.
    pub(super) async fn accept(&self) -> io::Result<(Stream, String)> {
        match &self.socket {
            Socket::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                // Replies are small and waited for; a connection that refuses the option is dead already.
                stream.set_nodelay(true).ok();
                Ok((Stream::tcp(stream), address.to_string()))
            }
            Socket::Ipc(listener) => {
                let (stream, _) = listener.accept().await?;
                let pid = stream.peer_cred().ok().and_then(|peer| peer.pid());
                let address = pid.map_or_else(|| "ipc".to_owned(), |pid| format!("ipc, process {pid}"));
                Ok((Stream::ipc(stream), address))
            }
        }
    }
}
