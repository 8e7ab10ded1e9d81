//! When output goes out: the rules by which the [`Outbox`](super::outbox::Outbox) is emptied, as one small state machine.
//!
//! The outbox tells it, under its lock, what was appended, and asks it before each item whether that one goes. It reads
//! no clock and touches nothing: the time is an argument, so that its rules are tested without waiting.
//!
//! - A message that is not text (a display, a reply, an `input_request`, the end of a cell) goes at once, and all that
//!   was said before it. So does text that has become as long as a message may be.
//! - Lone text waits [`LONE`] for more of it, since `print` writes a line in pieces. Where printing goes on the wait is
//!   [`GOES_ON`], so that a saved notebook is not in more pieces than ipykernel would make of it.
//! - A `flush()` of the user's sends at once, but not more often than every [`FLUSHES`]: a loop of flushing prints is
//!   shown as it runs and is not cut into a message for each.

use std::time::{Duration, Instant};

/// How long text waits for more where none was sent shortly before. A quarter of what ipykernel has it wait: nobody sees
/// 50 ms, and a cell's two prints are one message.
pub const LONE: Duration = Duration::from_millis(50);

/// How long text waits for more where text was sent less than this before: ipykernel's `flush_interval`.
pub const GOES_ON: Duration = Duration::from_millis(200);

/// The least time between two sends that a `flush()` asked for; shorter than a frame of any screen.
pub const FLUSHES: Duration = Duration::from_millis(10);

/// When the first of what waits is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Nothing waits.
    Never,
    Now,
    /// Text waits for more of it until then.
    At(Instant),
}

/// See the module.
#[derive(Debug, Default)]
pub struct Flush {
    /// That many items go now, counted from the front.
    go: usize,
    /// When the text behind those goes; `None` where there is none.
    text: Option<Instant>,
    /// A `flush()` has set that time.
    flushed: bool,
    /// When text last went because its time had come.
    last_text: Option<Instant>,
    /// When text last went because a `flush()` asked for it.
    last_flush: Option<Instant>,
}

impl Flush {
    /// A message other than text is the last of now `items`.
    pub fn message(&mut self, items: usize) {
        self.go = items;
        self.text = None;
        self.flushed = false;
    }

    /// A request begins, whose text has nothing to do with what was printed before.
    pub fn begins(&mut self) {
        self.last_text = None;
    }

    /// Whether text waits already, so that [`Flush::text`] has nothing to do.
    pub fn waits(&self) -> bool {
        self.text.is_some()
    }

    /// Text was appended, as an item of its own or to the last one.
    pub fn text(&mut self, now: Instant) {
        if self.text.is_none() {
            let goes_on = self.last_text.is_some_and(|last| now < last + GOES_ON);
            self.text = Some(now + if goes_on { GOES_ON } else { LONE });
        }
    }

    /// The first `items` are whole: nothing will be appended to them. Where that is all there are, `more` is false.
    pub fn whole(&mut self, now: Instant, items: usize, more: bool) {
        if items > self.go {
            self.go = items;
            self.last_text = Some(now);
            self.text = None;
            self.flushed = false;
            if more {
                self.text(now);
            }
        }
    }

    /// The user asked for what waits to be sent. Whether it goes at once.
    pub fn flush(&mut self, now: Instant) -> bool {
        let Some(text) = self.text else {
            return self.go > 0;
        };
        let at = self.last_flush.map_or(now, |last| now.max(last + FLUSHES));
        if at < text {
            self.text = Some(at);
            self.flushed = true;
        }
        at <= now
    }

    /// When the first of what waits goes.
    pub fn due(&self) -> Due {
        match self.text {
            _ if self.go > 0 => Due::Now,
            Some(at) => Due::At(at),
            None => Due::Never,
        }
    }

