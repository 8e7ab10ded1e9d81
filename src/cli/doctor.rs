//! `drupe doctor`: what would be run, and every problem with its mend.
//!
//! Called by [`super::main`]. It walks the same path as `drupe run`, up to loading the core, but starts nothing.
//! Must never change anything, not even a stale record.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use super::Outcome;
use super::places::{self, KernelJson};
use crate::launch::choice::Asked;
use crate::launch::{Environment, LaunchError, Record, choice, load, package, record};

#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// The Python to examine, instead of the one that `drupe run` would choose
    #[arg(long, value_name = "EXE")]
    python: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What was found. The field names are the keys of `--json`.
#[derive(Debug, Default, Serialize)]
struct Report {
    version: &'static str,
    binary: Option<PathBuf>,
    package: Option<PathBuf>,
    core: Option<PathBuf>,
    python: Option<PathBuf>,
    /// Who chose it, such as `$VIRTUAL_ENV`.
    python_chosen_by: Option<String>,
    python_version: Option<String>,
    prefix: Option<PathBuf>,
    libpython: Option<PathBuf>,
    /// `libpython` when the core is loaded into this process, `python -m drupe` when the interpreter is started.
    door: Option<&'static str>,
    /// Versions by the name to import; `null` when a module has no metadata.
    modules: BTreeMap<String, Option<String>>,
    kernelspec_folders: Vec<PathBuf>,
    kernelspecs: Vec<Kernelspec>,
    problems: Vec<Problem>,
}

/// An installed kernelspec that starts drupe.
#[derive(Debug, Serialize)]
struct Kernelspec {
    name: String,
    display_name: String,
    folder: PathBuf,
    argv: Vec<String>,
    python: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Problem {
    what: String,
    mend: String,
}

impl Doctor {
    pub(super) fn run(&self) -> Result<Outcome> {
        let mut report = Report {
            version: env!("CARGO_PKG_VERSION"),
            ..Report::default()
        };
        let environment = match self.examine(&mut report) {
            Ok(environment) => Some(environment),
            Err(error) => {
                report.add(&error);
                None
            }
        };
        let prefix = environment
            .as_ref()
            .map(|environment| environment.prefix.as_path());
        report.find_kernelspecs(prefix);
        let mut out = std::io::stdout().lock();
        if self.json {
            serde_json::to_writer_pretty(&mut out, &report)?;
            writeln!(out)?;
        } else {
            report.print(&mut out)?;
        }
        Ok(if report.problems.is_empty() {
            Outcome::Done
        } else {
            Outcome::Problems
        })
    }

    /// The way of `launch::run`, noting each station.
    fn examine(&self, report: &mut Report) -> Result<Environment, LaunchError> {
        report.binary = Some(package::binary()?);
        let package = report.package.insert(package::find()?).clone();
        let core = package.join(package::CORE);
        if core.is_file() {
            report.core = Some(core);
        } else {
            report.add(&LaunchError::NoCore { path: core });
        }
        let python = self.python.as_deref();
        let choice = choice::choose(Asked {
            python,
            ..Asked::default()
        })?;
        report.python = Some(choice.python.clone());
        report.python_chosen_by = Some(choice.source.to_string());
        let environment = Environment::probe(&choice.python, &package)?;
        report.python = Some(environment.executable.clone());
        report.python_version = Some(environment.version.clone());
        report.prefix = Some(environment.prefix.clone());
        report.libpython.clone_from(&environment.libpython);
        let modules = environment.modules.iter();
        report.modules = modules
            .map(|(name, one)| (name.clone(), one.version.clone()))
            .collect();
        match environment.require_suitable() {
            Err(error) => report.add(&error),
            Ok(()) if report.core.is_some() => report.try_to_load(&environment, &package),
            Ok(()) => {}
        }
        Ok(environment)
    }
}

impl Report {
    fn add(&mut self, error: &LaunchError) {
        self.problem(error.to_string(), error.mend());
    }

    fn problem(&mut self, what: String, mend: String) {
        self.problems.push(Problem { what, mend });
    }

