//! Tests of the life cycle; nothing here is part of the kernel.

mod budgets;
mod invariants;
mod records;
mod search;
mod walks;
mod watchdogs;
