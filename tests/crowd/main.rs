//! A crowd of strangers on all five sockets at once: random, slow and hostile ones, while a client works.
//!
//! `DRUPE_TEST_CROWD_SECONDS` says for how long; `make crowd` takes a minute. It is a program of its own so that it has the
//! processors to itself. The crowd pauses now and then, and what is usual is measured in its pauses: whatever else the
//! machine does meanwhile slows both alike.

#[allow(
    dead_code,
    unused_imports,
    reason = "most of the client is for tests/blackbox"
)]
#[path = "../client/mod.rs"]
mod client;

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::json;

use client::fixtures::{Noise, resident_memory};
use client::message::sealed;
use client::raw::{COMMAND, LONG, MORE, RawPeer};
use client::{Channel, Kernel};

/// What the crowd does now.
const PLAY: u8 = 0;
const PAUSE: u8 = 1;
const OVER: u8 = 2;

/// How much the kernel may grow meanwhile.
const ALLOWANCE: u64 = 64 << 20;

/// What one of the crowd sends in a turn, and whether it reads what comes back.
struct Attack {
    name: &'static str,
    socket_type: &'static str,
    /// Sent again and again; what could not be sent is continued.
    bytes: Vec<u8>,
    reads: bool,
    /// Bytes after which it begins anew on another connection; `usize::MAX` for never.
    renew: usize,
}

