//! What is said again and again is said once a second.
//!
//! A place in the code says the same line once in a second, and a few different ones; what it says beyond that is counted, and
//! the number told a second later. So a flood of bad messages costs a few lines, whoever sends it and whatever he calls himself.
//!
//! It reads no clock: the time is an argument.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

/// A place in the code that logs.
pub(super) type Kind = tracing::callsite::Identifier;

/// How often the same is said.
const EVERY: Duration = Duration::from_secs(1);

/// Different lines of one place in that time.
const LINES: usize = 8;

/// Bytes of a line that are repeated when it is told how many like it were left out.
const EXCERPT: usize = 200;

#[derive(Debug, Default)]
struct Said {
    /// When which line was last written, those of the last second.
    lines: Vec<(u64, Instant)>,
    left_out: u64,
    /// When the number is to be told.
    report: Option<Instant>,
    /// The last line that was left out.
    example: Vec<u8>,
}

/// One for each log.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    said: HashMap<Kind, Said>,
    hasher: RandomState,
    /// Everything that is to be told is due.
    ended: bool,
}

impl Throttle {
    /// Whether the line is to be written. It counts as left out where it is not.
    pub(super) fn admits(&mut self, kind: &Kind, line: &[u8], now: Instant) -> bool {
        let hash = self.hasher.hash_one(line);
        let said = self.said.entry(kind.clone()).or_default();
        said.lines
            .retain(|(_, at)| now.saturating_duration_since(*at) < EVERY);
        if said.lines.len() < LINES && said.lines.iter().all(|(other, _)| *other != hash) {
            said.lines.push((hash, now));
            return true;
        }
        said.left_out += 1;
        said.report.get_or_insert(now + EVERY);
        said.example.clear();
        said.example
            .extend_from_slice(line.get(..EXCERPT).unwrap_or(line));
        false
    }

    /// When [`Throttle::reports`] has something to tell.
    pub(super) fn next_report(&self) -> Option<Instant> {
        self.said.values().filter_map(|said| said.report).min()
    }

    /// The lines that tell what was left out, as far as it is time.
    pub(super) fn reports(&mut self, now: Instant) -> Vec<String> {
        let ended = self.ended;
        let due = self
            .said
            .values_mut()
            .filter(|said| said.report.is_some_and(|at| ended || at <= now));
        due.map(|said| {
            said.report = None;
            let count = std::mem::take(&mut said.left_out);
            let example = String::from_utf8_lossy(&said.example);
            format!("{} ({count} more like this)\n", example.trim_end())
        })
        .collect()
    }

    /// The process ends: what was left out is told now.
    pub(super) fn end(&mut self) {
        self.ended = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Two places that log. They are never called: only their names matter.
    fn kinds() -> [Kind; 2] {
        use tracing::callsite::Callsite;
        macro_rules! place {
            () => {{
                static PLACE: tracing::callsite::DefaultCallsite = {
                    static META: tracing::Metadata<'static> = tracing::metadata! {
                        name: "place",
                        target: "test",
                        level: tracing::Level::WARN,
                        fields: &[],
                        callsite: &PLACE,
                        kind: tracing::metadata::Kind::EVENT
                    };
                    tracing::callsite::DefaultCallsite::new(&META)
                };
                PLACE.metadata().callsite()
            }};
        }
        [place!(), place!()]
    }

    #[test]
    fn the_same_is_said_once_a_second_and_then_how_often() {
        let [kind, other] = kinds();
        let (mut throttle, began) = (Throttle::default(), Instant::now());
        let mut written = 0;
        for ms in 0..2500 {
            written += u32::from(throttle.admits(&kind, b"bad signature\n", began + ms * MS));
        }
        assert_eq!(written, 3);
        assert!(
            throttle.admits(&other, b"bad signature\n", began),
            "another place says it too"
        );
        assert_eq!(throttle.next_report(), Some(began + 1001 * MS));
        assert!(throttle.reports(began + 1000 * MS).is_empty());
        assert_eq!(
            throttle.reports(began + 1001 * MS),
            ["bad signature (2497 more like this)\n"]
        );
        assert_eq!(throttle.next_report(), None);
    }

    #[test]
    fn many_different_lines_of_one_place_are_a_few() {
        let [kind, _] = kinds();
        let (mut throttle, began) = (Throttle::default(), Instant::now());
        let written = (0..1000)
            .filter(|number| throttle.admits(&kind, format!("peer {number}\n").as_bytes(), began))
            .count();
        assert_eq!(written, LINES);
        throttle.end();
        assert_eq!(throttle.reports(began), ["peer 999 (992 more like this)\n"]);
    }
}
