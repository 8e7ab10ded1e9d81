//! What can be imported here, found on the disk without Python: no module is imported and no code is run.
//!
//! Asked by completion and by the mends of undefined names. What stands in one package or module is read from the disk when
//! it is asked for, so it is as true as the disk; only the names of all modules, which auto-import needs, are collected
//! beforehand, by a thread of low priority that nobody waits for, and kept in the user's cache ([`store`]).
//! An index lives as long as some client of its search path is connected. It never waits for the disk longer than
//! [`PATIENCE`], and a disk that does not answer is not asked again until it has.

mod build;
mod classes;
mod finder;
mod names;
mod reader;
pub mod search_path;
mod store;
mod usual;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak, mpsc};
use std::time::{Duration, Instant};

use super::analysis::depth;
use super::documents::uri::decoded;
use super::live::Snapshot;
use classes::Classes;
use finder::Finder;
use names::Names;
use reader::Reader;

pub use names::Hit;
pub use usual::alias;

/// How long one question may wait for the disk; the largest packages (numpy's stub) are read in a few milliseconds.
const PATIENCE: Duration = Duration::from_millis(100);
/// Questions that wait for a disk at once: each is a thread.
const MOST_WAITING: usize = 2;
/// How often the search path is looked at for what was installed or removed, while names are asked for.
const LOOK: Duration = Duration::from_secs(10);

/// What a name in a module is, as far as its source shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A function.
    Function,
    /// A class.
    Class,
    /// A module.
    Module,
    /// Anything else.
    Value,
}

/// A name that can be imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The name, without its module.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// False for what only happens to be there: imports of a module's own.
    pub public: bool,
}

/// The modules of one search path.
pub struct Index {
    finder: Arc<Finder>,
    names: Mutex<Arc<Names>>,
    waiting: Arc<AtomicUsize>,
    building: AtomicBool,
    looked: Mutex<Option<Instant>>,
    /// It was asked for names since it was looked at.
    used: AtomicBool,
}

impl Index {
    /// The index of the session's search path, the same for all who ask while it lives.
    pub fn of(snapshot: &Snapshot) -> Arc<Self> {
        static KNOWN: Mutex<Vec<Weak<Index>>> = Mutex::new(Vec::new());
        let folders = search_path::absolute(&snapshot.path, Path::new(&snapshot.directory));
        let mut known = lock(&KNOWN);
        known.retain(|index| index.strong_count() > 0);
        let same = |index: Arc<Self>| (index.finder.folders() == folders).then_some(index);
        if let Some(index) = known.iter().filter_map(Weak::upgrade).find_map(same) {
            return index;
        }
        let index = Arc::new(Self {
            finder: Arc::new(Finder::new(folders)),
            names: Mutex::default(),
            waiting: Arc::default(),
            building: AtomicBool::new(false),
            looked: Mutex::default(),
            used: AtomicBool::new(true),
        });
        known.push(Arc::downgrade(&index));
        index
    }

    /// True when nothing is known of what is installed.
    pub fn is_blind(&self) -> bool {
        self.finder.folders().is_empty()
    }

    /// The modules in `package`; those that stand alone for an empty name. A name that begins with dots is seen from
    /// `folder`. `None` where the disk did not answer in time: the next question finds it sooner.
    pub fn modules(&self, package: &str, folder: Option<&Path>) -> Option<Vec<Found>> {
        let (package, folder) = (package.to_owned(), folder.map(Path::to_owned));
        self.within(move |finder| {
            let place = finder.place(&package, folder.as_deref());
            place.map(|place| finder.modules(&place)).unwrap_or_default()
        })
    }

    /// What `from module import` can name: its names, then its modules. `None` as [`Index::modules`].
    pub fn members(&self, module: &str, folder: Option<&Path>) -> Option<Vec<Found>> {
        let (module, folder) = (module.to_owned(), folder.map(Path::to_owned));
        self.within(move |finder| {
            let Some(place) = finder.place(&module, folder.as_deref()) else {
                return Vec::new();
            };
            members(finder, &module, &place)
        })
    }

    /// The same for what `reached` leads to from a module, one attribute after the other: a module or a class. `None` as
    /// [`Index::modules`].
    pub fn attributes(&self, module: &str, reached: &[&str], folder: Option<&Path>) -> Option<Vec<Found>> {
        let (module, folder) = (module.to_owned(), folder.map(Path::to_owned));
        let reached: Vec<String> = reached.iter().map(|&name| name.to_owned()).collect();
        self.within(move |finder| Classes::new(finder, folder.as_deref()).members(&module, &reached))
    }

