//! Where to listen: `tcp://host:port` or `ipc://path`, as front-ends and libzmq write it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use thiserror::Error;

/// An address to bind, or one that has been bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// `host` is an IPv4 or IPv6 address without brackets, a name, or `*` for all of IPv4; port 0 asks for a free one.
    Tcp { host: String, port: u16 },
    /// A socket file. Abstract names (`@…`) are refused: everybody on the machine may connect to them.
    Ipc(PathBuf),
}

/// An endpoint that cannot be understood.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("{endpoint:?} is no endpoint: {reason}")]
pub struct EndpointError {
    pub endpoint: String,
    pub reason: &'static str,
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let wrong = |reason| EndpointError {
            endpoint: text.to_owned(),
            reason,
        };
        if let Some(path) = text.strip_prefix("ipc://") {
            return match path {
                "" => Err(wrong("the path is missing")),
                path if path.starts_with('@') => Err(wrong("abstract sockets are open to everybody")),
                path => Ok(Self::Ipc(path.into())),
            };
        }
        let Some(rest) = text.strip_prefix("tcp://") else {
            return Err(wrong("only tcp:// and ipc:// are known"));
        };
        let (host, port) = rest
            .rsplit_once(':')
            .ok_or_else(|| wrong("the port is missing"))?;
        let port = if port == "*" { Ok(0) } else { port.parse() };
        let port = port.map_err(|_| wrong("the port is not a number up to 65535"))?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        match bare.unwrap_or(host) {
            "" => Err(wrong("the host is missing")),
            host if bare.is_none() && host.contains(':') => Err(wrong("an IPv6 address goes in brackets")),
            host => Ok(Self::Tcp {
                host: host.to_owned(),
                port,
            }),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "tcp://[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "tcp://{host}:{port}"),
            Self::Ipc(path) => write!(f, "ipc://{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_read_as_they_are_written() {
        for text in [
            "tcp://127.0.0.1:5555",
            "tcp://[::1]:0",
            "tcp://localhost:1",
            "tcp://*:0",
            "ipc:///tmp/k-1",
        ] {
            let endpoint: Endpoint = text.parse().expect(text);
            assert_eq!(endpoint.to_string(), text);
        }
        assert_eq!(
            "tcp://*:*".parse(),
            Ok(Endpoint::Tcp {
                host: "*".into(),
                port: 0
            })
        );
    }

    #[test]
    fn nonsense_is_refused_with_its_reason() {
        for text in [
            "",
            "udp://x:1",
            "tcp://x",
            "tcp://:1",
            "tcp://x:70000",
            "tcp://::1:5",
            "ipc://",
            "ipc://@name",
        ] {
            let error = text.parse::<Endpoint>().expect_err(text);
            assert_eq!(error.endpoint, text);
        }
    }
}
