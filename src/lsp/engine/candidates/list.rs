//! The list of candidates while it grows: each name once, sorted by usefulness at the end.

use std::collections::HashMap;

use super::{Candidate, Found, Kind, MOST};
use crate::lsp::live::LiveItem;

/// What is added to the rank of a private name; twice for a dunder name.
const PRIVATE: u8 = 10;

/// How well a label fits what has been typed; better ones are smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    /// It begins with it.
    Prefix,
    /// It begins with it in another case.
    OtherCase,
    /// The letters are found in order, each at a word's start or next to the one before: `DF` in `DataFrame`.
    WordStarts,
    /// The letters are found in order, the first at a word's start: `gb` in `groupby`.
    Letters,
}

/// Candidates that fit what has been typed, in the order in which they were found.
pub(super) struct List {
    pub(super) candidates: Vec<Candidate>,
    fits: HashMap<String, Fit>,
    index: HashMap<String, usize>,
    typed: Vec<char>,
    /// Somebody who was asked has not answered in time: there may be more the next time.
    pub(super) late: bool,
}

impl List {
    /// A list for a word of which `typed` is there. Letters match in either case.
    pub(super) fn new(typed: &str) -> Self {
        Self {
            candidates: Vec::new(),
            fits: HashMap::new(),
            index: HashMap::new(),
            typed: typed.chars().collect(),
            late: false,
        }
    }

    /// Whether [`List::add`] would take `label`: to describe what does not fit is lost work.
    pub(super) fn fits(&self, label: &str) -> bool {
        fit(label, &self.typed).is_some()
    }

    /// Adds a candidate, or tells more of one that is there: the session is asked last, and what it knows of a type
    /// is truer than what the text shows; but a signature from the text says more than `function`.
    pub(super) fn add(&mut self, label: &str, kind: Kind, detail: &str, rank: u8, expression: &str) {
        let Some(fit) = fit(label, &self.typed).filter(|_| !label.is_empty()) else {
            return;
        };
        if let Some(known) = self.index.get(label).and_then(|at| self.candidates.get_mut(*at)) {
            let says_less = known.kind == kind && matches!(kind, Kind::Function | Kind::Class);
            if !detail.is_empty() && (!says_less || known.detail.is_empty()) {
                known.detail = detail.to_owned();
                known.kind = kind;
            }
            return;
        }
        // Private names come after all others, dunder names last.
        let private = match label {
            _ if label.starts_with("__") => 2 * PRIVATE,
            _ if label.starts_with('_') => PRIVATE,
            _ => 0,
        };
        self.index.insert(label.to_owned(), self.candidates.len());
        if fit != Fit::Prefix {
            self.fits.insert(label.to_owned(), fit);
        }
        self.candidates.push(Candidate {
            label: label.to_owned(),
            kind,
            detail: detail.to_owned(),
            rank: rank + private,
            expression: expression.to_owned(),
            insert: String::new(),
            besides: None,
        });
    }

    /// Says what is inserted for a candidate that is there.
    pub(super) fn insert(&mut self, label: &str, insert: String) {
        if insert != label
            && let Some(known) = self.index.get(label).and_then(|at| self.candidates.get_mut(*at))
        {
            known.insert = insert;
        }
    }

    pub(super) fn add_live(&mut self, items: &[LiveItem], rank: u8, base: &str) {
        for item in items {
            let expression = match base {
                "" => item.name.clone(),
                base => format!("{base}.{}", item.name),
            };
            self.add(
                &item.name,
                Kind::from_live(&item.kind),
                &item.type_name,
                rank,
                &expression,
            );
        }
    }

    /// The list at its end, most useful first.
    pub(super) fn finish(mut self, start: usize) -> Found {
        let fits = std::mem::take(&mut self.fits);
        let fit = |it: &Candidate| fits.get(&it.label).copied().unwrap_or(Fit::Prefix);
        // Scattered letters are only looked for where nothing begins so, and private names only by who has typed their underscore.
        if self.candidates.iter().any(|it| fit(it) <= Fit::OtherCase) {
            let wants_private = self.typed.first() == Some(&'_');
            self.candidates.retain(|it| match fit(it) {
                Fit::Letters => false,
                Fit::WordStarts => wants_private || it.rank < PRIVATE,
                Fit::Prefix | Fit::OtherCase => true,
            });
        }
        // Private names come after all others that do not begin so either, however well they fit.
        let key = |it: &Candidate| (fit(it).min(Fit::WordStarts), it.rank / PRIVATE, fit(it), it.rank);
        let order =
            |left: &Candidate, right: &Candidate| (key(left), &left.label).cmp(&(key(right), &right.label));
        // Of a large namespace only what is given is sorted.
        let cut = self.candidates.len() > MOST;
        if cut {
            self.candidates.select_nth_unstable_by(MOST, order);
            self.candidates.truncate(MOST);
        }
        self.candidates.sort_unstable_by(order);
        Found {
            candidates: self.candidates,
            start,
            incomplete: cut || self.late,
        }
    }
}

