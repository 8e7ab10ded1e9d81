//! What one subscriber wants.

use std::collections::{BTreeSet, HashSet};
use std::ops::Bound;

use bytes::Bytes;

/// Topics that one peer may hold, and may have held in its life with its owner being told.
const TOPICS: usize = 256;
/// Bytes of all of them.
const TOPIC_BYTES: usize = 16 << 10;

/// The subscriptions of one peer: prefixes of the topics that it wants.
#[derive(Debug, Default)]
pub(super) struct Topics {
    held: BTreeSet<Bytes>,
    bytes: usize,
    /// Those that were told of. A peer that leaves and takes a topic again and again has nothing said of it twice.
    told: HashSet<Bytes>,
    told_bytes: usize,
}

impl Topics {
    /// Whether this is to be told of: it is, once for each topic.
    ///
    /// # Errors
    /// Where the peer holds as much as it may.
    pub(super) fn add(&mut self, topic: &[u8]) -> Result<bool, &'static str> {
        // As in libzmq, a prefix is held or it is not: SUB sockets do the counting.
        if self.held.contains(topic) {
            return Ok(false);
        }
        if self.held.len() >= TOPICS || self.bytes + topic.len() > TOPIC_BYTES {
            return Err("too many topics");
        }
        // A copy: a slice would keep the whole block that it was read into alive.
        let topic = Bytes::copy_from_slice(topic);
        self.bytes += topic.len();
        self.held.insert(topic.clone());
        if self.told.len() >= TOPICS || self.told_bytes + topic.len() > TOPIC_BYTES {
            return Ok(false);
        }
        let length = topic.len();
        let first = self.told.insert(topic);
        self.told_bytes += if first { length } else { 0 };
        Ok(first)
    }

    pub(super) fn remove(&mut self, topic: &[u8]) {
        if self.held.remove(topic) {
            self.bytes -= topic.len();
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Whether a message with this topic is wanted. A few look-ups, however many topics are held: the greatest that is
    /// not behind `topic` is a prefix of it, or all its prefixes are prefixes of what the two have in common.
    pub(super) fn want(&self, topic: &[u8]) -> bool {
        let mut rest = topic;
        loop {
            let upto = (Bound::Unbounded, Bound::Included(rest));
            let Some(nearest) = self.held.range::<[u8], _>(upto).next_back() else {
                return false;
            };
            if rest.starts_with(nearest) {
                return true;
            }
            let common = rest.iter().zip(nearest).take_while(|(a, b)| a == b).count();
            rest = rest.get(..common).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wanted_is_what_begins_with_a_topic_that_is_held() {
        // All subsets of some topics against all topics, beside the definition.
        let all: [&[u8]; 9] = [
            b"",
            b"a",
            b"ab",
            b"abc",
            b"abd",
            b"b",
            b"ba",
            b"\xff",
            b"\xff\xff",
        ];
        for subset in 0..1_u32 << all.len() {
            let chosen = all.iter().enumerate().filter(|(at, _)| subset >> at & 1 == 1);
            let chosen: Vec<&[u8]> = chosen.map(|(_, topic)| *topic).collect();
            let mut topics = Topics::default();
            for topic in &chosen {
                assert_eq!(topics.add(topic), Ok(true));
            }
            for topic in all {
                let wanted = chosen.iter().any(|prefix| topic.starts_with(prefix));
                assert_eq!(topics.want(topic), wanted, "{topic:?} of {chosen:?}");
            }
        }
    }

    #[test]
    fn nothing_is_told_twice_nor_without_end() {
        let mut topics = Topics::default();
        let mut told = 0;
        for number in 0..10_000_u32 {
            let topic = (number / 2).to_be_bytes();
            told += usize::from(topics.add(&topic).expect("one at a time"));
            topics.remove(&topic);
        }
        assert_eq!(told, TOPICS);
        assert!(topics.is_empty() && topics.bytes == 0);
    }

    #[test]
    fn what_is_held_is_bounded() {
        let mut topics = Topics::default();
        for number in 0..TOPICS {
            assert_eq!(topics.add(&number.to_be_bytes()), Ok(true));
            assert_eq!(topics.add(&number.to_be_bytes()), Ok(false));
        }
        assert!(topics.add(b"one more").is_err());
        let mut topics = Topics::default();
        topics.add(&[0; 12 << 10]).expect("long, and alone");
        assert!(topics.add(&[1; 5 << 10]).is_err());
    }
}