    /// The members of what a call of it gives, as far as its source says: of an instance of a class, or of what a function is annotated
    /// to return, at `places` of a tuple. `None` as [`Index::modules`].
    pub fn given(
        &self,
        module: &str,
        reached: &[&str],
        places: &[u8],
        folder: Option<&Path>,
    ) -> Option<Vec<Found>> {
        let (module, folder, places) = (module.to_owned(), folder.map(Path::to_owned), places.to_owned());
        let reached: Vec<String> = reached.iter().map(|&name| name.to_owned()).collect();
        self.within(move |finder| Classes::new(finder, folder.as_deref()).given(&module, &reached, &places))
    }

    /// Whether `import module` finds a file; true where that cannot be told.
    pub fn has(&self, module: &str) -> bool {
        let module = module.to_owned();
        self.is_blind()
            || self
                .within(move |finder| finder.place(&module, None).is_some())
                .unwrap_or(true)
    }

    /// True once the names of all modules are known, or when there are none to be known.
    pub fn is_collected(&self) -> bool {
        self.is_blind() || !lock(&self.names).folders.is_empty()
    }

    /// Names that begin with `prefix` in any module, of each name the most usual place, most usual first; at most `most`.
    pub fn starting(&self, prefix: &str, most: usize) -> Vec<Hit> {
        self.used.store(true, Ordering::Relaxed);
        lock(&self.names).starting(prefix, most)
    }

    /// The modules that `name` can be imported from, most usual first; at most `most`.
    pub fn named(&self, name: &str, most: usize) -> Vec<Hit> {
        self.used.store(true, Ordering::Relaxed);
        lock(&self.names).named(name, most)
    }

    /// Sees to it that the names of all modules are collected, and collected again when something was installed. Returns
    /// at once: a thread does it.
    pub fn warm(self: &Arc<Self>) {
        let mut looked = lock(&self.looked);
        let is_early = looked.is_some_and(|at| at.elapsed() < LOOK);
        if self.is_blind() || is_early || !self.used.swap(false, Ordering::Relaxed) {
            return;
        }
        *looked = Some(Instant::now());
        drop(looked);
        if self.building.swap(true, Ordering::SeqCst) {
            return;
        }
        let (finder, index) = (Arc::clone(&self.finder), Arc::downgrade(self));
        let spawned = std::thread::Builder::new()
            .name("drupe-lsp-index".into())
            .stack_size(depth::STACK)
            .spawn(move || {
                // Whoever has asked may have left: then it is nobody's.
                let wanted = || index.strong_count() > 0;
                let known = index.upgrade().map(|index| Arc::clone(&lock(&index.names)));
                let built = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                    build::names(&finder, known.as_deref(), &wanted)
                }));
                let Some(index) = index.upgrade() else { return };
                if let Ok(Some(names)) = built {
                    *lock(&index.names) = Arc::new(names);
                }
                index.building.store(false, Ordering::SeqCst);
            });
        if let Err(error) = spawned {
            tracing::warn!(%error, "no thread for the index of modules");
            self.building.store(false, Ordering::SeqCst);
        }
    }

    /// Does `work` on a thread of its own and waits for it as long as a question may take.
    fn within<T: Send + 'static>(&self, work: impl FnOnce(&Finder) -> T + Send + 'static) -> Option<T> {
        if self.waiting.fetch_add(1, Ordering::SeqCst) >= MOST_WAITING {
            self.waiting.fetch_sub(1, Ordering::SeqCst);
            return None;
        }
        let (send, receive) = mpsc::sync_channel(1);
        let (finder, waiting) = (Arc::clone(&self.finder), Arc::clone(&self.waiting));
        let spawned = std::thread::Builder::new()
            .name("drupe-lsp-disk".into())
            .stack_size(depth::STACK)
            .spawn(move || {
                let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(&finder)));
                waiting.fetch_sub(1, Ordering::SeqCst);
                // Who asked may have gone on without it.
                let _ = send.send(result.ok());
            });
        if spawned.is_err() {
            self.waiting.fetch_sub(1, Ordering::SeqCst);
            return None;
        }
        receive.recv_timeout(PATIENCE).ok().flatten()
    }
}

/// The names of a module, then its modules that have other names.
fn members(finder: &Finder, module: &str, place: &finder::Place) -> Vec<Found> {
    let mut found = Reader::new(finder).names(module, place);
    for module in finder.modules(place) {
        if found.iter().all(|it| it.name != module.name) {
            found.push(module);
        }
    }
    found
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The folder of a document with a path on this machine.
pub fn folder_of(uri: &str) -> Option<PathBuf> {
    let (_, rest) = uri.split_once(':')?;
    let path = rest.strip_prefix("//")?;
    let path = path.get(path.find('/')?..)?;
    let path = path.split(['#', '?']).next()?;
    Some(Path::new(&*decoded(path)).parent()?.to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
