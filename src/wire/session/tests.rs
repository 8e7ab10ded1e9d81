use std::collections::HashSet;

use serde_json::{Value, json};

use super::*;
use crate::wire::message::to_json;
use crate::wire::messages::comm::CommId;
use crate::wire::messages::iopub::Stream;
use crate::wire::messages::stdin::InputReply;
use crate::wire::replay;

const HEADER: &[u8] = br#"{"msg_id":"m1","msg_type":"execute_request","x":1}"#;

fn session(key: &[u8]) -> Session {
    Session::new(key, "hmac-sha256").expect("a known scheme")
}

/// The frames of a request as a client signs it.
fn request(key: &[u8], parts: [&[u8]; 4], buffers: &[&'static [u8]]) -> Vec<Bytes> {
    let signature = Signer::new("hmac-sha256", key)
        .expect("a known scheme")
        .sign(&parts);
    let mut frames = vec![
        Bytes::from_static(b"peer"),
        Bytes::from_static(DELIMITER),
        signature,
    ];
    frames.extend(parts.iter().map(|part| Bytes::copy_from_slice(part)));
    frames.extend(buffers.iter().map(|buffer| Bytes::from_static(buffer)));
    frames
}

#[test]
fn a_request_is_opened_and_its_reply_is_sealed() {
    let mut kernel = session(b"key");
    let frames = request(
        b"key",
        [HEADER, b"{}", br#"{"m":1}"#, br#"{"value":"v","y":2}"#],
        &[b"one", DELIMITER],
    );
    let message = kernel.open(frames).expect("a good message");
    assert_eq!(message.identities, [b"peer".as_slice()]);
    assert_eq!(message.header.msg_id, "m1");
    assert_eq!(message.metadata, &br#"{"m":1}"#[..]);
    assert_eq!(message.buffers, [b"one".as_slice(), DELIMITER]);
    assert_eq!(message.content::<InputReply>().expect("a value").value, "v");

    let mut reply = Outgoing::new("execute_reply", Bytes::from_static(b"{}"));
    reply.parent = Some(message.header.raw.clone());
    reply.buffers = vec![Bytes::from_static(b"b")];
    let frames = kernel.seal(&message.identities, &reply);
    assert_eq!(frames.len(), 8);
    assert_eq!(
        (&frames[0][..], &frames[1][..], &frames[4][..], &frames[7][..]),
        (&b"peer"[..], DELIMITER, HEADER, &b"b"[..])
    );
    let seen = session(b"key").open(frames).expect("the kernel's own message");
    assert_eq!(seen.header.msg_type, "execute_reply");
    let header: Value = serde_json::from_slice(&seen.header.raw).expect("JSON");
    assert_eq!(
        (&header["session"], &header["version"]),
        (&json!(kernel.id()), &json!("5.5"))
    );
}

#[test]
fn headers_are_json_whatever_the_names_are() {
    let kernel = session(b"");
    let out = Outgoing::new("odd \"type\"\u{7f}".to_owned(), Bytes::from_static(b"{}"));
    let frames = kernel.seal(&[], &out);
    let header: Value = serde_json::from_slice(&frames[2]).expect("JSON");
    assert_eq!(header["username"], "username");
    assert_eq!(header["msg_type"], "odd \"type\"\u{7f}");
    assert_eq!(header["msg_id"], format!("{}_0", kernel.id()));
    let date = header["date"].as_str().expect("a date");
    assert_eq!((date.len(), &date[19..20], &date[26..]), (27, ".", "Z"), "{date}");
    assert!(date.parse::<jiff::Timestamp>().is_ok());
    assert!(frames[1].is_empty() && frames[3] == EMPTY);
}

#[test]
fn ids_are_unique() {
    let kernel = session(b"");
    let out = Outgoing::new("status", EMPTY);
    let ids: HashSet<_> = (0..1000)
        .map(|_| {
            Header::parse(kernel.seal(&[], &out)[2].clone())
                .expect("ours")
                .msg_id
        })
        .collect();
    assert_eq!(ids.len(), 1000);
}

#[test]
fn bad_frames_are_refused() {
    let mut kernel = session(b"key");
    let good = request(b"key", [HEADER, b"{}", b"{}", b"{}"], &[]);
    assert_eq!(
        kernel.open(vec![]).expect_err("refused"),
        WireError::MissingDelimiter { frames: 0 }
    );
    let without: Vec<_> = good.iter().filter(|f| *f != DELIMITER).cloned().collect();
    assert_eq!(
        kernel.open(without).expect_err("refused"),
        WireError::MissingDelimiter { frames: 6 }
    );
    for length in 2..7 {
        let error = kernel.open(good[..length].to_vec()).expect_err("refused");
        assert_eq!(
            error,
            WireError::TooFewFrames {
                got: length - 2,
                needed: 5
            }
        );
    }
    let mut unsigned = good.clone();
    unsigned[2] = Bytes::new();
    assert_eq!(
        kernel.open(unsigned).expect_err("refused"),
        WireError::MissingSignature
    );
    let other_key = request(b"other", [HEADER, b"{}", b"{}", b"{}"], &[]);
    assert_eq!(
        kernel.open(other_key).expect_err("refused"),
        WireError::BadSignature
    );
    for part in 3..7 {
        let mut changed = good.clone();
        changed[part] = Bytes::from_static(b"{ }");
        assert_eq!(
            kernel.open(changed).expect_err("refused"),
            WireError::BadSignature,
            "part {part}"
        );
    }
    assert!(kernel.open(good.clone()).is_ok());
    assert_eq!(
        kernel.open(good).expect_err("refused"),
        WireError::ReplayedSignature
    );
}

#[test]
fn without_a_key_nothing_is_checked_and_nothing_is_a_replay() {
    let mut kernel = session(b"");
    for signature in [&b""[..], b"junk"] {
        let mut frames = request(b"", [HEADER, b"{}", b"{}", b"{}"], &[]);
        frames[2] = Bytes::copy_from_slice(signature);
        assert!(kernel.open(frames.clone()).is_ok() && kernel.open(frames).is_ok());
    }
}

#[test]
fn the_memory_of_signatures_is_bounded() {
    let mut seen = replay::Replay::default();
    let count = 3 * replay::CAPACITY as u128;
    for tag in 0..count {
        assert!(seen.admit(tag));
        assert!(seen.len() <= replay::CAPACITY);
    }
    assert!(!seen.admit(count - 1) && !seen.admit(count - replay::CAPACITY as u128 / 2));
    assert!(seen.admit(0), "the oldest are forgotten");
}

#[test]
fn parts_that_are_not_read_may_be_anything() {
    let mut kernel = session(b"key");
    let deep = format!("{{\"a\":{}}}", "[".repeat(100_000));
    for junk in [&b"\xff\xfe"[..], b"", b"{", deep.as_bytes()] {
        let message = kernel
            .open(request(b"key", [HEADER, junk, junk, junk], &[]))
            .expect("good to pass on");
        assert_eq!(&message.content[..], junk);
        let error = message.content::<InputReply>().expect_err("refused");
        assert!(
            matches!(&error, WireError::BadPart { part: "content", .. }),
            "{error}"
        );
        assert!(error.to_string().len() < 300);
        let error = kernel
            .open(request(b"key", [junk, b"{}", b"{}", b"{}"], &[]))
            .expect_err("refused");
        assert!(matches!(error, WireError::BadPart { part: "header", .. }));
    }
}

#[test]
fn a_comms_data_is_passed_on_unread() {
    let mut kernel = session(b"key");
    let data = format!("{}\"\\ud800\"{}", "[".repeat(100_000), "]".repeat(100_000));
    let content = format!(r#"{{"comm_id":"c","target_name":"t","target_module":null,"data":{data}}}"#);
    let message = kernel
        .open(request(b"key", [HEADER, b"{}", b"{}", content.as_bytes()], &[]))
        .expect("good");
    let open: CommId = message.content().expect("a comm_open");
    assert_eq!(open.comm_id, "c");
    assert_eq!(message.content.len(), content.len());
}

#[test]
fn one_part_messages_are_signed_and_checked() {
    let mut kernel = session(b"key");
    let frames = session(b"key").seal_single(Bytes::from_static(b"{\"a\":1}"));
    assert_eq!(
        kernel.open_single(frames.clone()),
        Ok(Bytes::from_static(b"{\"a\":1}"))
    );
    assert_eq!(
        kernel.open_single(frames.clone()),
        Err(WireError::ReplayedSignature)
    );
    assert_eq!(
        kernel.open_single(frames[..2].to_vec()),
        Err(WireError::TooFewFrames { got: 1, needed: 2 })
    );
    let other = session(b"other").seal_single(EMPTY);
    assert_eq!(kernel.open_single(other), Err(WireError::BadSignature));
}

/// A small generator (xorshift), so that the test is the same on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }
}

/// Messages with bytes and frames changed, dropped, doubled and swapped at random: with a key all are refused, without
/// one each is opened or refused, and nothing panics, whatever is read from what was opened.
#[test]
fn random_mutations_never_panic_and_never_pass_a_signature() {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let parts: [&[u8]; 4] = [
        HEADER,
        HEADER,
        b"{\"a\":[NaN,1e400]}",
        br#"{"comm_id":"c","target_name":"\ud800t","data":{"v":[-Infinity,9999]}}"#,
    ];
    let mut accepted = 0;
    for round in 0..20_000 {
        let key: &[u8] = if round % 2 == 0 { b"key" } else { b"" };
        let original = request(key, parts, &[b"buffer"]);
        let mut frames = original.clone();
        for _ in 0..=random.below(4) {
            let at = random.below(frames.len());
            match random.below(6) {
                0 if frames.len() > 1 => drop(frames.remove(at)),
                1 => frames.insert(at, frames[at].clone()),
                2 => {
                    let other = random.below(frames.len());
                    frames.swap(at, other);
                }
                _ => {
                    let mut bytes = frames[at].to_vec();
                    let place = random.below(bytes.len());
                    match random.below(4) {
                        0 => bytes.truncate(place),
                        1 => bytes.insert(place.min(bytes.len()), b"\"\\{}[]:,Nu0-e\xff"[random.below(14)]),
                        _ if bytes.is_empty() => {}
                        2 => bytes[place] = random.below(256) as u8,
                        _ => bytes[place] ^= 1 << random.below(8),
                    }
                    frames[at] = bytes.into();
                }
            }
        }
        // What is signed and where it stands; identities and buffers are free to differ.
        let signed = |f: &[Bytes]| {
            f.iter()
                .position(|x| x == DELIMITER)
                .map(|at| f[at..].iter().take(6).cloned().collect::<Vec<_>>())
        };
        let changed = signed(&frames) != signed(&original);
        if let Ok(message) = session(key).open(frames) {
            assert!(
                key.is_empty() || !changed,
                "a changed message passed its signature"
            );
            accepted += 1;
            let _ = (
                message.content::<CommId>(),
                message.content::<InputReply>(),
                message.content::<Value>(),
            );
        }
    }
    assert!(
        accepted > 1000,
        "only {accepted} messages came through: the test changes too much"
    );
}

/// Not a bound, since machines differ: prints what sealing costs. Run with
/// `cargo test --profile quick seal_costs -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
#[allow(clippy::print_stdout)]
fn seal_costs() {
    let mut kernel = session(b"01234567-89ab-cdef-0123-456789abcdef");
    let parent = Bytes::from_static(&[b'x'; 250]);
    let text = "x".repeat(170);
    let topic = [Bytes::from_static(b"stream.stdout")];
    let started = std::time::Instant::now();
    let mut bytes = 0;
    for _ in 0..100_000 {
        let mut out = Outgoing::new(
            "stream",
            to_json(&Stream {
                name: "stdout",
                text: &text,
            }),
        );
        out.parent = Some(parent.clone());
        bytes += kernel.seal(&topic, &out).iter().map(Bytes::len).sum::<usize>();
    }
    println!(
        "seal: {:?} each, {bytes} bytes in all",
        started.elapsed() / 100_000
    );
    let requests: Vec<_> = (0..60_000)
        .map(|_| {
            kernel.seal(
                &topic,
                &Outgoing::new("execute_request", Bytes::from_static(&[b' '; 200])),
            )
        })
        .collect();
    let started = std::time::Instant::now();
    let opened = requests
        .into_iter()
        .filter_map(|frames| kernel.open(frames).ok())
        .count();
    println!("open: {:?} each", started.elapsed() / 60_000);
    assert_eq!(opened, 60_000);
}
