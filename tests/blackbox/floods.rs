//! Whatever floods the kernel: control and the heartbeat are answered, and what a cell prints is seen.

use std::io::{ErrorKind, Write};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use serde_json::json;

use crate::client::raw::RawPeer;
use crate::client::{Channel, Client, Kernel};

const FLOOD: usize = 100 << 20;

/// Lines that the cell prints beside a flood.
const PRINTS: usize = 60;

/// Small messages of 5 KiB each, all different.
fn many(client: &mut Client, channel: Channel, msg_type: &str) {
    let padding = "x".repeat(5 << 10);
    for n in 0..FLOOD / padding.len() {
        let content =
            json!({"comm_id": "nobody", "data": {"n": n, "padding": padding}, "value": "", "code": ""});
        client.send(channel, &client.outgoing(msg_type, content));
    }
}

fn few(client: &mut Client) {
    // Strangers may not send as much.
    let hello = client.send_request(Channel::Shell, "kernel_info_request", json!({}));
    client.recv_shell_reply(&hello, "kernel_info_reply");
    for _ in 0..4 {
        let mut message = client.outgoing("comm_msg", json!({"comm_id": "nobody", "data": {}}));
        message.buffers = vec![Bytes::from(vec![7; FLOOD / 4])];
        client.send(Channel::Shell, &message);
    }
}

