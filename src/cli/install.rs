//! `drupe install` and `drupe uninstall`: a kernelspec that names this binary and one interpreter.
//!
//! Called by [`super::main`]. The kernelspec holds absolute paths, since front-ends start kernels with a PATH of
//! their own, and the record of what was found out about the interpreter. Must never overwrite a kernelspec without
//! `--replace`, nor remove one that is not drupe's.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Value, json};

use super::Outcome;
use super::places::{self, KernelJson, Place, RECORD};
use crate::launch::error::Missing;
use crate::launch::{Environment, LaunchError, Record, package};

/// The kernelspec as it is in the source tree; `install` changes what must be absolute.
const KERNEL_JSON: &str = include_str!("../../kernelspec/kernel.json");

const LOGOS: [(&str, &[u8]); 3] = [
    (
        "logo-32x32.png",
        include_bytes!("../../kernelspec/logo-32x32.png"),
    ),
    (
        "logo-64x64.png",
        include_bytes!("../../kernelspec/logo-64x64.png"),
    ),
    ("logo-svg.svg", include_bytes!("../../kernelspec/logo-svg.svg")),
];

#[derive(Debug, Args)]
pub(super) struct Install {
    #[command(flatten)]
    place: Place,
    /// The Python to run in: an executable, or an environment's folder
    #[arg(long, value_name = "EXE")]
    python: Option<PathBuf>,
    /// The name that front-ends show
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
    /// Set an environment variable for the kernel; may be repeated
    #[arg(long, num_args = 2, allow_hyphen_values = true, value_names = ["NAME", "VALUE"], action = clap::ArgAction::Append)]
    env: Vec<String>,
    /// Replace a kernelspec of the same name
    #[arg(long)]
    replace: bool,
    /// Install into the environment what a kernel needs and it lacks, by its pip, or by uv
    #[arg(long)]
    with_deps: bool,
}

#[derive(Debug, Args)]
pub(super) struct Uninstall {
    #[command(flatten)]
    place: Place,
    /// The Python whose environment --sys-prefix means
    #[arg(long, value_name = "EXE")]
    python: Option<PathBuf>,
}

impl Install {
    pub(super) fn run(&self) -> Result<Outcome> {
        let mut environment = places::environment(self.python.as_deref())?;
        if self.with_deps
            && let Err(LaunchError::MissingModules { missing, .. }) = environment.require_suitable()
        {
            bring(&environment, &missing)?;
            environment = places::environment(Some(&environment.executable))?;
        }
        environment.require_suitable()?;
        if environment.is_overlay() {
            bail!(
                "{} is an environment of `uv run --with`, which is gone when that command ends: name one that stays, by --python",
                environment.prefix.display()
            );
        }
        let package = package::find()?;
        let core = package.join(package::CORE);
        if !core.is_file() {
            return Err(LaunchError::NoCore { path: core }.into());
        }
        let folder = self.place.folder(|| Ok(environment.clone()))?;
        if folder.symlink_metadata().is_ok() && !self.replace {
            bail!("{} exists already; add --replace to replace it", folder.display());
        }
        let version = environment.version.clone();
        let python = environment.executable.clone();
        self.write(&folder, &Record::of(environment))
            .with_context(|| format!("writing the kernelspec {}", folder.display()))?;
        compile(&python, &package);
        let mut out = std::io::stdout().lock();
        writeln!(
            out,
            "Installed the kernel {} for Python {version} ({}) in {}",
            self.place.name,
            python.display(),
            folder.display()
        )?;
        Ok(Outcome::Done)
    }

    /// Builds the folder under another name beside its place, then moves it there: no front-end sees half of one.
    fn write(&self, folder: &Path, record: &Record) -> Result<()> {
        let parent = folder.parent().context("it has no parent folder")?;
        std::fs::create_dir_all(parent)?;
        let draft = parent.join(format!(".{}-{}", self.place.name, std::process::id()));
        let built = self
            .write_files(&draft, folder, record)
            .and_then(|()| move_over(&draft, folder));
        if built.is_err() {
            let _ = std::fs::remove_dir_all(&draft);
        }
        built
    }

