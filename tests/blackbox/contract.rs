//! The contract between the life cycle and Python's side of the exit ladder, with the real other side.
//!
//! The search over the life cycle plays the machine against a model of Python's side. Here the real one is stuck in each
//! of its steps, in each way in which one can be, and what was really said is read from the log: each word of Python's
//! must be one that the model allows at that moment, the machine must answer it here as it did there, and all that the
//! model can say must have been said by somebody.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use drupe::lifecycle::contract::PythonSide;
use drupe::lifecycle::{Action, Asker, Event, Lifecycle, Phase, Place, RequestKind, Rung, Trigger, Turn};
use serde_json::json;

use crate::client::{Channel, Kernel};

/// What each scene begins with: the ways to be stuck.
const WAYS: &str = r"
import asyncio, atexit, ctypes, io, threading, time
_c, _py = ctypes.CDLL(None), ctypes.PyDLL(None)

def _locked():
    mutex = ctypes.create_string_buffer(128)
    _c.pthread_mutex_lock(mutex)
    return mutex

_mutex = _locked()

def swallows():
    while True:
        try:
            time.sleep(60)
        except BaseException:
            pass

def computes():
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass

def sleeps_in_c():
    _c.pthread_mutex_lock(_mutex)

def holds_the_gil():
    _py.pthread_mutex_lock(_mutex)

def for_seconds(seconds, library):
    # Neither a signal nor anything else ends this wait.
    end = time.time() + seconds
    until = (ctypes.c_long * 2)(int(end), int(end % 1 * 1e9))
    library.pthread_mutex_timedlock(_mutex, until)

def deadlocks():
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()
";

/// The ways, and whether the GIL is free meanwhile.
const STUCK: [&str; 5] = [
    "swallows",
    "computes",
    "sleeps_in_c",
    "holds_the_gil",
    "deadlocks",
];

/// The steps, each as code in which `WAY` is where it is stuck. Whatever is not the cell itself is left behind by it.
const STEPS: [(Step, &str); 5] = [
    (Step::Cell, "print('ready', flush=True)\nWAY()"),
    (
        Step::Tasks,
        "async def task():
    try:
        await asyncio.sleep(60)
    finally:
        WAY()
background = asyncio.ensure_future(task())
await asyncio.sleep(0)",
    ),
    (
        Step::Threads,
        "class Stuck(threading.Thread):
    def join(self, timeout=None):
        WAY()
thread = Stuck(target=time.sleep, args=(60,))
thread.start()",
    ),
    (Step::AtExit, "atexit.register(WAY)"),
    (
        Step::Flush,
        "class File(io.RawIOBase):
    def writable(self):
        return True
    def flush(self):
        WAY()
file = File()",
    ),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Cell,
    Tasks,
    Threads,
    AtExit,
    Flush,
}

/// One numbered line of the log: what happened, and what was to be done about it.
struct Said {
    event: Event,
    actions: String,
}

/// All events that such a life may hold, by how the log writes them.
fn vocabulary() -> BTreeMap<String, Event> {
    let mut events = vec![
        Event::Ready,
        Event::AbortExecutes { shell: 0 },
        Event::Armed,
        Event::Deadline,
        Event::Stop(Trigger::Terminate),
    ];
    for id in 0..100 {
        let kinds = [
            RequestKind::Execute,
            RequestKind::CommOpen,
            RequestKind::CommMessage,
            RequestKind::Immediate,
            RequestKind::Other,
        ];
        events.extend(kinds.map(|kind| Event::Request { id, kind, shell: 0 }));
        events.extend([Place::Main, Place::Beside].map(|place| Event::TakeEffect { id, place }));
        events.extend([Event::Reply { id }, Event::Finished { id }]);
        events.push(Event::ShutdownRequest(Asker { id, restart: false }));
    }
    for rung in Rung::ALL {
        for resume in Rung::IN_PYTHON {
            for attempt in 0..5 {
                let turn = Turn {
                    rung,
                    attempt,
                    resume,
                };
                events.extend([Event::TakeUp(turn), Event::Done(turn), Event::Over(turn)]);
            }
        }
    }
    events.extend((0..5).map(|round| Event::Drained { round }));
    events
        .into_iter()
        .map(|event| (format!("{event:?}"), event))
        .collect()
}

/// The life that a log tells, in the order in which it was lived.
fn life(log: &str) -> Vec<Said> {
    let vocabulary = vocabulary();
    let mut said = BTreeMap::new();
    for line in log.lines().filter(|line| line.contains("life cycle number=")) {
        let (_, rest) = line.split_once("number=").expect("a number");
        let (number, rest) = rest.split_once(" event=").expect("an event");
        let (event, actions) = rest.split_once(" actions=").expect("actions");
        let number: u64 = number.parse().expect("a number");
        let known = vocabulary.get(event);
        let event =
            *known.unwrap_or_else(|| panic!("the log tells of {event:?}, which no life here can hold"));
        let actions = actions.to_owned();
        said.insert(number, Said { event, actions });
    }
    let last = said.keys().next_back().copied().unwrap_or_default();
    assert_eq!(said.len() as u64, last, "every event is in the log:\n{log}");
    said.into_values().collect()
}

/// A word of Python's side, without what differs from scene to scene: who said it, and what became of it.
fn word(event: Event, actions: &[Action]) -> String {
    let (kind, turn) = match event {
        Event::TakeUp(turn) if actions.is_empty() => ("is refused", turn),
        Event::TakeUp(turn) => ("takes up", turn),
        Event::Done(turn) => ("has done", turn),
        other => panic!("{other:?} is not Python's"),
    };
    let who = if turn.attempt == 0 { "main" } else { "a helper" };
    match turn.rung {
        Rung::Attach if kind != "is refused" => format!("{who} {kind} {} for {}", turn.rung, turn.resume),
        rung => format!("{who} {kind} {rung}"),
    }
}

