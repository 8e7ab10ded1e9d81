//! What must hold in every life of a kernel: an observer that sees each event and the actions it led to, and
//! that knows nothing of how the machine came to them. Each invariant is a method named after what it holds.

use crate::lifecycle::{Action, Asker, Event, RequestId, RequestKind, Rung, Shell, Turn};

/// As many numbered things as a search has.
const MOST: usize = 8;

/// What the observer remembers. It is part of a searched state: two lives that differ in it are different.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Observer {
    /// The exit ladder has begun.
    pub(super) draining: bool,
    pub(super) arm_asked: bool,
    armed: bool,
    output_closed: bool,
    replied: bool,
    pub(super) exited: bool,
    rank: u8,
    turn: Option<Turn>,
    /// The turn that was begun has not ended.
    under_way: bool,
    /// The furthest of Python's rungs that anybody has taken up.
    taken_up: Option<Rung>,
    requests: [Request; MOST],
    askers: [Asked; MOST],
    servers: [Server; MOST],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Request {
    kind: Option<RequestKind>,
    shell: Shell,
    permitted: bool,
    ignored: bool,
    answers: u8,
    idles: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Asked {
    read: bool,
    replies: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Server {
    asked: bool,
    refused: bool,
    started: bool,
    announced: bool,
    closed: bool,
}

type Verdict = Result<(), &'static str>;

fn hold(condition: bool, invariant: &'static str) -> Verdict {
    if condition { Ok(()) } else { Err(invariant) }
}

impl Observer {
    /// Whether an event can happen: numbers are given once, and nobody confirms what was not asked for.
    pub(super) fn possible(&self, event: Event) -> bool {
        match event {
            Event::Request { id, .. } => self.requests[at(id)].kind.is_none(),
            Event::ShutdownRequest(Asker { id, .. }) => !self.askers[at(id)].read,
            Event::Activate { id, .. } => !self.servers[at(id)].asked,
            Event::Armed => self.arm_asked,
            _ => true,
        }
    }

    /// Sees one step.
    pub(super) fn see(&mut self, event: Event, actions: &[Action]) -> Verdict {
        hold(
            !self.exited || actions.is_empty(),
            "nothing happens after the exit",
        )?;
        if self.exited {
            return Ok(());
        }
        match event {
            Event::Request { id, kind, shell } => {
                self.requests[at(id)].kind = Some(kind);
                self.requests[at(id)].shell = shell;
            }
            Event::ShutdownRequest(Asker { id, .. }) => self.askers[at(id)].read = true,
            Event::Activate { id, .. } => self.servers[at(id)].asked = true,
            Event::Armed => self.armed = true,
            _ => {}
        }
        self.a_shell_s_end_is_its_own(event, actions)?;
        self.old_news_changes_nothing(event, actions)?;
        let begins = matches!(
            event,
            Event::ShutdownRequest(_) | Event::Stop(_) | Event::Deadline
        );
        if begins && !self.draining {
            self.draining = true;
            hold(
                actions.first() == Some(&Action::ArmWatchdog),
                "the watchdog is armed before all else",
            )?;
        }
        for &action in actions {
            self.act(action, actions)?;
        }
        if let Event::Activate {
            id,
            replaces: Some(old),
        } = event
            && actions.contains(&Action::StartServer { id })
        {
            hold(
                !self.servers[at(old)].is_open(),
                "a client has one language server",
            )?;
        }
        hold(!begins || self.draining, "every reason to end begins the end")
    }

    /// A cell that fails, and a subshell that is deleted, cost no other shell anything, and no comm its messages.
    fn a_shell_s_end_is_its_own(&self, event: Event, actions: &[Action]) -> Verdict {
        let (Event::AbortExecutes { shell } | Event::ShellDeleted { shell }) = event else {
            return Ok(());
        };
        let own = |action: &Action| match *action {
            Action::Refuse { id, .. } => {
                let request = &self.requests[at(id)];
                request.shell == shell && !request.kind.is_some_and(RequestKind::is_comm)
            }
            _ => false,
        };
        hold(actions.iter().all(own), "a shell's end is its own")
    }

    fn act(&mut self, action: Action, batch: &[Action]) -> Verdict {
        hold(!self.exited, "nothing is done after the exit")?;
        self.nothing_is_admitted_after_draining(action)?;
        self.shutdown_reply_is_the_last_thing(action)?;
        match action {
            Action::Refuse { id, .. } if self.servers[at(id)].asked => {
                let server = &mut self.servers[at(id)];
                hold(
                    !server.started && !server.refused,
                    "an activation is refused once",
                )?;
                server.refused = true;
                Ok(())
            }
            Action::Answer { id } | Action::Refuse { id, .. } => {
                self.answer(id)?;
                self.idle(id)
            }
            Action::Permit { id } => {
                let request = &mut self.requests[at(id)];
                hold(
                    !request.permitted && request.idles == 0,
                    "a request takes effect at most once",
                )?;
                request.permitted = true;
                Ok(())
            }
            Action::PassReply { id } => {
                hold(self.requests[at(id)].permitted, "only what took effect replies")?;
                self.answer(id)
            }
            Action::Conclude { id, missing } => {
                if missing.is_some() {
                    self.answer(id)?;
                }
                self.idle(id)
            }
            Action::StartServer { id } => {
                self.servers[at(id)].started = true;
                Ok(())
            }
            Action::Announce { id } => {
                let server = &mut self.servers[at(id)];
                hold(
                    server.is_open() && !server.announced,
                    "only an open server is announced, once",
                )?;
                server.announced = true;
                Ok(())
            }
            Action::CloseServer { id } => {
                let server = &mut self.servers[at(id)];
                server.closed = server.started;
                Ok(())
            }
            Action::ArmWatchdog => {
                self.arm_asked = true;
                Ok(())
            }
            Action::TakenUp(turn) => self.no_rung_is_repeated_or_somebody_elses(turn),
            Action::Begin(turn) => self.the_ladder_only_goes_down(turn),
            Action::Ended { turn, .. } => {
                let held = self.under_way && self.turn == Some(turn);
                self.under_way = false;
                hold(held, "what ends is what is under way, once")
            }
            Action::CloseOutput => {
                hold(!self.output_closed, "the output is closed once")?;
                self.output_closed = true;
                Ok(())
            }
            Action::ShutdownReply(asker) => self.shutdown_reply(asker, batch),
            Action::Exit { status } => self.exit(status),
            Action::Ignore { id } => {
                hold(self.output_closed, "what could still be answered is not ignored")?;
                self.requests[at(id)].ignored = true;
                Ok(())
            }
            Action::Admit { .. } | Action::Withhold { .. } => Ok(()),
            Action::DropReply { .. } | Action::Drain { .. } => Ok(()),
        }
    }

    /// A timer of a turn that has ended, or the word of an attempt that was left behind.
    fn old_news_changes_nothing(&self, event: Event, actions: &[Action]) -> Verdict {
        let (turn, may_be_ahead) = match event {
            Event::Done(turn) => (turn, true),
            Event::Over(turn) => (turn, false),
            _ => return Ok(()),
        };
        let is_news = self.turn.is_some_and(|now| {
            let ahead = may_be_ahead && turn.rung.in_python() && turn.rung > now.rung;
            turn == now || (ahead && turn.attempt == now.attempt)
        });
        hold(is_news || actions.is_empty(), "old news changes nothing")
    }

    fn no_rung_is_repeated_or_somebody_elses(&mut self, turn: Turn) -> Verdict {
        let now = self.turn.filter(|_| self.draining);
        hold(
            now.is_some_and(|now| now.attempt == turn.attempt),
            "only the attempt under way takes a rung up",
        )?;
        if turn.rung == Rung::Attach {
            return hold(now == Some(turn), "only who was told to attaches");
        }
        hold(turn.rung.in_python(), "only Python's rungs are taken up")?;
        hold(self.taken_up < Some(turn.rung), "no rung is taken up twice")?;
        self.taken_up = Some(turn.rung);
        Ok(())
    }

    fn nothing_is_admitted_after_draining(&self, action: Action) -> Verdict {
        let admits = matches!(
            action,
            Action::Admit { .. }
                | Action::Permit { .. }
                | Action::StartServer { .. }
                | Action::Announce { .. }
        );
        hold(
            !(self.draining && admits),
            "nothing is admitted after draining began",
        )
    }

    fn shutdown_reply_is_the_last_thing(&self, action: Action) -> Verdict {
        let silent = matches!(
            action,
            Action::ShutdownReply(_)
                | Action::Drain { .. }
                | Action::Exit { .. }
                | Action::Ended { .. }
                | Action::Ignore { .. }
                | Action::DropReply { .. }
                | Action::Withhold { .. }
                | Action::CloseServer { .. }
        );
        hold(
            !self.replied || silent,
            "nothing is said after the shutdown_reply",
        )
    }

    fn shutdown_reply(&mut self, asker: Asker, batch: &[Action]) -> Verdict {
        let ends_at_once = matches!(batch.last(), Some(Action::Exit { .. }));
        hold(
            self.armed || ends_at_once,
            "the reply comes only when the end is certain",
        )?;
        hold(self.output_closed, "the reply comes only after the last output")?;
        hold(
            self.requests.iter().all(Request::is_settled),
            "the reply comes only when every request is answered",
        )?;
        let asked = &mut self.askers[at(asker.id)];
        hold(asked.read && asked.replies == 0, "one reply to each asker")?;
        asked.replies += 1;
        self.replied = true;
        Ok(())
    }

    fn the_ladder_only_goes_down(&mut self, turn: Turn) -> Verdict {
        hold(!self.under_way, "one turn at a time")?;
        self.turn = Some(turn);
        self.under_way = true;
        let rank = match turn.rung {
            Rung::Attach => return Ok(()),
            Rung::Interrupt => 1,
            Rung::Tasks => 2,
            Rung::Threads => 3,
            Rung::AtExit => 4,
            Rung::Flush => 5,
            Rung::Gate => 6,
            Rung::Reply => 7,
        };
        hold(rank > self.rank, "the ladder only goes down")?;
        self.rank = rank;
        Ok(())
    }

    fn exit(&mut self, status: u8) -> Verdict {
        self.exited = true;
        hold(!self.under_way, "how the last turn ended is told before the exit")?;
        hold(
            status == 0 || status == 2,
            "the status is 0, or the failed start's",
        )?;
        hold(self.output_closed, "the output is closed before the exit")?;
        hold(
            self.askers
                .iter()
                .all(|asked| u8::from(asked.read) == asked.replies),
            "every asker has a reply at the exit",
        )?;
        hold(
            self.requests.iter().all(Request::is_settled),
            "every request is answered exactly once",
        )?;
        hold(
            !self.servers.iter().any(Server::is_open),
            "no language server outlives the kernel",
        )
    }

    fn answer(&mut self, id: RequestId) -> Verdict {
        let request = &mut self.requests[at(id)];
        request.answers += 1;
        hold(request.answers == 1, "no request is answered twice")
    }

    fn idle(&mut self, id: RequestId) -> Verdict {
        let request = &mut self.requests[at(id)];
        request.idles += 1;
        hold(request.idles == 1, "no request is idle twice")
    }
}

impl Request {
    /// Answered once, if its kind has an answer, and idle; or read when nothing could be said any more.
    fn is_settled(&self) -> bool {
        match self.kind {
            None => true,
            Some(_) if self.ignored => self.answers == 0 && self.idles == 0,
            Some(RequestKind::CommOpen | RequestKind::CommMessage) => self.idles == 1,
            Some(_) => self.answers == 1 && self.idles == 1,
        }
    }
}

impl Server {
    fn is_open(&self) -> bool {
        self.started && !self.closed
    }
}

fn at(id: RequestId) -> usize {
    usize::try_from(id).unwrap_or(usize::MAX) % MOST
}
