//! Any frames: `Session::open` never panics, takes nothing that is not signed, nothing twice, and hands on every byte of
//! what it takes. What the kernel then says can be read by the peer.
//!
//! The first byte chooses whether the rest, cut at 0xFF, is a whole message or the parts of one that is signed here.

#![no_main]

use bytes::Bytes;
use drupe::wire::message::reply_type;
use drupe::wire::signature::Signer;
use drupe::wire::{DELIMITER, Outgoing, Session, WireError};
use libfuzzer_sys::fuzz_target;

const KEY: &[u8] = b"a0436f6c-1916-498b-8eb9-e81ab9368e84";
const SCHEME: &str = "hmac-sha256";

fn session() -> Session {
    Session::new(KEY, SCHEME).expect("a known scheme")
}

fuzz_target!(|data: &[u8]| {
    let [mode, rest @ ..] = data else {
        return;
    };
    let mut parts: Vec<Bytes> = rest
        .split(|byte| *byte == 0xff)
        .map(Bytes::copy_from_slice)
        .collect();
    let mut kernel = session();
    if mode & 1 == 0 {
        assert!(kernel.open(parts.clone()).is_err(), "nobody guesses a signature");
        assert!(kernel.open_single(parts).is_err(), "nobody guesses a signature");
        return;
    }
    parts.resize_with(parts.len().max(4), || Bytes::from_static(b"{}"));
    let buffers = parts.split_off(4);
    let signer = Signer::new(SCHEME, KEY).expect("a known scheme");
    let signed: Vec<&[u8]> = parts.iter().map(|part| &part[..]).collect();
    let signature = signer.sign(&signed);
    let frames = |signature: Bytes| -> Vec<Bytes> {
        let head = [
            Bytes::from_static(b"peer"),
            Bytes::from_static(DELIMITER),
            signature,
        ];
        head.into_iter()
            .chain(parts.clone())
            .chain(buffers.clone())
            .collect()
    };
    let mut forged = signature.to_vec();
    forged[usize::from(*mode) % 64] ^= 1;
    assert_eq!(
        kernel.open(frames(forged.into())).err(),
        Some(WireError::BadSignature)
    );
    let opened = kernel.open(frames(signature.clone()));
    assert_eq!(
        kernel.open(frames(signature)).err(),
        Some(WireError::ReplayedSignature)
    );
    let Ok(message) = opened else {
        return;
    };
    assert_eq!(message.identities, [&b"peer"[..]]);
    assert_eq!([&message.metadata, &message.content], [&parts[2], &parts[3]]);
    assert_eq!(message.buffers, buffers);
    let text = std::str::from_utf8(&message.header.raw).expect("no client is sent what it cannot decode");
    assert!(String::from_utf8_lossy(&parts[0]) == text);

    let msg_type = reply_type(&message.header.msg_type);
    let mut reply = Outgoing::new(msg_type.clone(), message.content.clone());
    reply.parent = Some(message.header.raw.clone());
    reply.buffers = message.buffers.clone();
    let sealed = kernel.seal(&message.identities, &reply);
    assert_eq!(sealed[4], message.header.raw);
    match session().open(sealed) {
        Ok(seen) => assert_eq!((seen.header.msg_type, seen.content), (msg_type, message.content)),
        // The request's type was as long as a type may be.
        Err(error) => assert!(matches!(error, WireError::NameTooLong { .. }), "{error}"),
    }
});