    /// Loads libpython and the core into this process, which ends soon after.
    fn try_to_load(&mut self, environment: &Environment, package: &Path) {
        let Some(libpython) = &environment.libpython else {
            self.door = Some("python -m drupe");
            return;
        };
        match load::open(libpython, package, &environment.version) {
            Ok(_) => self.door = Some("libpython"),
            Err(error) if error.leaves_the_second_door() => self.door = Some("python -m drupe"),
            Err(error) => self.add(&error),
        }
    }

    fn find_kernelspecs(&mut self, prefix: Option<&Path>) {
        self.kernelspec_folders = places::kernelspec_folders(prefix);
        for folder in self.kernelspec_folders.clone() {
            let Ok(entries) = folder.read_dir() else { continue };
            let mut folders: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
            folders.sort();
            for folder in folders {
                self.examine_kernelspec(&folder);
            }
        }
        if self.kernelspecs.is_empty() {
            self.problem(
                "no kernelspec of drupe is installed: Jupyter front-ends cannot find it".to_owned(),
                "drupe install --user".to_owned(),
            );
        }
    }

    fn examine_kernelspec(&mut self, folder: &Path) {
        let Ok(spec) = KernelJson::read(folder) else {
            return;
        };
        let Some(program) = spec.drupe().map(str::to_owned) else {
            return;
        };
        let name = folder
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let here = folder.display();
        let program = program.replace("{resource_dir}", &folder.to_string_lossy());
        if let Err(error) = choice::program(Path::new(&program)) {
            self.problem(
                format!("the kernelspec {here} starts a program that cannot be run: {error}"),
                format!("drupe install --replace --name {name}"),
            );
        }
        let mut python = None;
        if let Some(path) = spec.record() {
            match Record::read(&path) {
                Ok(record::Found::Fresh(record)) => python = Some(record.environment.executable),
                // A stale record is renewed by the next start, so only a vanished interpreter is a problem.
                Ok(record::Found::Stale { python: stale }) => {
                    if let Err(error) = choice::program(&stale) {
                        self.problem(
                            format!("the kernelspec {here} cannot start: {error}"),
                            format!("drupe install --replace --name {name} --python EXE"),
                        );
                    }
                    python = Some(stale);
                }
                Err(error) => self.problem(
                    format!("the kernelspec {here} cannot start: {error}"),
                    format!("drupe install --replace --name {name}"),
                ),
            }
        }
        self.kernelspecs.push(Kernelspec {
            name,
            display_name: spec.display_name,
            folder: folder.to_owned(),
            argv: spec.argv,
            python,
        });
    }

    fn print(&self, out: &mut impl Write) -> std::io::Result<()> {
        let path = |path: &Option<PathBuf>| match path {
            Some(path) => path.display().to_string(),
            None => "none".to_owned(),
        };
        let text = |text: Option<&str>| text.unwrap_or("none").to_owned();
        let python = format!(
            "{} (version {}, chosen by {})",
            path(&self.python),
            text(self.python_version.as_deref()),
            text(self.python_chosen_by.as_deref())
        );
        let lines = [
            ("drupe", format!("{} {}", self.version, path(&self.binary))),
            ("package", path(&self.package)),
            ("core", path(&self.core)),
            ("python", python),
            ("libpython", path(&self.libpython)),
            ("door", text(self.door)),
        ];
        for (name, value) in lines {
            writeln!(out, "{name:<12} {value}")?;
        }
        for (name, version) in &self.modules {
            writeln!(out, "{name:<18} {}", text(version.as_deref()))?;
        }
        for folder in &self.kernelspec_folders {
            writeln!(out, "looks in     {}", folder.display())?;
        }
        for spec in &self.kernelspecs {
            let python = path(&spec.python);
            writeln!(
                out,
                "kernelspec   {} \"{}\" {python}",
                spec.folder.display(),
                spec.display_name
            )?;
        }
        for problem in &self.problems {
            writeln!(
                out,
                "PROBLEM      {}\n  to mend it: {}",
                problem.what, problem.mend
            )?;
        }
        if self.problems.is_empty() {
            writeln!(out, "no problems")?;
        }
        Ok(())
    }
}
