//! Connection files: where a kernel listens, and the key that its messages are signed with.
//!
//! `cli` reads one to know what to bind, writes one for a kernel that was started without, and the handshake reads
//! its registration file here. Every fault in a file is one sentence that names the file and says what to do. Keys
//! never show in errors or in debug output.

mod error;
mod file;

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

pub use error::ConnectionError;
pub use file::ConnectionFile;

use super::error::WireError;
use super::session::Session;

/// The scheme of a file that names none, and of those that drupe writes.
pub const DEFAULT_SCHEME: &str = "hmac-sha256";

/// How the sockets are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// TCP; a port is a TCP port.
    Tcp,
    /// Unix domain sockets; a port is the number at the end of the socket file's name.
    Ipc,
}

impl Transport {
    /// The ZeroMQ endpoint of a port: `tcp://ip:port` or `ipc://ip-port`, where for ipc the `ip` is a path.
    pub fn endpoint(self, ip: &str, port: u16) -> String {
        match self {
            Self::Tcp if ip.contains(':') && !ip.starts_with('[') => format!("tcp://[{ip}]:{port}"),
            Self::Tcp => format!("tcp://{ip}:{port}"),
            Self::Ipc => format!("ipc://{ip}-{port}"),
        }
    }
}

/// The ports of the five channels. In a file that is read, 0 means that the kernel is to choose.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Ports {
    /// Requests.
    #[serde(rename = "shell_port")]
    pub shell: u16,
    /// What the kernel publishes.
    #[serde(rename = "iopub_port")]
    pub iopub: u16,
    /// The kernel's questions to the user.
    #[serde(rename = "stdin_port")]
    pub stdin: u16,
    /// Requests that must not wait for those on shell.
    #[serde(rename = "control_port")]
    pub control: u16,
    /// The echo by which clients see that the kernel lives.
    #[serde(rename = "hb_port")]
    pub hb: u16,
}

/// A connection's signing key; empty for a connection that signs nothing.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Key(String);

impl Key {
    /// A key as it stands in a file.
    pub fn new(key: impl Into<String>) -> Self {
        Self(key.into())
    }

    /// A new key of 244 random bits.
    pub fn random() -> Self {
        Self(format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple()))
    }

    /// The bytes to sign with.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() {
            "Key(empty)"
        } else {
            "Key(..)"
        })
    }
}

/// What a connection file says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConnectionInfo {
    /// How the sockets are reached.
    pub transport: Transport,
    /// The address to bind; for ipc the path that the socket files' names begin with.
    pub ip: String,
    /// The channels' ports.
    #[serde(flatten)]
    pub ports: Ports,
    /// How messages are signed, a name that [`Session::new`] knows.
    pub signature_scheme: String,
    /// What they are signed with.
    pub key: Key,
    /// The kernelspec's name, where the file gives it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel_name: Option<String>,
    /// The notebook or console that the kernel was started for, where the file gives it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jupyter_session: Option<String>,
    /// Fields that drupe does not know, kept as they were.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl ConnectionInfo {
    /// A connection with a new random key.
    pub fn generate(transport: Transport, ip: impl Into<String>, ports: Ports) -> Self {
        Self {
            transport,
            ip: ip.into(),
            ports,
            signature_scheme: DEFAULT_SCHEME.to_owned(),
            key: Key::random(),
            kernel_name: None,
            jupyter_session: None,
            extra: Map::new(),
        }
    }

    /// The ZeroMQ endpoint of one of the [`Ports`].
    pub fn endpoint(&self, port: u16) -> String {
        self.transport.endpoint(&self.ip, port)
    }

    /// A session that signs with this connection's key.
    ///
    /// # Errors
    /// [`WireError::UnknownScheme`], which cannot be for a connection that was read from a file.
    pub fn session(&self) -> Result<Session, WireError> {
        Session::new(self.key.as_bytes(), &self.signature_scheme)
    }
}

/// What a registration file says: a kernel is to choose its ports and announce them at this address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// How the registration socket is reached, and the kernel's are to be.
    pub transport: Transport,
    /// The address of the registration socket.
    pub ip: String,
    /// Its port.
    pub port: u16,
    /// How messages are signed, here and later.
    pub signature_scheme: String,
    /// What they are signed with.
    pub key: Key,
    /// How the announcement is made.
    pub form: RegistrationForm,
}

/// The two forms of the handshake, described in [`messages::handshake`](super::messages::handshake).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegistrationForm {
    /// That of Positron's supervisor: the file has `ip`.
    Supervisor,
    /// That of JEP 66: the file has `registration_ip`.
    Jep66 {
        /// The name under which the launcher knows the kernel.
        kernel_id: String,
    },
}

impl Registration {
    /// The ZeroMQ endpoint to announce the ports at.
    pub fn endpoint(&self) -> String {
        self.transport.endpoint(&self.ip, self.port)
    }

    /// A session that signs with this registration's key: one for the handshake, and another that the kernel goes on with.
    ///
    /// # Errors
    /// [`WireError::UnknownScheme`], which cannot be for a registration that was read from a file.
    pub fn session(&self) -> Result<Session, WireError> {
        Session::new(self.key.as_bytes(), &self.signature_scheme)
    }
}

#[cfg(test)]
mod tests;
