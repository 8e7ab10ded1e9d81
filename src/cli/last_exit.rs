//! `drupe last-exit`: how the last kernels ended, and what they had to leave behind.
//!
//! Reads the records that kernels write into Jupyter's runtime folder. Must never write.

use std::fmt::Write as _;
use std::io::Write as _;

use anyhow::{Context, Result};
use clap::Args;

use super::Outcome;
use crate::jupyter;
use crate::lifecycle::record::{self, ExitRecord};

/// The arguments of `drupe last-exit`.
#[derive(Debug, Clone, Args)]
pub(super) struct LastExit {
    /// How many ends to show, the newest first
    #[arg(default_value_t = 1, value_name = "COUNT")]
    count: usize,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl LastExit {
    pub(super) fn run(&self) -> Result<Outcome> {
        let runtime = jupyter::runtime_dir().context("neither JUPYTER_RUNTIME_DIR nor HOME is set")?;
        let mut records = record::list(&runtime)
            .with_context(|| format!("cannot read the records below {}", runtime.display()))?;
        records.truncate(self.count);
        let shown = if self.json {
            serde_json::to_string_pretty(&records)?
        } else if records.is_empty() {
            format!(
                "No kernel of drupe's has ended yet, as far as {} tells.",
                runtime.display()
            )
        } else {
            let texts: Vec<String> = records.iter().map(text).collect();
            texts.join("\n")
        };
        writeln!(std::io::stdout().lock(), "{shown}")?;
        Ok(Outcome::Done)
    }
}

fn text(record: &ExitRecord) -> String {
    let end = match record.status {
        Some(status) => format!("exit status {status}"),
        None => "cut off, by the watchdog or by a kill from outside".to_owned(),
    };
    let forced = if record.was_forced() { ", with force" } else { "" };
    let restart = if record.restart { ", for a restart" } else { "" };
    // Writing into a String does not fail.
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{}  process {}: {}{restart}; {end}{forced}",
        record.time, record.pid, record.trigger
    );
    for rung in &record.rungs {
        let outcome = format!("{:?}", rung.outcome).to_lowercase();
        let _ = writeln!(text, "  {:<10} {:>8.1} ms  {outcome}", rung.name, rung.ms);
    }
    for abandoned in &record.abandoned {
        let _ = writeln!(text, "  left behind: {} {}", abandoned.what, abandoned.name);
        for line in abandoned.stack.lines() {
            let _ = writeln!(text, "    {line}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifecycle::Trigger;
    use crate::lifecycle::record::{Abandoned, Outcome};

    #[test]
    fn an_end_with_force_says_what_was_left() {
        let mut record = ExitRecord::begin(Trigger::Terminate, false);
        record.begin_rung("threads");
        record.end_rung(Outcome::Over, std::time::Duration::from_millis(500));
        record.abandoned.push(Abandoned {
            what: "thread".into(),
            name: "worker".into(),
            stack: "work.py:7 in wait".into(),
        });
        record.status = Some(0);
        let text = text(&record);
        for part in [
            "exit status 0, with force",
            "threads       500.0 ms  over",
            "left behind: thread worker",
            "work.py:7",
        ] {
            assert!(text.contains(part), "{part:?} is not in {text}");
        }
    }
}
