//! Who makes room for whom when a socket has as many connections as it may have.
//!
//! Asked by the hub for each peer whose handshake is in order. A new peer always gets in, except where everybody who is
//! there holds the key: somebody else makes room, and whoever does what a client does here goes last.

use std::collections::HashMap;
use std::rc::Rc;

use super::link::Link;
use super::{Limits, PeerId};

/// What a connection has shown of itself; the least makes room first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    /// Nothing yet: a stranger on a ROUTER, no subscription on XPUB, no request on REP. The oldest goes first: it has had
    /// the most time.
    Idle,
    /// It has subscribed and does not read.
    Deaf,
    /// It does what a client does here, and nobody can tell whether it is one. Any of them goes, as chance has it: going
    /// by age would throw out either the clients that are there or those that come.
    Active,
    /// It holds the key, and stays.
    Known,
}

/// Who makes room for one more, if anybody has to.
///
/// # Errors
/// Nobody may be asked to.
pub(super) fn who_makes_room(
    ready: &HashMap<PeerId, Rc<Link>>,
    limits: &Limits,
    standing: impl Fn(&Link) -> Standing,
    chance: usize,
) -> Result<Option<Rc<Link>>, &'static str> {
    if ready.len() < limits.idle.min(limits.ready) {
        return Ok(None);
    }
    let mut peers: Vec<(Standing, PeerId)> = ready.values().map(|link| (standing(link), link.id)).collect();
    peers.sort_unstable();
    let idle = peers.partition_point(|(standing, _)| *standing == Standing::Idle);
    if idle < limits.idle && peers.len() < limits.ready {
        return Ok(None);
    }
    let least = peers.first().map_or(Standing::Known, |(standing, _)| *standing);
    let alike = peers.partition_point(|(standing, _)| *standing == least);
    let victim = match least {
        Standing::Idle | Standing::Deaf => peers.first(),
        Standing::Active => peers.get(chance % alike.max(1)),
        Standing::Known => None,
    };
    match victim.and_then(|(_, id)| ready.get(id)) {
        Some(link) => Ok(Some(link.clone())),
        None => Err("too many connections"),
    }
}
