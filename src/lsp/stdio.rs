//! Serving an editor over standard input and output, for `drupe lsp`.
//!
//! Called by the command line. Standard output belongs to the protocol alone while it runs.

use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;

use super::Options;
use super::analysis::depth;
use super::connection;
use super::link::{Link, Wire};
use super::queue::Queue;

/// Serves until the client says `exit` or closes its end. True when it had said `shutdown` before, as the protocol
/// wants: the exit status is 0 then and 1 otherwise.
///
/// # Errors
/// When a thread cannot be started.
pub fn serve_stdio(options: Options) -> io::Result<bool> {
    let worker = serve(io::stdin(), io::stdout(), options)?;
    Ok(worker.join().unwrap_or(false))
}

/// Serves over any input and output, on threads of its own that nobody need join. What the one that is returned ends
/// with is what [`serve_stdio`] returns.
///
/// # Errors
/// When a thread cannot be started.
pub fn serve(
    input: impl Read + Send + 'static,
    mut output: impl Write + Send + 'static,
    options: Options,
) -> io::Result<JoinHandle<bool>> {
    let link = Arc::new(Link::new(Wire {
        send: Box::new(move |frame| {
            output.write_all(frame)?;
            output.flush()
        }),
        hang_up: Box::new(|_| {}),
    }));
    let queue = Arc::new(Queue::new(1024, 32 * 1024 * 1024));
    std::thread::Builder::new().name("drupe-lsp-read".into()).spawn({
        let (queue, link) = (Arc::clone(&queue), Arc::clone(&link));
        move || connection::read(&mut BufReader::new(input), &queue, &link)
    })?;
    // The work needs a stack of its own size, which the process's first thread may not have.
    std::thread::Builder::new()
        .name("drupe-lsp-work".into())
        .stack_size(depth::STACK)
        .spawn(move || connection::work(&queue, &link, options))
}

/// Connects standard input and output to a running server, byte by byte, until either side ends.
///
/// # Errors
/// When the connection cannot be shared between two threads.
pub fn bridge_stdio(server: &TcpStream) -> io::Result<()> {
    server.set_nodelay(true)?;
    let mut to_server = server.try_clone()?;
    std::thread::Builder::new()
        .name("drupe-lsp-bridge".into())
        .spawn(move || {
            let _ = pump(&mut io::stdin().lock(), &mut to_server);
            let _ = to_server.shutdown(Shutdown::Write);
        })?;
    let mut from_server = server.try_clone()?;
    pump(&mut from_server, &mut io::stdout().lock())
}

/// As `io::copy`, but what came is passed on at once.
fn pump(input: &mut impl Read, output: &mut impl Write) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = match input.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        output.write_all(buffer.get(..read).unwrap_or_default())?;
        output.flush()?;
    }
}
