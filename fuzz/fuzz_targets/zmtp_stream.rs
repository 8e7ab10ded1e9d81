//! Any bytes, cut anywhere: the codec neither panics, nor loops, nor holds more than what came in and a constant, and what
//! it says does not depend on the cuts.

#![no_main]

use drupe::transport::zmtp::{Connection, Event, Limits, SocketType, greeting};
use libfuzzer_sys::fuzz_target;

const LIMITS: Limits = Limits {
    message_bytes: 1 << 40,
    parts: 8,
    command_bytes: 512,
};

/// What comes out when `bytes` come in by `step` at a time; whether the connection broke, last.
fn read(socket: SocketType, bytes: &[u8], step: usize) -> (Vec<Event>, bool) {
    let mut zmtp = Connection::new(socket, LIMITS);
    let mut events = Vec::new();
    for piece in bytes.chunks(step) {
        zmtp.feed(piece);
        loop {
            match zmtp.poll() {
                Ok(Some(event)) => {
                    if matches!(event, Event::Hello(_)) {
                        zmtp.accept();
                    }
                    events.push(event);
                }
                Ok(None) => break,
                Err(_) => return (events, true),
            }
        }
        let answers: usize = zmtp.take_output().iter().map(|chunk| chunk.len()).sum();
        assert!(
            answers <= 1024 + 2 * bytes.len(),
            "answers outgrow what was asked"
        );
        assert!(
            zmtp.held() <= 4 * bytes.len() + (256 << 10),
            "a length was believed"
        );
    }
    (events, false)
}

fuzz_target!(|data: &[u8]| {
    let [mode, step, bytes @ ..] = data else {
        return;
    };
    let socket = [SocketType::Router, SocketType::XPub, SocketType::Rep][usize::from(mode % 3)];
    // Half of the runs begin behind the greeting, which a fuzzer takes long to find.
    let bytes = if mode & 0x80 == 0 {
        bytes.to_vec()
    } else {
        [&greeting()[..], bytes].concat()
    };
    let whole = read(socket, &bytes, bytes.len().max(1));
    let cut = read(socket, &bytes, usize::from(*step).max(1));
    assert_eq!(whole, cut);
});
