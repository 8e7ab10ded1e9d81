//! Finding the kernels of open documents, and the language servers inside them.
//!
//! One thread asks the Jupyter server when the router wants it to; each kernel is asked on a thread of its own, so that none
//! has to wait for another. All are detached, and every wait in them has a deadline.

use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::path::PathBuf;
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::activation;
use super::router::{Event, Look};
use super::server::JupyterServer;
use crate::jupyter;

/// How long a kernel that gave no server is left alone: it may be starting, or restarting.
const REST: Duration = Duration::from_millis(500);
/// At most this many kernels are asked at once.
const MOST_ASKED: usize = 16;

/// What is known of kernels without a connection, by their ids.
#[derive(Default)]
struct Memory {
    /// They are no drupe, and never will be.
    others: HashSet<String>,
    asked: HashSet<String>,
    resting: HashMap<String, Rest>,
}

struct Rest {
    until: Instant,
    /// Doubled with each failure in a row.
    next: Duration,
}

/// Starts the finder of this process's Jupyter server. What is sent to the result is looked for, and the answer is an event.
/// `None`, with a line in the log, where there is no such server.
pub(super) fn start(events: SyncSender<Event>) -> Option<mpsc::Sender<Look>> {
    let server = JupyterServer::ours()
        .inspect_err(|reason| note(&format!("all is answered from the source: {reason:#}")))
        .ok()?;
    let folder = jupyter::runtime_dir()?;
    let (looks, wanted) = mpsc::channel::<Look>();
    let finder = Finder {
        // The router that comes after this one is the same client, so that kernels close what this one leaves.
        client: format!("drupe-lsp-{}", server.pid),
        server,
        folder,
        memory: Arc::default(),
        events,
    };
    std::thread::Builder::new()
        .name("drupe-lsp-find".into())
        .spawn(move || {
            let mut last_said = String::new();
            for look in wanted {
                if !finder.look(look, &mut last_said) {
                    return;
                }
            }
        })
        .ok()?;
    Some(looks)
}

struct Finder {
    server: JupyterServer,
    folder: PathBuf,
    client: String,
    memory: Arc<Mutex<Memory>>,
    events: SyncSender<Event>,
}

impl Finder {
    /// Looks once. False when nobody wants to know.
    fn look(&self, look: Look, last_said: &mut String) -> bool {
        let (kernels, reason) = self.server.kernels_of(look.uris);
        let reason = reason.unwrap_or_default();
        if !reason.is_empty() && *last_said != reason {
            note(&format!("kernels are found by their processes: {reason}"));
        }
        *last_said = reason;
        let wanted: HashSet<&String> = kernels.values().collect();
        for kernel in wanted {
            if !look.settled.contains(kernel) {
                self.ask(kernel.clone());
            }
        }
        self.events.send(Event::Homes(kernels)).is_ok()
    }

    /// Asks a kernel for its server, unless that is of no use now.
    fn ask(&self, kernel: String) {
        if !lock(&self.memory).take_up(&kernel) {
            return;
        }
        let file = self.folder.join(format!("kernel-{kernel}.json"));
        let (memory, events, client) = (Arc::clone(&self.memory), self.events.clone(), self.client.clone());
        let asked = kernel.clone();
        let started = std::thread::Builder::new()
            .name("drupe-lsp-ask".into())
            .spawn(move || {
                let found = activation::connect_if_drupe(&file, &client);
                lock(&memory).learn(&kernel, &found);
                if let Ok(Some(stream)) = found {
                    let _ = events.send(Event::Connected(kernel, stream.into()));
                }
            });
        if started.is_err() {
            lock(&self.memory).asked.remove(&asked);
        }
    }
}

impl Memory {
    /// Whether a kernel is to be asked now; then it counts as being asked.
    fn take_up(&mut self, kernel: &str) -> bool {
        let rests = self
            .resting
            .get(kernel)
            .is_some_and(|rest| Instant::now() < rest.until);
        !rests
            && !self.others.contains(kernel)
            && self.asked.len() < MOST_ASKED
            && self.asked.insert(kernel.to_owned())
    }

    fn learn<T>(&mut self, kernel: &str, found: &anyhow::Result<Option<T>>) {
        self.asked.remove(kernel);
        match found {
            Ok(Some(_)) => {
                self.resting.remove(kernel);
            }
            Ok(None) => {
                self.others.insert(kernel.to_owned());
            }
            Err(_) => {
                let next = self.resting.get(kernel).map_or(REST, |rest| rest.next);
                let until = Instant::now() + next;
                let next = (next * 2).min(8 * REST);
                self.resting.insert(kernel.to_owned(), Rest { until, next });
            }
        }
    }
}

/// A line for the Jupyter server's log, where stderr goes.
fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "drupe lsp: {text}");
}

fn lock(memory: &Mutex<Memory>) -> MutexGuard<'_, Memory> {
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_kernel_answered_is_remembered() {
        let mut memory = Memory::default();
        assert!(memory.take_up("a"));
        assert!(!memory.take_up("a"), "it is being asked");
        memory.learn("a", &Ok(Some(())));
        assert!(memory.take_up("a"), "it had a server and lost it");
        memory.learn("a", &Ok(None::<()>));
        assert!(!memory.take_up("a"), "another kernel's, for ever");
        assert!(memory.take_up("b"));
        memory.learn("b", &Err::<Option<()>, _>(anyhow::anyhow!("no answer")));
        assert!(!memory.take_up("b"), "it rests");
    }
}