/// Subscriptions that come and go, as long as the kernel puts up with them.
fn subscriptions(port: u16) {
    let mut peer = RawPeer::connect(port);
    peer.handshake("SUB", b"");
    let mut block = Vec::new();
    for n in 0..1000_u32 {
        for form in [1, 0] {
            let mut topic = vec![form];
            topic.extend_from_slice(n.to_string().as_bytes());
            block.extend_from_slice(&[0, u8::try_from(topic.len()).expect("short")]);
            block.extend_from_slice(&topic);
        }
    }
    // A stranger is read as slowly as this costs, so all of it would take minutes.
    let (begun, mut sent) = (Instant::now(), 0);
    peer.stream
        .set_write_timeout(Some(Duration::from_millis(100)))
        .expect("an option");
    while sent < FLOOD && begun.elapsed() < Duration::from_secs(3) {
        match peer.stream.write(&block[sent % block.len()..]) {
            Ok(count) => sent += count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
    }
}

/// What nine of ten took at most: this process and the flood want the processor, too.
#[derive(Debug)]
struct Delays {
    heartbeat: Option<Duration>,
    control: Option<Duration>,
    prints: Option<Duration>,
}

impl Delays {
    fn of(mut heartbeat: Vec<Duration>, mut control: Vec<Duration>, mut prints: Vec<Duration>) -> Self {
        let [heartbeat, control, prints] = [&mut heartbeat, &mut control, &mut prints].map(|times| {
            times.sort();
            times.get(times.len() * 9 / 10).copied()
        });
        Self {
            heartbeat,
            control,
            prints,
        }
    }

    /// Where the machine is slow without any flood, three times what is usual then; but less than an answer takes that
    /// waits for an acknowledgement.
    fn are_short(&self, usual: &Self) -> bool {
        let short = |least, most, time: Option<Duration>, usual: Option<Duration>| {
            let allowed = 3 * usual.unwrap_or_default();
            let [least, most] = [least, most].map(Duration::from_millis);
            time.is_none_or(|time| time < allowed.clamp(least, most))
        };
        self.heartbeat.is_some()
            && short(5, 30, self.heartbeat, usual.heartbeat)
            && short(5, 30, self.control, usual.control)
            && short(20, 60, self.prints, usual.prints)
    }
}

/// While `flood` goes on: round trips on control (unless that is what is flooded) and on the heartbeat, and how long prints
/// are on their way.
#[track_caller]
fn delays(kernel: &mut Kernel, asks: bool, flood: impl FnOnce() + Send) -> Delays {
    let code = "import time\nfor i in range(60):\n    print(time.time(), flush=True); time.sleep(0.02)";
    let mut heart = RawPeer::connect(kernel.connection.heartbeat);
    heart.handshake("REQ", b"");
    // Who sees the prints alone, since the statuses of a flood of requests are a flood, too.
    let mut reader = kernel.connect_with_topics(&["stream"]);
    let (mut control, mut beats, mut prints) = (Vec::new(), Vec::new(), Vec::new());
    std::thread::scope(|scope| {
        let flooding = scope.spawn(flood);
        let cell = kernel.send_execute(code);
        while prints.len() < PRINTS {
            beats.push(beat(&mut heart));
            if asks {
                control.push(ask_control(kernel));
            }
            while let Some(message) = reader.recv_within(Channel::Iopub, Duration::from_millis(5)) {
                let now = SystemTime::UNIX_EPOCH.elapsed().expect("a clock").as_secs_f64();
                for line in message.text("text").lines() {
                    let said: f64 = line.parse().expect("a time");
                    prints.push(Duration::from_secs_f64((now - said).max(0.0)));
                }
            }
        }
        flooding.join().expect("the flood");
        kernel.recv_shell_reply(&cell, "execute_reply");
    });
    Delays::of(beats, control, prints)
}

/// The same while nothing floods, and something else wants the processors as much: who floods does, and who is flooded.
fn usual(kernel: &mut Kernel) -> Delays {
    let begun = Instant::now();
    let compute = || while begun.elapsed() < Duration::from_secs(2) {};
    let usual = delays(kernel, true, || {
        std::thread::scope(|scope| {
            scope.spawn(compute);
            compute();
        });
    });
    drain(kernel);
    usual
}

fn drain(client: &mut Client) {
    for channel in [Channel::Shell, Channel::Control, Channel::Iopub, Channel::Stdin] {
        while client.recv_within(channel, Duration::from_millis(200)).is_some() {}
    }
}

#[test]
fn a_flood_harms_nobody() {
    let mut kernel = Kernel::start();
    kernel.assert_alive();
    let usual = usual(&mut kernel);
    for (what, channel, msg_type) in [
        ("shell", Channel::Shell, "comm_msg"),
        ("shell, answered at once", Channel::Shell, "comm_info_request"),
        ("control", Channel::Control, "comm_info_request"),
        ("stdin", Channel::Stdin, "input_reply"),
    ] {
        let asks = channel != Channel::Control;
        assert_once(what, &mut kernel, &usual, |kernel, other| {
            delays(kernel, asks, || many(other, channel, msg_type))
        });
    }
    assert_once("shell, large", &mut kernel, &usual, |kernel, other| {
        delays(kernel, true, || few(other))
    });
    assert_once("subscriptions", &mut kernel, &usual, |kernel, _| {
        let port = kernel.connection.iopub;
        delays(kernel, true, move || subscriptions(port))
    });
    kernel.assert_alive();
}

/// Output is a flood, too. What was printed before comes before, so only what else the kernel has to answer is looked at.
#[test]
fn a_flood_of_output_harms_nobody() {
    let mut kernel = Kernel::start();
    kernel.assert_alive();
    let usual = usual(&mut kernel);
    let code = format!("for _ in range({}): print('x' * 999)", FLOOD / 1000);
    assert_once("output", &mut kernel, &usual, |kernel, _| {
        let mut heart = RawPeer::connect(kernel.connection.heartbeat);
        heart.handshake("REQ", b"");
        let (mut beats, mut control, mut printed) = (Vec::new(), Vec::new(), 0);
        let cell = kernel.send_execute(&code);
        loop {
            beats.push(beat(&mut heart));
            control.push(ask_control(kernel));
            let mut idle = false;
            while let Some(message) = kernel.recv_within(Channel::Iopub, Duration::from_millis(1)) {
                if message.msg_type() == "stream" {
                    printed += message.text("text").len();
                }
                idle |= message.is_state("idle") && message.is_child_of(&cell);
                if idle || message.msg_type() == "stream" {
                    break;
                }
            }
            if idle {
                break;
            }
        }
        kernel.recv_shell_reply(&cell, "execute_reply");
        assert_eq!(printed, FLOOD / 1000 * 1000, "nothing is lost");
        Delays::of(beats, control, Vec::new())
    });
    kernel.assert_alive();
}

/// One round trip.
#[track_caller]
fn beat(heart: &mut RawPeer) -> Duration {
    let begun = Instant::now();
    // In one write: two small ones would wait for an acknowledgement.
    assert!(heart.write(b"\x01\x00\x00\x04ping"));
    for expected in [&b""[..], b"ping"] {
        assert_eq!(heart.read_frame().expect("a heartbeat").1, expected);
    }
    begun.elapsed()
}

/// The same on control.
#[track_caller]
fn ask_control(kernel: &mut Kernel) -> Duration {
    let begun = Instant::now();
    let request = kernel.send_request(Channel::Control, "kernel_info_request", json!({}));
    kernel.recv_reply(Channel::Control, &request, "kernel_info_reply");
    begun.elapsed()
}

/// What else this machine does can only make it later, so one of three times counts.
#[track_caller]
fn assert_once(
    what: &str,
    kernel: &mut Kernel,
    usual: &Delays,
    mut play: impl FnMut(&mut Kernel, &mut Client) -> Delays,
) {
    let mut seen = Vec::new();
    for _ in 0..3 {
        let mut other = kernel.connect_with_topics(&["none"]);
        let flooded = play(kernel, &mut other);
        drain(&mut other);
        drain(kernel);
        if flooded.are_short(usual) {
            return;
        }
        seen.push(flooded);
    }
    panic!("{what}: disturbed three times: {seen:#?}; usual is {usual:#?}");
}
