//! Where drupe's Python package lies, seen from the running binary.
//!
//! Called by `run`, `install` and `doctor`. Three layouts are known: an installed copy (`PREFIX/bin/drupe` with
//! `PREFIX/lib/drupe/drupe`), the build tree (`target/release/drupe` with `python/drupe`) and a wheel (`bin/drupe`
//! with the environment's site-packages, or with the folder that `pip install --target` was told). `DRUPE_PACKAGE` names
//! another. Must never search PATH or `sys.path`: the core must be the one that this binary was built with.

use std::path::{Path, PathBuf};

use super::error::LaunchError;

/// The core's file name, the same for every Python and every Unix.
pub const CORE: &str = "_drupe.abi3.so";

/// The running binary, links resolved.
///
/// # Errors
/// The operating system does not say where it is.
pub fn binary() -> Result<PathBuf, LaunchError> {
    let unknown = |error: std::io::Error| LaunchError::NoPackage {
        looked: format!("no place, since the path of the running binary is unknown ({error})"),
    };
    std::env::current_exe()
        .and_then(|path| path.canonicalize())
        .map_err(unknown)
}

/// The folder of the Python package.
///
/// # Errors
/// None of the layouts has one.
pub fn find() -> Result<PathBuf, LaunchError> {
    let candidates = match std::env::var_os("DRUPE_PACKAGE").filter(|path| !path.is_empty()) {
        Some(path) => vec![PathBuf::from(path)],
        None => candidates(&binary()?),
    };
    if let Some(found) = candidates
        .iter()
        .find(|folder| folder.join("__main__.py").is_file())
    {
        return found.canonicalize().map_err(|error| LaunchError::NoPackage {
            looked: format!("{} ({error})", found.display()),
        });
    }
    let looked: Vec<String> = candidates.iter().map(|path| path.display().to_string()).collect();
    Err(LaunchError::NoPackage {
        looked: looked.join(", "),
    })
}

fn candidates(binary: &Path) -> Vec<PathBuf> {
    let Some(folder) = binary.parent() else {
        return Vec::new();
    };
    let Some(above) = folder.parent() else {
        return Vec::new();
    };
    let mut found = vec![above.join("lib/drupe/drupe")];
    if let Some(root) = above.parent() {
        found.push(root.join("python/drupe"));
    }
    found.extend(site_packages(above));
    found.push(above.join("drupe"));
    found
}

/// `lib/python3.12/site-packages/drupe`, for every Python that has one below this prefix: one, as a rule. Where there are several,
/// as below a user's `~/.local`, first that of this version, then the newest Python's.
fn site_packages(prefix: &Path) -> Vec<PathBuf> {
    let mut found: Vec<Home> = ["lib", "lib64"]
        .iter()
        .filter_map(|lib| prefix.join(lib).read_dir().ok())
        .flat_map(|entries| entries.flatten().map(|entry| entry.path()))
        .flat_map(|lib| PACKAGES.map(|folder| lib.join(folder).join("drupe")))
        .filter(|package| package.is_dir())
        .filter_map(|package| Home::of(&package))
        .collect();
    found.sort_by_key(|home| (!home.is_of_this_version(), std::cmp::Reverse(home.minor)));
    found.into_iter().map(|home| home.package).collect()
}

/// The names of an environment's folder of packages; the second is Debian's.
const PACKAGES: [&str; 2] = ["site-packages", "dist-packages"];

/// Jupyter's folder in an environment.
const DATA: &str = "share/jupyter";

/// The environment whose packages drupe's own is one of.
#[derive(Debug)]
pub struct Home {
    package: PathBuf,
    prefix: PathBuf,
    /// Such as `python3.12`.
    pub name: String,
    minor: u32,
}

impl Home {
    /// From `PREFIX/lib/python3.12/site-packages/drupe`; `None` for a package that lies in no environment.
    #[must_use]
    pub fn of(package: &Path) -> Option<Self> {
        let packages = package.parent()?;
        let known = PACKAGES.iter().any(|name| packages.ends_with(name));
        let library = packages.parent().filter(|_| known)?;
        let name = library.file_name()?.to_str()?;
        let minor = name.strip_prefix("python3.")?.parse().ok()?;
        Some(Self {
            package: package.to_owned(),
            prefix: library.parent()?.parent()?.to_owned(),
            name: name.to_owned(),
            minor,
        })
    }

    /// The environment's interpreter. A user's `~/.local` and Debian's `/usr/local` have none.
    #[must_use]
    pub fn python(&self) -> Option<PathBuf> {
        let names = [&self.name, "python3", "python"];
        let mut paths = names.iter().map(|name| self.prefix.join("bin").join(name));
        paths.find(|path| path.is_file())
    }

    /// Whether Jupyter finds this drupe in an environment: it is this one, or one that `uv run` has put in front of it.
    #[must_use]
    pub fn is_seen_from(&self, folder: &Path) -> bool {
        let real = |prefix: &Path| prefix.join(DATA).canonicalize().ok();
        real(folder).is_some_and(|theirs| real(&self.prefix) == Some(theirs))
    }

    fn is_of_this_version(&self) -> bool {
        let info = concat!("drupe-", env!("CARGO_PKG_VERSION"), ".dist-info");
        self.package.with_file_name(info).is_dir()
    }
}
