//! Where Jupyter looks for kernelspecs, and what a kernelspec of drupe looks like.
//!
//! Used by `install`, `uninstall` and `doctor`. The rules are those of jupyter_core: `JUPYTER_PATH`, the user's data
//! folder, the environment's `share/jupyter`, the system's two. Must never write.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Deserialize;

use crate::jupyter::data_dir;
use crate::launch::choice::Asked;
use crate::launch::{Environment, choice, package};

/// The record's file name, beside `kernel.json`.
pub(super) const RECORD: &str = "environment.json";

/// Where a kernelspec goes.
#[derive(Debug, Clone, Args)]
pub(super) struct Place {
    /// For this user only (the default)
    #[arg(long, conflicts_with_all = ["sys_prefix", "prefix"])]
    user: bool,
    /// Into the environment of the chosen Python
    #[arg(long, conflicts_with = "prefix")]
    sys_prefix: bool,
    /// Into DIR/share/jupyter/kernels
    #[arg(long, value_name = "DIR")]
    prefix: Option<PathBuf>,
    /// The kernelspec's name
    #[arg(long, default_value = "drupe")]
    pub(super) name: String,
}

impl Place {
    /// The kernelspec's folder. `environment` is asked for only where its prefix decides.
    pub(super) fn folder(&self, environment: impl FnOnce() -> Result<Environment>) -> Result<PathBuf> {
        check_name(&self.name)?;
        let data = match &self.prefix {
            Some(prefix) => std::path::absolute(prefix)?.join("share/jupyter"),
            None if self.sys_prefix => environment()?.prefix.join("share/jupyter"),
            None => data_dir().context("neither JUPYTER_DATA_DIR nor HOME is set")?,
        };
        Ok(data.join("kernels").join(&self.name))
    }
}

/// Jupyter's own rule for names. It compares them in lower case, so two that differ in case would be one.
fn check_name(name: &str) -> Result<()> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
    if name.is_empty() || name.starts_with('.') || !name.chars().all(allowed) {
        bail!(
            "{name:?} cannot name a kernelspec: use lower-case letters, digits, and . _ - (not a dot first)"
        );
    }
    Ok(())
}

/// Asks the interpreter that `--python`, or the rules for its absence, choose: now, whatever was known before.
pub(super) fn environment(python: Option<&Path>) -> Result<Environment> {
    let package = package::find()?;
    Ok(Environment::probe(
        &choice::choose(Asked {
            python,
            ..Asked::default()
        })?
        .python,
        &package,
    )?)
}

/// Every folder that Jupyter searches for kernelspecs when it runs in the environment `prefix`.
pub(super) fn kernelspec_folders(prefix: Option<&Path>) -> Vec<PathBuf> {
    let mut data: Vec<PathBuf> = std::env::var_os("JUPYTER_PATH")
        .map(|path| {
            std::env::split_paths(&path)
                .filter(|one| !one.as_os_str().is_empty())
                .collect()
        })
        .unwrap_or_default();
    data.extend(data_dir());
    data.extend(prefix.map(|prefix| prefix.join("share/jupyter")));
    data.extend(["/usr/local/share/jupyter".into(), "/usr/share/jupyter".into()]);
    let mut folders: Vec<PathBuf> = Vec::new();
    for folder in data.into_iter().map(|folder| folder.join("kernels")) {
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    folders
}

/// The part of a `kernel.json` that drupe reads.
#[derive(Debug, Deserialize)]
pub(super) struct KernelJson {
    #[serde(default)]
    pub(super) argv: Vec<String>,
    #[serde(default)]
    pub(super) display_name: String,
}

impl KernelJson {
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let path = folder.join("kernel.json");
        let bytes = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        serde_json::from_slice(&bytes).with_context(|| format!("reading {}", path.display()))
    }

    /// The program it starts, when that is drupe by either door.
    pub(super) fn drupe(&self) -> Option<&str> {
        let program = self.argv.first()?;
        let direct = Path::new(program).file_name().is_some_and(|name| name == "drupe");
        let module = self.argv.windows(2).any(|pair| pair == ["-m", "drupe"]);
        (direct || module).then_some(program)
    }

    /// The record that it hands to `drupe run`.
    pub(super) fn record(&self) -> Option<PathBuf> {
        let at = self.argv.iter().position(|arg| arg == "--environment")?;
        self.argv.get(at + 1).map(PathBuf::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_jupyter_would_not_find_are_refused() {
        for name in ["drupe", "drupe-3.12", "my_kernel"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in ["", "Drupe", "a b", "../x", "a/b", ".hidden", ".."] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_kernelspec_of_drupe_is_known_by_its_program() {
        let spec = |argv: &[&str]| KernelJson {
            argv: argv.iter().map(|arg| (*arg).to_owned()).collect(),
            display_name: String::new(),
        };
        assert!(spec(&["/opt/bin/drupe", "run", "-f", "x"]).drupe().is_some());
        assert!(spec(&["python", "-m", "drupe", "-f", "x"]).drupe().is_some());
        assert!(
            spec(&["python", "-m", "ipykernel_launcher", "-f", "x"])
                .drupe()
                .is_none()
        );
        assert!(spec(&[]).drupe().is_none());
        let record = spec(&["drupe", "run", "--environment", "/e.json"]).record();
        assert_eq!(record, Some("/e.json".into()));
    }
}
