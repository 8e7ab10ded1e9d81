//! What becomes of a client's request: it is looked up who answers it, and they are asked.

use serde_json::{Map, Value, json};

use super::answers::{nothing_to_show, refusal};
use super::clients::Asked;
use super::timers::{HELP, Timer};
use super::{Output, Session};
use crate::debug::cells::{self, Job};
use crate::debug::commands::{self, Local, Who};
use crate::debug::vocabulary::{Command, Event, Key, Refusal, State};

/// Where a request goes that is not refused.
enum Way {
    /// It is answered at once.
    Told(Value),
    Files(Job),
    Helper,
    Machine(Command),
}

impl Session {
    /// A client's request: the content of the `debug_request`.
    pub fn request(&mut self, key: Key, content: Map<String, Value>) -> Vec<Output> {
        let asked = Asked::read(content);
        let way = self.way(&asked);
        self.clients.admit(key, asked);
        match way {
            Ok(Way::Told(body)) => self.succeed(key, &body),
            Ok(Way::Files(job)) => self.out.push(Output::File { key, job }),
            Ok(Way::Helper) => self.ask(key),
            Ok(Way::Machine(command)) => {
                self.remember(key);
                self.feed(Event::Request { key, command });
            }
            Err(why) => self.refuse(key, &why),
        }
        self.take()
    }

    fn way(&self, asked: &Asked) -> Result<Way, String> {
        let Asked {
            command, arguments, ..
        } = asked;
        if self.machine.has_ended() {
            return Err(refusal(Refusal::KernelEnds).to_owned());
        }
        match commands::who(command) {
            Who::Here(Local::DebugInfo) => Ok(Way::Told(self.info())),
            Who::Here(Local::Terminate) => {
                Err("the debugger does not end the kernel: shut it down, or disconnect".to_owned())
            }
            Who::Files(job) => Ok(Way::Files(commands::job(job, arguments)?)),
            Who::Helper => Ok(Way::Helper),
            Who::HelperOrPydevd if commands::is_helpers_reference(arguments) || !self.is_attached() => {
                Ok(Way::Helper)
            }
            Who::HelperOrPydevd => self.to_machine(asked, Command::Frame),
            Who::HelperOrFrame => {
                let name = arguments.get("variableName").and_then(Value::as_str);
                let in_frame = arguments.get("frameId").is_some_and(Value::is_number);
                if !name.is_some_and(commands::is_name) {
                    // Groups that debugpy makes, such as "special variables", have nothing to show.
                    Ok(Way::Told(nothing_to_show()))
                } else if in_frame && self.is_stopped() {
                    self.to_machine(asked, Command::Frame)
                } else {
                    Ok(Way::Helper)
                }
            }
            Who::Machine(command) => self.to_machine(asked, command),
            Who::Nobody => Err(format!("the debugger knows no command {command:?}")),
        }
    }

    /// The machine is not told of what cannot be sent to pydevd.
    fn to_machine(&self, asked: &Asked, command: Command) -> Result<Way, String> {
        self.pydevd.translate(asked)?;
        Ok(Way::Machine(command))
    }

    /// Breakpoints of this session are remembered, also those that are set before `attach` is answered: pydevd has said by then that it
    /// would be told of them.
    fn remember(&mut self, key: Key) {
        let takes = self.is_attached() || self.state() == State::Ready;
        if let Some(asked) = self.clients.asked(key).filter(|_| takes) {
            self.breakpoints.remember(&asked.command, &asked.arguments);
        }
    }

    fn is_attached(&self) -> bool {
        matches!(self.state(), State::Attached | State::Stopped)
    }

    fn ask(&mut self, key: Key) {
        let asked = self.clients.asked(key);
        if let Some(number) = asked.and_then(|asked| self.questions.ask(key, asked)) {
            self.after(HELP, Timer::Question(number));
            self.ask_next();
        }
    }

    fn info(&self) -> Value {
        let stopped: Vec<i64> = self.machine.stopped().collect();
        json!({
            "isStarted": self.machine.has_session(),
            "hashMethod": "Murmur2",
            "hashSeed": cells::SEED,
            "tmpFilePrefix": format!("{}{}", self.folder.display(), std::path::MAIN_SEPARATOR),
            "tmpFileSuffix": cells::SUFFIX,
            "breakpoints": self.breakpoints.info(),
            "stoppedThreads": stopped,
            "richRendering": true,
            "exceptionPaths": ["Python Exceptions"],
            "copyToGlobals": true,
        })
    }
}
