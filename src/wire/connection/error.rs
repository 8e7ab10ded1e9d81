//! What can be wrong with a connection file, each said in one sentence for whoever started the kernel.

use std::io;
use std::path::PathBuf;

/// Why a connection file could not be read or written. The process cannot go on: one line on stderr, exit status 2.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// There is no such file.
    #[error("connection file {} does not exist; give the path that the front-end wrote, or leave out -f to have one made", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },

    /// The file is there but cannot be read.
    #[error("cannot read connection file {}: {source}; check its permissions and that it is a file", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },

    /// The file is not a JSON object.
    #[error("connection file {} is not a JSON object ({reason}); it may be truncated: let the front-end write it again", path.display())]
    NotJson {
        /// The file.
        path: PathBuf,
        /// Where parsing ended; never quotes the file.
        reason: String,
    },

    /// A field is missing.
    #[error("connection file {} lacks the field {field:?}; add it, or let the front-end write the file again", path.display())]
    Lacks {
        /// The file.
        path: PathBuf,
        /// The field's name.
        field: &'static str,
    },

    /// A field has a value of the wrong type.
    #[error("in connection file {} the field {field:?} must be {wanted}", path.display())]
    WrongType {
        /// The file.
        path: PathBuf,
        /// The field's name.
        field: &'static str,
        /// What it must be, with an article.
        wanted: &'static str,
    },

    /// A port is no port.
    #[error("in connection file {} the field {field:?} is {found}, which is no port; use an integer from 0 to 65535 (0: the kernel chooses)", path.display())]
    BadPort {
        /// The file.
        path: PathBuf,
        /// The field's name.
        field: &'static str,
        /// The value found, clipped.
        found: String,
    },

    /// A transport that drupe does not have.
    #[error("connection file {} asks for the transport {found:?}; drupe has \"tcp\" and \"ipc\"", path.display())]
    UnknownTransport {
        /// The file.
        path: PathBuf,
        /// The value found, clipped.
        found: String,
    },

    /// A signature scheme that drupe does not have.
    #[error("connection file {} asks for the signature scheme {found:?}; drupe has hmac-sha256, hmac-sha224, hmac-sha384, hmac-sha512, hmac-sha1 and hmac-md5", path.display())]
    UnknownScheme {
        /// The file.
        path: PathBuf,
        /// The value found, clipped.
        found: String,
    },

    /// The file has CURVE keys. To run without encryption when it was asked for would be worse than not to run.
    #[error("connection file {} asks for CURVE encryption, which drupe does not have yet; set the kernel manager's transport_encryption to \"disabled\"", path.display())]
    Curve {
        /// The file.
        path: PathBuf,
    },

    /// The file cannot be written.
    #[error("cannot write connection file {}: {source}; give another path with -f, or set JUPYTER_RUNTIME_DIR", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}