    fn write_files(&self, draft: &Path, folder: &Path, record: &Record) -> Result<()> {
        std::fs::create_dir(draft)?;
        for (name, bytes) in LOGOS {
            std::fs::write(draft.join(name), bytes)?;
        }
        record.write(&draft.join(RECORD))?;
        let text = serde_json::to_string_pretty(&self.kernel_json(folder, record)?)?;
        std::fs::write(draft.join("kernel.json"), text + "\n")?;
        Ok(())
    }

    fn kernel_json(&self, folder: &Path, record: &Record) -> Result<BTreeMap<String, Value>> {
        let mut spec: BTreeMap<String, Value> = serde_json::from_str(KERNEL_JSON)?;
        let binary = package::binary()?;
        let record_file = folder.join(RECORD);
        let argv = json!([
            utf8(&binary)?,
            "run",
            "--environment",
            utf8(&record_file)?,
            "-f",
            "{connection_file}"
        ]);
        spec.insert("argv".to_owned(), argv);
        if let Some(metadata) = spec.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.insert("debugger".to_owned(), json!(record.environment.has_debugger()));
            // By this VS Code knows which environment to activate and where to look names up.
            let python = utf8(&record.environment.executable)?;
            metadata.insert("interpreter".to_owned(), json!({ "path": python }));
        }
        if let Some(name) = &self.display_name {
            spec.insert("display_name".to_owned(), json!(name));
        }
        let pairs = self.env.chunks_exact(2).filter_map(|pair| match pair {
            [name, value] => Some((name.clone(), value.clone())),
            _ => None,
        });
        let env: BTreeMap<String, String> = pairs.collect();
        if !env.is_empty() {
            spec.insert("env".to_owned(), json!(env));
        }
        Ok(spec)
    }
}

impl Uninstall {
    pub(super) fn run(&self) -> Result<Outcome> {
        let folder = self
            .place
            .folder(|| places::environment(self.python.as_deref()))?;
        if !folder.is_dir() {
            bail!("there is no kernelspec {}", folder.display());
        }
        if KernelJson::read(&folder)?.drupe().is_none() {
            bail!(
                "the kernelspec {} is another kernel's: it was left alone",
                folder.display()
            );
        }
        std::fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()))?;
        writeln!(
            std::io::stdout().lock(),
            "Removed the kernelspec {}",
            folder.display()
        )?;
        Ok(Outcome::Done)
    }
}

/// Installs what the environment lacks, by the command that would be named otherwise. What that says is shown as it says it.
fn bring(environment: &Environment, missing: &[Missing]) -> Result<()> {
    let Some(words) = environment.installer(missing) else {
        return Ok(());
    };
    let [program, args @ ..] = words.as_slice() else {
        return Ok(());
    };
    let status = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(std::io::stderr())
        .status()
        .with_context(|| format!("running {}", program.display()))?;
    if !status.success() {
        bail!(
            "what is missing could not be installed: {} ended with {status}",
            program.display()
        );
    }
    Ok(())
}

/// Has `python` compile the package now, as pip does. Else each start would, where kernels may not write beside the sources or were
/// told not to. What cannot be compiled ahead costs time at the start, and nothing else.
fn compile(python: &Path, package: &Path) {
    let _ = Command::new(python)
        .args(["-I", "-m", "compileall", "-q"])
        .arg(package)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}

/// Puts `draft` in the place of `folder`, which `--replace` allowed to exist.
fn move_over(draft: &Path, folder: &Path) -> Result<()> {
    let Ok(old) = folder.symlink_metadata() else {
        return Ok(std::fs::rename(draft, folder)?);
    };
    if !old.is_dir() {
        std::fs::remove_file(folder)?;
        return Ok(std::fs::rename(draft, folder)?);
    }
    let aside = draft.with_extension("old");
    std::fs::rename(folder, &aside)?;
    if let Err(error) = std::fs::rename(draft, folder) {
        let _ = std::fs::rename(&aside, folder);
        return Err(error.into());
    }
    let _ = std::fs::remove_dir_all(&aside);
    Ok(())
}

fn utf8(path: &Path) -> Result<&str, LaunchError> {
    path.to_str().ok_or_else(|| LaunchError::NotUtf8 {
        path: path.to_owned(),
    })
}
