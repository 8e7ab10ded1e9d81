//! The watchdog at work. Since it ends its process, each case runs in one of its own: this test program
//! again, told by an environment variable what to play.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::lifecycle::watchdog::{Config, Noticed, Watchdog};

const PLAY: &str = "DRUPE_TEST_WATCHDOG";
const PARENT: &str = "DRUPE_TEST_WATCHDOG_PARENT";
/// It looks twice a second whether there is another parent; the rest is for a machine that serves others before.
const NOTICED: Duration = Duration::from_secs(3);

/// What to play, in the child.
fn play(role: &str) {
    let config = Config {
        parent: std::env::var(PARENT).ok().and_then(|pid| pid.parse().ok()),
        grace: Duration::from_millis(100),
        total: Duration::from_millis(400),
        ..Config::default()
    };
    let report = |noticed: Noticed| say(&format!("{noticed:?}"));
    let watchdog = Watchdog::start(config, Box::new(report)).expect("a watchdog");
    match role {
        "arm" => {
            arm(&watchdog, Duration::from_millis(200));
            assert!(
                watchdog.arm(Duration::from_secs(100)),
                "an armed watchdog confirms again"
            );
        }
        "wait" => {}
        // SAFETY: changes what a signal of this process does.
        "ignore SIGTERM" => unsafe {
            libc::signal(libc::SIGTERM, libc::SIG_IGN);
            std::thread::sleep(Duration::from_millis(1200));
        },
        // SAFETY: as above.
        "reset SIGTERM" => unsafe {
            libc::signal(libc::SIGTERM, libc::SIG_DFL);
            watchdog.reclaim_signals();
        },
        // SAFETY: as above. The handler of SIGINT stands for Python's, which is the same for all signals.
        "share SIGTERM" => unsafe {
            libc::signal(libc::SIGINT, users_handler as *const () as usize);
            watchdog.share_sigterm(true);
        },
        // SAFETY: as above. Set once more behind the kernel's back, as by code that kept Python's own function.
        "take SIGTERM" => unsafe {
            libc::signal(libc::SIGINT, users_handler as *const () as usize);
            watchdog.share_sigterm(false);
            libc::signal(libc::SIGTERM, users_handler as *const () as usize);
            watchdog.reclaim_signals();
        },
        // SAFETY: as above.
        "give SIGTERM back" => unsafe {
            libc::signal(libc::SIGINT, users_handler as *const () as usize);
            watchdog.share_sigterm(true);
            watchdog.share_sigterm(false);
        },
        // SAFETY: as above.
        "take SIGINT" => unsafe {
            libc::signal(libc::SIGINT, users_handler as *const () as usize);
            watchdog.share_sigterm(false);
            libc::signal(libc::SIGINT, users_handler as *const () as usize);
            watchdog.reclaim_signals();
        },
        // SAFETY: the child of a process with several threads only calls pause.
        "fork" => unsafe {
            let pid = libc::fork();
            if pid == 0 {
                libc::pause();
            }
            say(&format!("forked {pid}"));
            let mut status = 0;
            libc::waitpid(pid, &mut status, 0);
            say(&format!("signal {}", libc::WTERMSIG(status)));
            std::thread::sleep(Duration::from_millis(700));
            say(&format!("deadline {:?}", watchdog.deadline()));
        },
        "full stderr" => {
            fill(2);
            arm(&watchdog, Duration::from_millis(200));
        }
        // SAFETY: the descriptors are this process's, which does nothing more with them.
        "close descriptors" => unsafe {
            say("closing");
            for fd in 3..1024 {
                libc::close(fd);
            }
            assert!(watchdog.arm_if_descriptors_are_gone(Duration::from_millis(800)));
        },
        "panic" => {
            let config = Config {
                sigterm: false,
                parent: None,
                ..Config::default()
            };
            drop(Watchdog::start(config, Box::new(|_| {})));
            arm(&watchdog, Duration::from_millis(200));
            let _ = std::panic::catch_unwind(|| panic!("in the kernel"));
        }
        other => panic!("nobody knows how to play {other}"),
    }
    say("ready");
    loop {
        std::thread::park();
    }
}

/// Arms it, however long its thread takes to confirm.
fn arm(watchdog: &Watchdog, total: Duration) {
    while !watchdog.arm(total) {}
}

extern "C" fn users_handler(signal: i32) {
    let line: &[u8] = if signal == libc::SIGTERM {
        b"handled\n"
    } else {
        b"interrupted\n"
    };
    // SAFETY: write is async-signal-safe.
    unsafe { libc::write(1, line.as_ptr().cast(), line.len()) };
}

