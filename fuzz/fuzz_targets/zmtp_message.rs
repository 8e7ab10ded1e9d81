//! Any message, encoded, cut anywhere and decoded, is the same message.

#![no_main]

use bytes::Bytes;
use drupe::transport::zmtp::{Connection, Event, Limits, SocketType, encode, encode_command, greeting};
use libfuzzer_sys::fuzz_target;

const LIMITS: Limits = Limits {
    message_bytes: 1 << 30,
    parts: 1 << 16,
    command_bytes: 512,
};

/// Sizes around the steps of the format: the short and the long frame, the copied and the uncopied part.
const SIZES: [usize; 8] = [0, 1, 255, 256, 4096, 4097, 9000, 70_000];

fuzz_target!(|data: &[u8]| {
    let [step, sizes @ ..] = data else {
        return;
    };
    let parts: Vec<Bytes> = sizes
        .iter()
        .take(64)
        .map(|size| vec![*size; SIZES[usize::from(size % 8)] + usize::from(size / 8)].into())
        .collect();
    if parts.is_empty() {
        return;
    }
    let mut zmtp = Connection::new(SocketType::Router, LIMITS);
    zmtp.feed(&greeting());
    zmtp.feed(&encode_command("READY", b"\x0bSocket-Type\0\0\0\x06DEALER"));
    assert!(matches!(zmtp.poll(), Ok(Some(Event::Hello(_)))));
    zmtp.accept();
    let mut seen = None;
    for piece in encode(&parts).concat().chunks(usize::from(*step) * 37 + 1) {
        zmtp.feed(piece);
        while let Some(event) = zmtp.poll().expect("a good message") {
            assert!(seen.replace(event).is_none(), "one message, one event");
        }
    }
    assert_eq!(seen, Some(Event::Message(parts)));
});
