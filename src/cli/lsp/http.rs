//! One question to a web server of this machine: as much of HTTP as Jupyter's own server needs.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use socket2::Socket;

/// How long the connection and the answer may take in all. The server has one thread for all that it does.
const PATIENCE: Duration = Duration::from_secs(3);
/// The longest answer that is read, in bytes.
const LONGEST: usize = 16 << 20;

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    /// A host's name and a port.
    Tcp(String, u16),
    /// A socket's file.
    Unix(PathBuf),
}

impl Address {
    fn connect(&self, patience: Duration) -> Result<Socket> {
        match self {
            Self::Unix(path) => Ok(UnixStream::connect(path)?.into()),
            Self::Tcp(host, port) => {
                // `localhost` may be two addresses, of which the server has one.
                let mut tried = None;
                for address in (host.as_str(), *port).to_socket_addrs()? {
                    match TcpStream::connect_timeout(&address, patience) {
                        Ok(stream) => return Ok(stream.into()),
                        Err(error) => tried = Some(error),
                    }
                }
                Err(tried.map_or_else(|| anyhow::anyhow!("{host} has no address"), Into::into))
            }
        }
    }
}

/// The body of the answer to `GET path`.
///
/// # Errors
/// Nobody listens, the time is over, or another answer than 200.
pub(super) fn get(address: &Address, path: &str, token: &str) -> Result<Vec<u8>> {
    let until = Instant::now() + PATIENCE;
    let mut socket = address.connect(PATIENCE)?;
    socket.set_write_timeout(Some(PATIENCE))?;
    let authorization = match token {
        "" => String::new(),
        token => format!("Authorization: token {token}\r\n"),
    };
    // In 1.0 an answer is never in chunks, and ends with the connection.
    write!(
        socket,
        "GET {path} HTTP/1.0\r\nHost: localhost\r\nAccept: application/json\r\n{authorization}Connection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        ensure!(!left.is_zero(), "no whole answer within {} s", PATIENCE.as_secs());
        socket.set_read_timeout(Some(left))?;
        match socket.read(&mut buffer)? {
            0 => return body(&answer),
            read => answer.extend_from_slice(buffer.get(..read).unwrap_or_default()),
        }
        ensure!(answer.len() <= LONGEST, "an answer of more than {LONGEST} bytes");
    }
}

fn body(answer: &[u8]) -> Result<Vec<u8>> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let (head, body) = answer.split_at(end.context("no whole header")?);
    let status = String::from_utf8_lossy(head);
    let status = status.split_whitespace().nth(1).unwrap_or_default();
    match status {
        "200" => Ok(body.get(4..).unwrap_or_default().to_vec()),
        "401" | "403" => bail!("it does not let us in ({status})"),
        _ => bail!("the answer was {status:?}"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// A server that says `answer` to one question, and returns that.
    fn asked(answer: &'static [u8]) -> (Result<Vec<u8>>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut question = Vec::new();
            while !question.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                question.extend(byte);
            }
            stream.write_all(answer).unwrap();
            String::from_utf8(question).unwrap()
        });
        let answer = get(&Address::Tcp("localhost".into(), port), "/a?b=1", "secret");
        (answer, server.join().unwrap())
    }

    #[test]
    fn a_question_and_its_answer() {
        let (answer, question) = asked(b"HTTP/1.1 200 OK\r\nX: y\r\n\r\n[1]\r\n\r\n");
        assert_eq!(answer.unwrap(), b"[1]\r\n\r\n");
        assert!(question.starts_with("GET /a?b=1 HTTP/1.0\r\n"), "{question}");
        assert!(
            question.contains("\r\nAuthorization: token secret\r\n"),
            "{question}"
        );
    }

    #[test]
    fn other_answers_are_errors() {
        for answer in [
            &b"HTTP/1.1 403 Forbidden\r\n\r\n{}"[..],
            b"HTTP/1.1 302 Found\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n",
            b"",
            b"\xff\xfe\r\n\r\n",
        ] {
            assert!(asked(answer).0.is_err(), "{answer:?}");
        }
    }
}
