//! The list of candidates while it grows: each name once, sorted by usefulness at the end.

use std::collections::HashMap;

use super::{Candidate, Found, Kind, MOST};
use crate::lsp::live::LiveItem;

/// Candidates that begin with what has been typed, in the order in which they were found.
pub(super) struct List {
    pub(super) candidates: Vec<Candidate>,
    index: HashMap<String, usize>,
    typed: String,
    lower: String,
}

impl List {
    /// A list for a word of which `typed` is there. Letters match in either case.
    pub(super) fn new(typed: &str) -> Self {
        Self {
            candidates: Vec::new(),
            index: HashMap::new(),
            typed: typed.to_owned(),
            lower: typed.to_lowercase(),
        }
    }

    /// Adds a candidate, or tells more of one that is there: the session is asked last, and what it knows of a type
    /// is truer than what the text shows; but a signature from the text says more than `function`.
    pub(super) fn add(&mut self, label: &str, kind: Kind, detail: &str, rank: u8, expression: &str) {
        if !starts_with(label, &self.lower) {
            return;
        }
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
            _ if label.starts_with("__") => 20,
            _ if label.starts_with('_') => 10,
            _ => 0,
        };
        self.index.insert(label.to_owned(), self.candidates.len());
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
        let typed = self.typed.as_str();
        let order = |left: &Candidate, right: &Candidate| {
            let inexact = |it: &Candidate| !it.label.starts_with(typed);
            (left.rank, inexact(left), &left.label).cmp(&(right.rank, inexact(right), &right.label))
        };
        // Of a large namespace only what is given is sorted.
        let incomplete = self.candidates.len() > MOST;
        if incomplete {
            self.candidates.select_nth_unstable_by(MOST, order);
            self.candidates.truncate(MOST);
        }
        self.candidates.sort_unstable_by(order);
        Found {
            candidates: self.candidates,
            start,
            incomplete,
        }
    }
}

fn starts_with(label: &str, lower: &str) -> bool {
    lower.is_empty()
        || label
            .get(..lower.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(lower))
        || label.to_lowercase().starts_with(lower)
}