    /// Whether the first of `items` goes now; then it counts as gone.
    pub fn take(&mut self, now: Instant, items: usize) -> bool {
        if self.go == 0 && self.text.is_some_and(|at| at <= now) {
            self.go = items;
            self.text = None;
            self.last_text = Some(now);
            if std::mem::take(&mut self.flushed) {
                self.last_flush = Some(now);
            }
        }
        let goes = self.go > 0;
        self.go = self.go.saturating_sub(1);
        goes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays prints of one character and returns the texts that were sent, with the milliseconds at which they were.
    struct Play {
        flush: Flush,
        began: Instant,
        text: String,
        sent: Vec<(u64, String)>,
    }

    impl Play {
        fn new() -> Self {
            Play {
                flush: Flush::default(),
                began: Instant::now(),
                text: String::new(),
                sent: Vec::new(),
            }
        }

        fn at(&self, ms: u64) -> Instant {
            self.began + Duration::from_millis(ms)
        }

        fn items(&self) -> usize {
            usize::from(!self.text.is_empty())
        }

        /// Lets time pass until `ms`.
        fn until(&mut self, ms: u64) {
            while let Due::At(at) = self.flush.due()
                && at <= self.at(ms)
            {
                self.take(at);
            }
        }

        fn take(&mut self, now: Instant) {
            while self.flush.take(now, self.items()) {
                let ms = u64::try_from((now - self.began).as_millis()).unwrap_or(u64::MAX);
                self.sent.push((ms, std::mem::take(&mut self.text)));
            }
        }

        fn print(&mut self, ms: u64, what: char) {
            self.until(ms);
            self.text.push(what);
            self.flush.text(self.at(ms));
        }

        fn flush(&mut self, ms: u64) -> bool {
            self.until(ms);
            let at_once = self.flush.flush(self.at(ms));
            self.take(self.at(ms));
            at_once
        }

        /// The end of the cell, whose text is sent in front of it.
        fn end(&mut self, ms: u64) -> Vec<(u64, String)> {
            self.until(ms);
            self.flush.message(self.items() + 1);
            assert_eq!(self.flush.due(), Due::Now);
            let now = self.at(ms);
            if !self.text.is_empty() {
                assert!(self.flush.take(now, 2));
                self.sent.push((ms, std::mem::take(&mut self.text)));
            }
            assert!(self.flush.take(now, 1));
            assert_eq!(self.flush.due(), Due::Never);
            std::mem::take(&mut self.sent)
        }
    }

    fn sent(list: &[(u64, &str)]) -> Vec<(u64, String)> {
        list.iter().map(|(ms, text)| (*ms, (*text).to_owned())).collect()
    }

    #[test]
    fn the_end_of_a_cell_waits_for_nothing() {
        let mut play = Play::new();
        play.print(0, 'a');
        assert_eq!(play.end(1), sent(&[(1, "a")]));
    }

    #[test]
    fn lone_text_waits_fifty_milliseconds() {
        let mut play = Play::new();
        play.print(0, 'a');
        play.print(7, 'b');
        play.until(1000);
        assert_eq!(play.end(1000), sent(&[(50, "ab")]));
        // And again, long after.
        play.print(2000, 'c');
        assert_eq!(play.end(2100), sent(&[(2050, "c")]));
    }

    #[test]
    fn the_wait_grows_where_printing_goes_on() {
        let mut play = Play::new();
        for n in 0..100 {
            play.print(n * 10, 'x');
        }
        let times: Vec<u64> = play.end(1000).into_iter().map(|(ms, _)| ms).collect();
        assert_eq!(times, [50, 250, 450, 650, 850, 1000]);
    }

    #[test]
    fn text_that_comes_now_and_then_is_lone_each_time() {
        let mut play = Play::new();
        for n in 0..3 {
            play.print(n * 300, 'x');
        }
        assert_eq!(play.end(1000), sent(&[(50, "x"), (350, "x"), (650, "x")]));
    }

    #[test]
    fn the_next_cell_does_not_wait_for_what_this_one_did() {
        let mut play = Play::new();
        play.print(0, 'a');
        play.until(60);
        play.flush.begins();
        play.print(60, 'b');
        assert_eq!(play.end(200), sent(&[(50, "a"), (110, "b")]));
    }

    #[test]
    fn a_flush_sends_at_once_and_a_flood_of_them_a_hundred_times_a_second() {
        let mut play = Play::new();
        play.print(0, 'a');
        assert!(play.flush(1));
        for ms in 2..=30 {
            play.print(ms, 'x');
            play.flush(ms);
        }
        play.until(1000);
        let times: Vec<u64> = play.end(1000).into_iter().map(|(ms, _)| ms).collect();
        assert_eq!(times, [1, 11, 21, 31]);
        // Where nothing waits, a flush sends nothing, and delays no later one.
        assert!(!play.flush(1000));
        play.print(1001, 'b');
        assert!(play.flush(1002));
    }

    #[test]
    fn slow_flushes_are_all_sent_at_once() {
        let mut play = Play::new();
        for n in 0..5 {
            play.print(n * 20, 'x');
            assert!(play.flush(n * 20));
        }
        assert_eq!(play.end(200).len(), 5);
    }

    #[test]
    fn whole_pieces_go_and_leave_what_may_grow() {
        let mut flush = Flush::default();
        let now = Instant::now();
        flush.text(now);
        flush.whole(now, 2, true);
        assert_eq!(flush.due(), Due::Now);
        assert!(flush.take(now, 3) && flush.take(now, 2));
        assert!(!flush.take(now, 1), "the third may still grow");
        assert_eq!(flush.due(), Due::At(now + GOES_ON));
        // One piece that is longer than a message may be, and nothing behind it.
        flush.whole(now, 1, false);
        assert!(flush.take(now, 1));
        assert_eq!(flush.due(), Due::Never);
    }
}