fn frames(parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        let more = if at + 1 < parts.len() { MORE } else { 0 };
        bytes.push(more | LONG);
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

fn command(name: &[u8], data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![COMMAND, (1 + name.len() + data.len()) as u8, name.len() as u8];
    bytes.extend_from_slice(name);
    bytes.extend_from_slice(data);
    bytes
}

/// A long part that never comes to its end.
fn unfinished(length: u64) -> Vec<u8> {
    let mut bytes = vec![LONG];
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.resize(length as usize, b'x');
    bytes
}

fn attacks(channel: &str, noise: &mut Noise) -> Vec<Attack> {
    let socket_type = match channel {
        "iopub" => "SUB",
        "heartbeat" => "REQ",
        _ => "DEALER",
    };
    let attack = |name, bytes, reads, renew| Attack {
        name,
        socket_type,
        bytes,
        reads,
        renew,
    };
    let mut list = vec![
        attack("noise", noise.bytes(1 << 16), true, 1 << 16),
        attack(
            "pings",
            command(b"PING", b"\0\x100123456789abcdef").repeat(1000),
            false,
            usize::MAX,
        ),
        attack(
            "unknown commands",
            command(b"NOTHING", b"").repeat(1000),
            true,
            usize::MAX,
        ),
        attack("empty parts", [MORE, 0].repeat(10_000), true, 2048),
    ];
    match channel {
        "iopub" => {
            let mut topics = Vec::new();
            for number in 0..255_u8 {
                topics.extend_from_slice(&[0, 2, 1, number]);
            }
            list.push(attack(
                "the same topic",
                b"\x00\x01\x01".repeat(10_000),
                false,
                usize::MAX,
            ));
            list.push(attack(
                "to and fro",
                b"\x00\x02\x01a\x00\x02\x00a".repeat(10_000),
                true,
                usize::MAX,
            ));
            list.push(attack("all topics", topics.clone(), true, topics.len()));
        }
        "heartbeat" => {
            list.push(attack(
                "never reads",
                frames(&[b"", &[b'x'; 4000]]).repeat(10),
                false,
                usize::MAX,
            ));
            list.push(attack(
                "echoes",
                frames(&[b"", b"ping"]).repeat(1000),
                true,
                usize::MAX,
            ));
        }
        _ => {
            let header = json!({"msg_id": "1", "session": "s", "username": "m", "date": "", "version": "5.5",
                "msg_type": "kernel_info_request"});
            let parts = [header.to_string(), "{}".into(), "{}".into(), "{}".into()].map(Into::into);
            let forged = sealed(b"another key", &parts);
            let forged: Vec<&[u8]> = forged.iter().map(|frame| &frame[..]).collect();
            list.push(attack("forged", frames(&forged).repeat(1000), true, usize::MAX));
            let long = vec![b'x'; 15 << 20];
            list.push(attack(
                "forged and long",
                frames(&[b"<IDS|MSG>", &[b'0'; 64], b"{}", b"{}", b"{}", &long]),
                true,
                usize::MAX,
            ));
            list.push(attack("unfinished", unfinished(15 << 20), true, usize::MAX));
        }
    }
    list
}

/// A connection of the crowd: what it has still to send, and when.
struct Member {
    stream: Option<TcpStream>,
    sent: usize,
}

/// The crowd takes what is left of the processors: it is to show what the kernel makes of it, and not to take its time away.
fn step_back() {
    // SAFETY: asks for nothing but a lower priority of this thread; no memory is passed.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 19) };
}

/// Plays all attacks on one port, until told to stop; how often each has connected.
fn play(port: u16, list: Vec<Attack>, now: &AtomicU8) -> Vec<(&'static str, usize, usize)> {
    step_back();
    let mut members: Vec<Member> = list
        .iter()
        .map(|_| Member {
            stream: None,
            sent: 0,
        })
        .collect();
    let mut counts: Vec<_> = list.iter().map(|attack| (attack.name, 0, 0)).collect();
    let mut sink = vec![0; 1 << 16];
    while now.load(Ordering::Relaxed) != OVER {
        if now.load(Ordering::Relaxed) == PAUSE {
            std::thread::sleep(Duration::from_millis(5));
            continue;
        }
        let mut idle = true;
        for ((attack, member), count) in list.iter().zip(&mut members).zip(&mut counts) {
            let Some(stream) = &mut member.stream else {
                let mut peer = RawPeer::connect(port);
                peer.greeting();
                peer.ready(attack.socket_type, b"");
                let stream = peer.stream;
                stream.set_nonblocking(true).expect("an option");
                (member.stream, member.sent) = (Some(stream), 0);
                count.1 += 1;
                continue;
            };
            if attack.reads {
                match stream.read(&mut sink) {
                    Ok(0) => member.stream = None,
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(_) => member.stream = None,
                }
            }
            let Some(stream) = &mut member.stream else {
                continue;
            };
            let at = member.sent % attack.bytes.len();
            match stream.write(&attack.bytes[at..]) {
                Ok(written) => {
                    member.sent += written;
                    count.2 += written;
                    idle = false;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => member.stream = None,
            }
            if member.sent >= attack.renew {
                member.stream = None;
            }
        }
        // The crowd is to keep the kernel busy, not the processor that the client needs.
        std::thread::sleep(Duration::from_millis(if idle { 5 } else { 2 }));
    }
    counts
}

/// A byte a second on many connections, and as many that say nothing.
fn dawdle(ports: [(&'static str, u16); 5], now: &AtomicU8) {
    step_back();
    let handshake = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let mut peer = RawPeer::connect(listener.local_addr().expect("bound").port());
        let (mut other, _) = listener.accept().expect("a connection");
        peer.greeting();
        peer.ready("DEALER", b"");
        drop(peer);
        let mut bytes = Vec::new();
        other.read_to_end(&mut bytes).expect("all of it");
        bytes
    };
    let mut slow: Vec<(u16, Option<TcpStream>, usize)> = Vec::new();
    let mut silent = Vec::new();
    for (_, port) in ports {
        for _ in 0..20 {
            slow.push((port, None, 0));
            silent.extend(TcpStream::connect(("127.0.0.1", port)));
            let mut peer = RawPeer::connect(port);
            peer.greeting();
            for socket_type in ["DEALER", "SUB", "REQ"] {
                peer.ready(socket_type, b"");
            }
            silent.push(peer.stream);
        }
    }
    while now.load(Ordering::Relaxed) != OVER {
        for (port, stream, at) in &mut slow {
            let connected = stream.take().or_else(|| {
                *at = 0;
                TcpStream::connect(("127.0.0.1", *port)).ok()
            });
            *stream =
                connected.filter(|mut stream| stream.write_all(&[handshake[*at % handshake.len()]]).is_ok());
            *at += 1;
        }
        for _ in 0..10 {
            if now.load(Ordering::Relaxed) != OVER {
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }
}

/// Processor time that a process has used.
fn cpu_time(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("/proc is mounted");
    let fields: Vec<&str> = stat.rsplit_once(") ").expect("a name").1.split(' ').collect();
    let ticks: u64 = fields[11].parse::<u64>().expect("user") + fields[12].parse::<u64>().expect("system");
    Duration::from_millis(10 * ticks)
}

/// Round trips of `pass`, as many as there is time for.
fn round_trips(kernel: &mut Kernel, duration: Duration, times: &mut Vec<Duration>) {
    let began = Instant::now();
    while began.elapsed() < duration {
        let sent = Instant::now();
        let request = kernel.send_execute("pass");
        kernel.finish_execute(&request, None).assert_ok();
        times.push(sent.elapsed());
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The median and the 99th percentile.
fn spread(times: &mut [Duration]) -> (Duration, Duration) {
    times.sort_unstable();
    (times[times.len() / 2], times[times.len() * 99 / 100])
}

#[test]
fn a_crowd_on_all_sockets() {
    let seconds = std::env::var("DRUPE_TEST_CROWD_SECONDS")
        .ok()
        .and_then(|text| text.parse().ok());
    let duration = Duration::from_secs(seconds.unwrap_or(8));
    let mut kernel = Kernel::start();
    kernel.assert_alive();
    let pid = kernel.pid();
    round_trips(&mut kernel, Duration::from_secs(1), &mut Vec::new());
    let before = resident_memory(pid);

    let now = Arc::new(AtomicU8::new(PLAY));
    let ports = kernel.connection.ports();
    let mut crowd: Vec<JoinHandle<_>> = Vec::new();
    for (channel, port) in ports {
        let now = Arc::clone(&now);
        let list = attacks(channel, &mut Noise::new(u64::from(port)));
        crowd.push(std::thread::spawn(move || play(port, list, &now)));
    }
    let slow = {
        let now = Arc::clone(&now);
        std::thread::spawn(move || dawdle(ports, &now))
    };
    let watcher = {
        let now = Arc::clone(&now);
        std::thread::spawn(move || {
            let mut most = 0;
            while now.load(Ordering::Relaxed) != OVER {
                most = most.max(resident_memory(pid));
                std::thread::sleep(Duration::from_millis(20));
            }
            most
        })
    };
    let (mut usual, mut crowded) = (Vec::new(), Vec::new());
    let (slices, mut spent) = (duration.as_secs().div_ceil(2), Duration::ZERO);
    for _ in 0..slices {
        let began = cpu_time(pid);
        round_trips(&mut kernel, Duration::from_secs(2), &mut crowded);
        spent += cpu_time(pid) - began;
        now.store(PAUSE, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(200));
        round_trips(&mut kernel, Duration::from_secs(1), &mut usual);
        now.store(PLAY, Ordering::Relaxed);
    }
    // A client that comes now is served as well, and so is the heartbeat.
    let began = Instant::now();
    let mut late = kernel.connect();
    let request = late.send_request(Channel::Control, "kernel_info_request", json!({}));
    late.recv_reply(Channel::Control, &request, "kernel_info_reply");
    kernel.recv_iopub_busy(&request);
    kernel.recv_iopub_idle(&request);
    assert_eq!(kernel.heartbeat(b"still there?"), [&b"still there?"[..]]);
    let late_after = began.elapsed();
    drop(late);
    now.store(OVER, Ordering::Relaxed);
    let counts: Vec<_> = crowd
        .into_iter()
        .map(|thread| thread.join().expect("a crowd"))
        .collect();
    slow.join().expect("the slow ones");
    let most = watcher.join().expect("a watcher");

    let ((usual, usual_99), (median, p99)) = (spread(&mut usual), spread(&mut crowded));
    let mebibytes = |bytes: u64| bytes >> 20;
    let report = format!(
        "pass: usually {usual:?} (p99 {usual_99:?}), in the crowd {median:?} (p99 {p99:?}) of {}; a new client after \
         {late_after:?}; {spent:?} of the processor in {} s; memory {} MiB before and {} at most\n{counts:?}",
        crowded.len(),
        2 * slices,
        mebibytes(before),
        mebibytes(most),
    );
    #[allow(
        clippy::print_stderr,
        reason = "the figures, where somebody asks for the output"
    )]
    {
        eprintln!("{report}");
    }
    assert!(most < before + ALLOWANCE, "{report}");
    assert!(median <= 2 * usual, "{report}");
    assert!(late_after < Duration::from_secs(3), "{report}");
    kernel.assert_alive();
    let log = kernel.log();
    assert!(log.len() < 200_000, "the log has {} bytes", log.len());
}