fn fit(label: &str, typed: &[char]) -> Option<Fit> {
    let same = |left: char, right: char| {
        left.eq_ignore_ascii_case(&right)
            || (!left.is_ascii() && left.to_lowercase().eq(right.to_lowercase()))
    };
    let begins = |same: &dyn Fn(char, char) -> bool| {
        let mut chars = label.chars();
        typed
            .iter()
            .all(|typed| chars.next().is_some_and(|char| same(char, *typed)))
    };
    if begins(&|left, right| left == right) {
        return Some(Fit::Prefix);
    }
    if begins(&same) {
        return Some(Fit::OtherCase);
    }
    // Most labels have not even the letters.
    let mut rest = label.chars();
    if !typed.iter().all(|typed| rest.any(|char| same(char, *typed))) {
        return None;
    }
    let chars: Vec<char> = label.chars().collect();
    let before = |at: usize| at.checked_sub(1).and_then(|before| chars.get(before)).copied();
    let starts_word = |at: usize, char: char| match before(at) {
        None => true,
        Some(before) => {
            char.is_alphanumeric()
                && (!before.is_alphanumeric() || (char.is_uppercase() && !before.is_uppercase()))
        }
    };
    let find = |wanted: char, from: usize, strict: bool, first: bool| {
        let candidates = chars.iter().enumerate().skip(from);
        candidates
            .filter(|(_, char)| same(**char, wanted))
            .find(|(at, char)| starts_word(*at, **char) || (!first && (!strict || *at == from)))
            .map(|(at, _)| at + 1)
    };
    let found = |strict: bool| {
        let mut from = 0;
        typed.iter().enumerate().all(|(index, wanted)| {
            find(*wanted, from, strict, index == 0).is_some_and(|next| {
                from = next;
                true
            })
        })
    };
    match typed.len() {
        _ if found(true) => Some(Fit::WordStarts),
        // One letter would find nearly everything.
        1 => None,
        _ => found(false).then_some(Fit::Letters),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_in_order_are_enough() {
        let fit = |label, typed: &str| super::fit(label, &typed.chars().collect::<Vec<_>>());
        assert_eq!(fit("read_csv", "read"), Some(Fit::Prefix));
        assert_eq!(fit("DataFrame", "data"), Some(Fit::OtherCase));
        assert_eq!(fit("DataFrame", "DF"), Some(Fit::WordStarts));
        assert_eq!(fit("read_csv", "rcsv"), Some(Fit::WordStarts));
        assert_eq!(fit("read_csv", "rdcsv"), Some(Fit::Letters));
        assert_eq!(fit("groupby", "gb"), Some(Fit::Letters));
        assert_eq!(fit("groupby", "p"), None);
        assert_eq!(fit("read_csv", "c"), Some(Fit::WordStarts));
        assert_eq!(fit("head", "eh"), None);
        assert_eq!(fit("Ähre", "äh"), Some(Fit::OtherCase));
    }

    #[test]
    fn what_begins_with_the_word_comes_first() {
        let labels = |typed: &str| -> Vec<String> {
            let mut list = List::new(typed);
            for (label, rank) in [("sum_of", 5), ("Sum", 0), ("resume_one", 0), ("my_sum", 0)] {
                list.add(label, Kind::Function, "", rank, "");
            }
            let found = list.finish(0).candidates;
            found.into_iter().map(|it| it.label).collect()
        };
        assert_eq!(labels("sum"), ["sum_of", "Sum", "my_sum"]);
        assert_eq!(labels("rmo"), ["resume_one"]);
        let mut list = List::new("gb");
        for label in ["_get_block", "groupby", "get_bool"] {
            list.add(label, Kind::Function, "", 0, "");
        }
        let found: Vec<_> = list.finish(0).candidates.into_iter().map(|it| it.label).collect();
        assert_eq!(found, ["get_bool", "groupby", "_get_block"]);
    }
}