fn say(line: &str) {
    let line = format!("{line}\n");
    // SAFETY: writes from a live buffer. The test harness's own output would keep it.
    unsafe { libc::write(1, line.as_ptr().cast(), line.len()) };
}

fn fill(fd: i32) {
    // SAFETY: descriptor flags of this process, writes from a live buffer.
    unsafe {
        let flags = libc::fcntl(fd, libc::F_GETFL);
        libc::fcntl(fd, libc::F_SETFL, flags | libc::O_NONBLOCK);
        while libc::write(fd, [b'.'; 512].as_ptr().cast(), 512) > 0 {}
        while libc::write(fd, [b'.'].as_ptr().cast(), 1) > 0 {}
        libc::fcntl(fd, libc::F_SETFL, flags);
    }
}

#[test]
#[ignore = "played by the tests below in a process of its own"]
fn the_child() {
    if let Ok(role) = std::env::var(PLAY) {
        play(&role);
    }
}

/// A child and what it says. Killed when dropped.
struct Player {
    child: Child,
    said: BufReader<std::process::ChildStdout>,
}

impl Player {
    fn start(role: &str, parent: Option<u32>) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        let name = concat!(module_path!(), "::the_child");
        let (_, name) = name.split_once("::").expect("a crate");
        command
            .args([name, "--exact", "--ignored", "--nocapture", "--test-threads=1"])
            .env(PLAY, role);
        if let Some(parent) = parent {
            command.env(PARENT, parent.to_string());
        }
        Self::spawn(command)
    }

    fn spawn(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a child");
        let said = BufReader::new(child.stdout.take().expect("its stdout"));
        Self { child, said }
    }

    /// Reads until a line contains `what`, and returns that line.
    fn until(&mut self, what: &str) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            let read = self.said.read_line(&mut line).expect("a line");
            assert!(
                read > 0,
                "the child ended without saying {what:?}: {:?}",
                self.child.wait()
            );
            if line.contains(what) {
                return line;
            }
        }
    }

    /// That many lines, sorted: the handler and the thread say theirs when they can.
    fn lines(&mut self, count: usize) -> Vec<String> {
        let mut lines: Vec<_> = (0..count).map(|_| self.until("\n")).collect();
        lines.sort();
        lines
    }

    fn signal(&self, signal: i32) {
        kill(self.child.id(), signal);
    }

    /// Waits for its end; how long that took from `since`, and its last words on stderr.
    fn end(&mut self, since: Instant) -> (ExitStatus, Duration, String) {
        let mut words = Vec::new();
        self.child
            .stderr
            .take()
            .expect("its stderr")
            .read_to_end(&mut words)
            .expect("its words");
        let status = self.child.wait().expect("its status");
        (
            status,
            since.elapsed(),
            String::from_utf8_lossy(&words).into_owned(),
        )
    }

    fn ends_by_itself(&mut self, since: Instant, at_least_ms: u64, at_most_ms: u64) {
        let (status, took, words) = self.end(since);
        assert_eq!(status.code(), Some(0), "{status} {words}");
        let (least, most) = (
            Duration::from_millis(at_least_ms),
            Duration::from_millis(at_most_ms),
        );
        assert!(least <= took && took <= most, "it took {took:?}");
        assert!(words.contains("ended by the watchdog"), "{words}");
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn kill(pid: u32, signal: i32) {
    // SAFETY: a signal to a process that this test has started.
    unsafe { libc::kill(i32::try_from(pid).expect("a pid"), signal) };
}

#[test]
fn an_armed_watchdog_ends_the_process_at_its_first_deadline() {
    let began = Instant::now();
    Player::start("arm", None).ends_by_itself(began, 200, 5_000);
}

#[test]
fn sigterm_that_nobody_acts_on_ends_the_process_all_the_same() {
    let mut player = Player::start("wait", None);
    player.until("ready");
    let began = Instant::now();
    player.signal(libc::SIGTERM);
    player.until("Terminate");
    player.ends_by_itself(began, 390, 3_000);
}

#[test]
fn sigterm_counts_though_user_code_ignores_it() {
    for role in ["ignore SIGTERM", "reset SIGTERM"] {
        let mut player = Player::start(role, None);
        player.until("ready");
        let began = Instant::now();
        player.signal(libc::SIGTERM);
        player.until("Terminate");
        player.ends_by_itself(began, 390, 3_000);
    }
}

#[test]
fn a_handler_of_the_users_is_called_and_the_second_sigterm_counts() {
    for role in ["share SIGTERM", "take SIGTERM"] {
        let mut player = Player::start(role, None);
        player.until("ready");
        player.signal(libc::SIGTERM);
        assert_eq!(player.lines(2), ["NotedByPython\n", "handled\n"]);
        std::thread::sleep(Duration::from_millis(700));
        assert!(player.child.try_wait().expect("its status").is_none());
        let began = Instant::now();
        player.signal(libc::SIGTERM);
        assert_eq!(player.lines(3), ["NotedByPython\n", "Terminate\n", "handled\n"]);
        player.ends_by_itself(began, 390, 3_000);
    }
}

/// Also where Python has put its own handler in the place of ours, which it does at each `signal.signal`.
#[test]
fn it_knows_of_each_sigint_that_python_has_noted() {
    for role in ["share SIGTERM", "take SIGINT"] {
        let mut player = Player::start(role, None);
        player.until("ready");
        for _ in 0..3 {
            player.signal(libc::SIGINT);
            assert_eq!(player.lines(2), ["NotedByPython\n", "interrupted\n"]);
        }
    }
}

#[test]
fn a_handler_that_was_taken_away_is_called_no_more() {
    let mut player = Player::start("give SIGTERM back", None);
    player.until("ready");
    let began = Instant::now();
    player.signal(libc::SIGTERM);
    assert_eq!(player.until("\n"), "Terminate\n");
    player.ends_by_itself(began, 390, 3_000);
}

#[test]
fn a_forked_child_dies_of_sigterm_and_its_parent_does_not() {
    let mut player = Player::start("fork", None);
    let forked = player.until("forked");
    let pid = forked
        .trim()
        .rsplit(' ')
        .next()
        .and_then(|pid| pid.parse().ok())
        .expect("a pid");
    kill(pid, libc::SIGTERM);
    assert!(
        player
            .until("signal")
            .contains(&format!("signal {}", libc::SIGTERM))
    );
    assert!(player.until("deadline").contains("None"));
}

#[test]
fn the_named_parents_end_is_noticed_soon() {
    let mut parent = Command::new("sleep").arg("1000").spawn().expect("a parent");
    let mut player = Player::start("wait", Some(parent.id()));
    player.until("ready");
    std::thread::sleep(Duration::from_millis(600));
    let began = Instant::now();
    parent.kill().expect("its end");
    player.until("ParentGone");
    let noticed = began.elapsed();
    assert!(noticed < NOTICED, "{noticed:?}");
    player.ends_by_itself(began, 390, 6_000);
    parent.wait().expect("its status");
}

#[test]
fn a_wrappers_end_is_noticed_soon() {
    let mut command = Command::new("sh");
    let name = concat!(module_path!(), "::the_child");
    let (_, name) = name.split_once("::").expect("a crate");
    let exe = std::env::current_exe().expect("this program");
    command
        .args([
            "-c",
            r#""$0" "$1" --exact --ignored --nocapture --test-threads=1 & wait"#,
        ])
        .args([exe.as_os_str(), name.as_ref()])
        .env(PLAY, "wait")
        .env(PARENT, std::process::id().to_string());
    let mut wrapper = Player::spawn(command);
    wrapper.until("ready");
    let began = Instant::now();
    wrapper.child.kill().expect("its end");
    wrapper.until("ParentGone");
    assert!(began.elapsed() < NOTICED, "{:?}", began.elapsed());
    // The kernel holds the other end of this pipe until it ends.
    let mut rest = Vec::new();
    wrapper.said.read_to_end(&mut rest).expect("its end");
    assert!(began.elapsed() < NOTICED * 2, "{:?}", began.elapsed());
}

#[test]
fn a_parent_that_cannot_be_seen_ends_nothing() {
    for nobody in [1, 0x7fff_fff0] {
        let mut player = Player::start("wait", Some(nobody));
        player.until("ready");
        std::thread::sleep(Duration::from_millis(800));
        assert!(player.child.try_wait().expect("its status").is_none());
    }
}

#[test]
fn a_full_stderr_that_nobody_reads_does_not_hold_up_the_end() {
    let mut player = Player::start("full stderr", None);
    player.until("ready");
    let began = Instant::now();
    let status = player.child.wait().expect("its status");
    assert_eq!(status.code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

/// It can be told nothing any more, and its own copy of stderr is closed as well.
#[test]
fn it_ends_a_process_whose_descriptors_are_closed() {
    let mut player = Player::start("close descriptors", None);
    player.until("closing");
    let began = Instant::now();
    player.until("DescriptorsGone");
    let (status, took, words) = player.end(began);
    assert_eq!(status.code(), Some(0), "{status} {words}");
    assert!(
        Duration::from_millis(390) <= took && took <= Duration::from_secs(3),
        "{took:?}"
    );
}

#[test]
fn a_panic_elsewhere_changes_nothing() {
    let began = Instant::now();
    let mut player = Player::start("panic", None);
    player.ends_by_itself(began, 200, 5_000);
}
