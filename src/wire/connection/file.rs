//! Reading and writing connection files.
//!
//! Fields are taken by hand rather than derived, so that a fault is told in the words of the file, and so that no
//! parser's message can quote the key.

use std::fs::{DirBuilder, File};
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::{
    ConnectionError, ConnectionInfo, DEFAULT_SCHEME, Key, Ports, Registration, RegistrationForm, Transport,
};
use crate::os;
use crate::wire::error::clip;
use crate::wire::signature::Signer;

/// The longest file that is read, in bytes. Those in use have about 300.
const MAX_FILE: u64 = 1 << 20;

/// What a file given with `-f` may be; its fields tell which.
#[derive(Debug, Clone, PartialEq)]
pub enum ConnectionFile {
    /// Names the ports to bind.
    Classic(ConnectionInfo),
    /// Names a socket to announce the ports at: it has a `registration_port`.
    Registration(Registration),
}

impl ConnectionFile {
    /// Reads a connection file or a registration file.
    ///
    /// # Errors
    /// Every [`ConnectionError`] but [`ConnectionError::Unwritable`].
    pub fn read(path: &Path) -> Result<Self, ConnectionError> {
        let bytes = read_bounded(path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => ConnectionError::Missing {
                path: path.to_owned(),
            },
            _ => ConnectionError::Unreadable {
                path: path.to_owned(),
                source,
            },
        })?;
        Self::parse(path, &bytes)
    }

    /// Reads what stands in the file at `path`, which is only named in errors.
    ///
    /// # Errors
    /// As [`ConnectionFile::read`] but those about the file itself.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, ConnectionError> {
        let not_json = |reason| ConnectionError::NotJson {
            path: path.to_owned(),
            reason,
        };
        let fields = match serde_json::from_slice(bytes) {
            Ok(Value::Object(fields)) => fields,
            Ok(_) => return Err(not_json("it holds another kind of value".to_owned())),
            Err(error) => {
                return Err(not_json(format!(
                    "line {}, column {}",
                    error.line(),
                    error.column()
                )));
            }
        };
        let mut fields = Fields { path, fields };
        if fields.has("curve_publickey") || fields.has("curve_secretkey") {
            return Err(ConnectionError::Curve {
                path: path.to_owned(),
            });
        }
        if fields.has("registration_port") {
            fields.registration()
        } else {
            fields.classic()
        }
    }
}

impl ConnectionInfo {
    /// Writes the connection file, readable by its owner alone. It appears whole or not at all; a missing folder is
    /// made, for the owner alone, too.
    ///
    /// # Errors
    /// [`ConnectionError::Unwritable`].
    pub fn write(&self, path: &Path) -> Result<(), ConnectionError> {
        let write = || {
            if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            }
            let mut json = serde_json::to_vec_pretty(self)?;
            json.push(b'\n');
            os::file::replace(path, &json, 0o600)
        };
        write().map_err(|source| ConnectionError::Unwritable {
            path: path.to_owned(),
            source,
        })
    }
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            "it is larger than 1 MiB",
        ));
    }
    Ok(bytes)
}

/// A file's fields, taken out one by one; what is left in the end is unknown.
struct Fields<'a> {
    path: &'a Path,
    fields: Map<String, Value>,
}

impl Fields<'_> {
    fn classic(&mut self) -> Result<ConnectionFile, ConnectionError> {
        Ok(ConnectionFile::Classic(ConnectionInfo {
            transport: self.transport()?,
            ip: self.text("ip")?,
            ports: Ports {
                shell: self.port("shell_port")?,
                iopub: self.port("iopub_port")?,
                stdin: self.port("stdin_port")?,
                control: self.port("control_port")?,
                hb: self.port("hb_port")?,
            },
            signature_scheme: self.scheme()?,
            key: Key::new(self.text("key")?),
            kernel_name: self.optional_text("kernel_name")?,
            jupyter_session: self.optional_text("jupyter_session")?,
            extra: std::mem::take(&mut self.fields),
        }))
    }

    fn registration(&mut self) -> Result<ConnectionFile, ConnectionError> {
        let (ip, form) = if self.has("registration_ip") || self.has("kernel_id") {
            (
                self.text("registration_ip")?,
                RegistrationForm::Jep66 {
                    kernel_id: self.text("kernel_id")?,
                },
            )
        } else {
            (self.text("ip")?, RegistrationForm::Supervisor)
        };
        let port = match self.port("registration_port")? {
            // Nobody to ask which port it would be.
            0 => return Err(self.wrong_type("registration_port", "a port from 1 to 65535")),
            port => port,
        };
        Ok(ConnectionFile::Registration(Registration {
            transport: self.transport()?,
            ip,
            port,
            signature_scheme: self.scheme()?,
            key: Key::new(self.text("key")?),
            form,
        }))
    }

    /// Whether a field is there and says something.
    fn has(&self, field: &str) -> bool {
        !matches!(self.fields.get(field), None | Some(Value::Null))
            && self.fields.get(field) != Some(&Value::from(""))
    }

    fn text(&mut self, field: &'static str) -> Result<String, ConnectionError> {
        self.optional_text(field)?.ok_or(ConnectionError::Lacks {
            path: self.path(),
            field,
        })
    }

    fn optional_text(&mut self, field: &'static str) -> Result<Option<String>, ConnectionError> {
        match self.fields.remove(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(ConnectionError::WrongType {
                path: self.path(),
                field,
                wanted: "a string",
            }),
        }
    }

    fn port(&mut self, field: &'static str) -> Result<u16, ConnectionError> {
        match self.fields.remove(field) {
            None | Some(Value::Null) => Err(ConnectionError::Lacks {
                path: self.path(),
                field,
            }),
            Some(value) => value
                .as_u64()
                .and_then(|port| u16::try_from(port).ok())
                .ok_or_else(|| ConnectionError::BadPort {
                    path: self.path(),
                    field,
                    found: clip(&value.to_string(), 40),
                }),
        }
    }

    fn transport(&mut self) -> Result<Transport, ConnectionError> {
        let found = self.text("transport")?;
        match found.as_str() {
            "tcp" => Ok(Transport::Tcp),
            "ipc" => Ok(Transport::Ipc),
            _ => Err(ConnectionError::UnknownTransport {
                path: self.path(),
                found: clip(&found, 40),
            }),
        }
    }

    /// The scheme, by default the one that Jupyter has by default; files have not always named it.
    fn scheme(&mut self) -> Result<String, ConnectionError> {
        let scheme = self
            .optional_text("signature_scheme")?
            .unwrap_or_else(|| DEFAULT_SCHEME.to_owned());
        match Signer::new(&scheme, b"") {
            Ok(_) => Ok(scheme),
            Err(_) => Err(ConnectionError::UnknownScheme {
                path: self.path(),
                found: clip(&scheme, 40),
            }),
        }
    }

    fn wrong_type(&self, field: &'static str, wanted: &'static str) -> ConnectionError {
        ConnectionError::WrongType {
            path: self.path(),
            field,
            wanted,
        }
    }

    fn path(&self) -> PathBuf {
        self.path.to_owned()
    }
}
