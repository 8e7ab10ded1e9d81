//! What strangers make this process keep: messages that are unfinished, and those that wait to be opened.
//!
//! One for all sockets of a kernel, so that five of them cost no more than one. Each connection's task charges its own after
//! each of its turns, its socket when a message is opened and when a connection has gone. Where it is too much, whoever holds
//! most goes, on whichever socket that is: what a client that has just come has sent is short.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use super::PeerId;
use super::link::{Dropped, Link};

/// Clones are the same account.
#[derive(Debug, Clone)]
pub struct Account(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Bytes.
    budget: usize,
    held: Cell<usize>,
    holders: RefCell<HashMap<PeerId, Rc<Link>>>,
}

impl Account {
    /// For so many bytes.
    pub fn new(budget: usize) -> Self {
        Self(Rc::new(Inner {
            budget,
            held: Cell::new(0),
            holders: RefCell::default(),
        }))
    }

    /// The peer holds what it says now. Where that is too much for all of them, somebody's connection ends.
    pub(super) fn charge(&self, link: &Rc<Link>) {
        if self.settle(link) > 0 {
            self.0.holders.borrow_mut().insert(link.id, link.clone());
        }
        while self.0.held.get() > self.0.budget {
            let holders = self.0.holders.borrow();
            let Some(most) = holders.values().max_by_key(|link| link.held()).cloned() else {
                return;
            };
            drop(holders);
            most.end(Dropped::TooLong);
            self.release(&most);
        }
    }

    /// The peer holds nothing any more: it has gone, or is no stranger now.
    pub(super) fn release(&self, link: &Link) {
        link.holds_nothing();
        self.settle(link);
    }

    /// What it holds.
    fn settle(&self, link: &Link) -> usize {
        let (held, before) = (link.held(), link.charge());
        self.0.held.set(self.0.held.get() - before + held);
        if held == 0 && before > 0 {
            self.0.holders.borrow_mut().remove(&link.id);
        }
        held
    }
}
