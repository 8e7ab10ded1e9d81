//! Any bytes, cut anywhere, become the text that they would become in one piece.

#![no_main]

use drupe::kernel::decoder::Decoder;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [step, bytes @ ..] = data else {
        return;
    };
    let mut decoder = Decoder::default();
    let mut text = String::new();
    for piece in bytes.chunks(usize::from(*step).max(1)) {
        text.push_str(&decoder.decode(piece));
    }
    // An unfinished character at the end waits; this ends it.
    text.push_str(&decoder.decode(b"!"));
    assert_eq!(text, String::from_utf8_lossy(&[bytes, b"!"].concat()));
});