/// Plays a log on a machine of our own, against the model; returns the words of Python's side.
fn replay(scene: &str, log: &str) -> BTreeSet<String> {
    let mut machine = Lifecycle::new();
    let mut python = PythonSide::default();
    let mut words = BTreeSet::new();
    for Said { event, actions } in life(log) {
        let ours = machine.step(event);
        assert_eq!(format!("{ours:?}"), actions, "{scene}: {event:?}");
        if PythonSide::is_its_word(event) {
            assert!(
                python.says(event, &ours),
                "{scene}: the model does not know that Python's side can say {event:?}\n{log}"
            );
            words.insert(word(event, &ours));
        }
        ours.iter().for_each(|&action| python.sees(action));
    }
    assert_eq!(*machine.phase(), Phase::Exiting, "{scene}");
    words
}

/// Plays one scene on the real kernel; returns its log.
fn play(setup: &[String], cell: Option<&str>) -> String {
    let mut kernel = Kernel::builder().env("DRUPE_LOG", "trace").start();
    kernel.run(WAYS);
    for code in setup {
        kernel.run(code);
    }
    if let Some(cell) = cell {
        let request = kernel.send_execute(cell);
        kernel.recv_iopub_busy(&request);
        kernel.recv_iopub_execute_input(&request, cell);
        kernel.recv_iopub_stream(&request, "stdout", "ready\n");
    }
    let ask = kernel.send_request(Channel::Control, "shutdown_request", json!({"restart": false}));
    let reply = kernel.recv_reply(Channel::Control, &ask, "shutdown_reply");
    assert_eq!(reply.status(), "ok");
    let status = kernel.wait(Duration::from_secs(10));
    assert!(status.success(), "{status}\n{}", kernel.log());
    for channel in [Channel::Iopub, Channel::Shell] {
        kernel.recv_to_end(channel);
    }
    kernel.log()
}

/// Every way of being stuck in every step, and some in several.
fn scenes() -> Vec<(String, Vec<String>, Option<String>)> {
    let mut scenes = vec![("nothing".to_owned(), Vec::new(), None)];
    for way in STUCK {
        for (step, code) in STEPS {
            let code = code.replace("WAY", way);
            let name = format!("{way} in {step:?}");
            scenes.push(match step {
                Step::Cell => (name, Vec::new(), Some(code)),
                _ => (name, vec![code], None),
            });
        }
    }
    // A helper that gets stuck is followed by another.
    for way in ["sleeps_in_c", "swallows"] {
        let left: Vec<String> = STEPS
            .iter()
            .filter(|(step, _)| matches!(step, Step::Threads | Step::AtExit | Step::Flush))
            .map(|(_, code)| code.replace("WAY", way))
            .collect();
        let cell = STEPS[0].1.replace("WAY", way);
        scenes.push((format!("{way} everywhere"), left, Some(cell)));
    }
    scenes
}

/// Those that are a matter of when: it comes to pass in most plays of one of them, and on a busy machine in another.
fn moments() -> Vec<(String, Vec<String>, Option<String>)> {
    // The main thread comes out of what it was given up in, and finds that somebody else goes on.
    let late = "class Late(threading.Thread):
    def join(self, timeout=None):
        for_seconds(1.7, _c)
thread = Late(target=time.sleep, args=(60,))
thread.start()
atexit.register(time.sleep, 0.25)";
    let mut moments = vec![("main comes to".to_owned(), vec![late.to_owned()], None)];
    // The GIL comes back when the helper that waits for it has just been given up; counted from the cell's interrupt.
    for after in ["1.56", "1.54", "1.52", "1.49"] {
        let late = format!(
            "try:
    print('ready', flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    for_seconds({after}, _py)"
        );
        moments.push((
            format!("the GIL comes back after {after} s"),
            Vec::new(),
            Some(late),
        ));
    }
    moments
}

/// Everything that the model can say.
fn all_words() -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    for who in ["main", "a helper"] {
        for rung in Rung::IN_PYTHON {
            if who == "main" || rung != Rung::Tasks {
                words.insert(format!("{who} takes up {rung}"));
                words.insert(format!("{who} has done {rung}"));
            }
        }
    }
    for rung in [Rung::Threads, Rung::AtExit, Rung::Flush] {
        words.insert(format!("a helper takes up attach for {rung}"));
        words.insert(format!("a helper has done attach for {rung}"));
    }
    words.insert(format!("main is refused {}", Rung::AtExit));
    words.insert(format!("main is refused {}", Rung::Flush));
    words.insert(format!("a helper is refused {}", Rung::Attach));
    words
}

#[test]
fn the_real_python_side_says_what_the_model_says() {
    let scenes = scenes();
    let words = std::sync::Mutex::new(BTreeSet::new());
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some((name, setup, cell)) =
                    scenes.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
                {
                    let log = play(setup, cell.as_deref());
                    let said = replay(name, &log);
                    words.lock().expect("no scene has failed").extend(said);
                }
            });
        }
    });
    let mut words = words.into_inner().expect("no scene has failed");
    let all = all_words();
    for (name, setup, cell) in moments().iter().cycle().take(20) {
        if !all.is_subset(&words) {
            words.extend(replay(name, &play(setup, cell.as_deref())));
        }
    }
    let unsaid: Vec<&String> = all.difference(&words).collect();
    assert!(
        unsaid.is_empty(),
        "the model says these, and no real Python side did: {unsaid:#?}\nsaid: {words:#?}"
    );
}
