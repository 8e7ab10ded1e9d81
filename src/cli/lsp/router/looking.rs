//! When the finder is to look for kernels: soon after a document was opened or a kernel lost, then less and less often, and
//! with the client's next word. A client that is silent for a minute costs nothing.

use std::collections::{HashMap, HashSet};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

/// The first pause after something has happened; the next are each twice as long, up to the longest.
const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(2);
/// How long it is looked again for a kernel while the client says nothing.
const SILENCE: Duration = Duration::from_mins(1);

/// What the finder is asked.
#[derive(Debug)]
pub(in crate::cli::lsp) struct Look {
    /// Whose kernels are wanted.
    pub(in crate::cli::lsp) uris: Vec<String>,
    /// The kernels that need not be connected to.
    pub(in crate::cli::lsp) settled: HashSet<String>,
}

pub(super) struct Looking {
    finder: Option<Sender<Look>>,
    next: Option<Instant>,
    last: Option<Instant>,
    pause: Duration,
    until: Option<Instant>,
    under_way: bool,
    alone: HashMap<String, Instant>,
}

impl Looking {
    /// Without a finder nothing is ever due.
    pub(super) fn new(finder: Option<Sender<Look>>) -> Self {
        Self {
            finder,
            next: None,
            last: None,
            pause: FIRST,
            until: None,
            under_way: false,
            alone: HashMap::new(),
        }
    }

    /// The client has said something of a document: its kernel may be another by now.
    pub(super) fn wanted(&mut self, now: Instant) {
        self.until = Some(now + SILENCE);
        let soon = self.last.map_or(now, |last| now.max(last + LONGEST));
        self.next.get_or_insert(soon);
    }

    /// A document was opened, or lost its kernel.
    pub(super) fn opened(&mut self, now: Instant) {
        self.until = Some(now + SILENCE);
        self.pause = FIRST;
        let soon = self.last.map_or(now, |last| now.max(last + FIRST));
        self.next = Some(self.next.map_or(soon, |next| next.min(soon)));
    }

    /// A kernel is not to be connected to until then.
    pub(super) fn leave_alone(&mut self, kernel: String, until: Instant) {
        self.alone.insert(kernel, until);
    }

    /// When the router has to be here again.
    pub(super) fn next(&self) -> Option<Instant> {
        self.next.filter(|_| self.finder.is_some() && !self.under_way)
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.next().is_some_and(|next| next <= now)
    }

    /// Asks the finder.
    pub(super) fn look(&mut self, now: Instant, uris: Vec<String>, mut settled: HashSet<String>) {
        (self.next, self.last) = (None, Some(now));
        self.alone.retain(|_, until| *until > now);
        settled.extend(self.alone.keys().cloned());
        if uris.is_empty() {
            return;
        }
        if let Some(finder) = &self.finder {
            self.under_way = finder.send(Look { uris, settled }).is_ok();
        }
    }

    /// The finder has answered; `lacking` tells whether there are documents without a kernel.
    pub(super) fn looked(&mut self, now: Instant, lacking: bool) {
        self.under_way = false;
        if lacking && self.until.is_some_and(|until| now < until) {
            let next = now + self.pause;
            self.next = Some(self.next.map_or(next, |known| known.min(next)));
            self.pause = (self.pause * 2).min(LONGEST);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::sync::mpsc::{self, Receiver};

    fn looking() -> (Looking, Receiver<Look>) {
        let (finder, looks) = mpsc::channel();
        (Looking::new(Some(finder)), looks)
    }

    #[test]
    fn the_pauses_grow_and_end() {
        let (mut looking, looks) = looking();
        let start = Instant::now();
        let mut now = start;
        looking.opened(now);
        let mut times = Vec::new();
        while let Some(next) = looking.next() {
            now = next;
            looking.look(now, vec!["a".into()], HashSet::new());
            looks.try_recv().unwrap();
            assert_eq!(looking.next(), None, "one at a time");
            looking.looked(now, true);
            times.push((now - start).as_millis());
        }
        assert_eq!(times.get(..5).unwrap(), [0, 250, 750, 1750, 3750]);
        assert!(times.len() < 40 && now - start < SILENCE + LONGEST, "{times:?}");
        // The next word of the client's starts it again.
        looking.wanted(now + SILENCE);
        assert!(looking.is_due(now + SILENCE));
    }

    #[test]
    fn a_client_that_types_makes_one_look_every_two_seconds() {
        let (mut looking, looks) = looking();
        let start = Instant::now();
        for step in 0..1000 {
            let now = start + Duration::from_millis(10) * step;
            looking.wanted(now);
            if looking.is_due(now) {
                looking.look(now, vec!["a".into()], HashSet::new());
                looking.looked(now, false);
            }
        }
        assert_eq!(looks.try_iter().count(), 5);
    }

    #[test]
    fn without_a_finder_nothing_is_due() {
        let mut looking = Looking::new(None);
        looking.opened(Instant::now());
        assert_eq!(looking.next(), None);
    }

    #[test]
    fn who_is_left_alone_counts_as_settled() {
        let (mut looking, looks) = looking();
        let now = Instant::now();
        looking.leave_alone("k".into(), now + LONGEST);
        looking.look(now, vec!["a".into()], HashSet::new());
        assert!(looks.try_recv().unwrap().settled.contains("k"));
        looking.looked(now, false);
        looking.look(now + LONGEST, vec!["a".into()], HashSet::new());
        assert!(looks.try_recv().unwrap().settled.is_empty());
    }
}
