use super::*;

const PARTS: [&[u8]; 4] = [
    br#"{"msg_id":"a","msg_type":"kernel_info_request"}"#,
    b"{}",
    b"{}",
    "{\"x\":\"é\"}".as_bytes(),
];

/// Computed with Python's `hmac` over `PARTS`, key `a-key`.
const KNOWN: [(&str, &str); 6] = [
    (
        "hmac-sha256",
        "323c48f5ab3fc335940af96a93e0f7f2128a10948069e0b2e692fe9ee7acc58c",
    ),
    (
        "hmac-sha224",
        "02ebd1a8521430c6feb6397d2835825d153a9d3817ad7756b3a711c4",
    ),
    (
        "hmac-sha384",
        "a5f1dabae48db75662dfa9306ac483ea0e6acaee064787e0f440da69b8b69e5a126bbdb7855973d1817f9725e5faa222",
    ),
    (
        "hmac-sha512",
        "bf3b38bcf36163c0304e5e04a18d60f5c0c566f21c2aa57385c120f7b10e6de2332f6e7ed6f8a6ca803029c28d4af255e4a3c174b94299891764d5c6068acd57",
    ),
    ("hmac-sha1", "5b90e769850ba53a301f8823f08f95a2c1b2afdf"),
    ("hmac-md5", "63fee1c2e8a1c78d6c410ebc615a5633"),
];

#[test]
fn known_answers_of_every_scheme() {
    for (scheme, known) in KNOWN {
        let signer = Signer::new(scheme, b"a-key").expect(scheme);
        assert_eq!(signer.sign(&PARTS), known.as_bytes(), "{scheme}");
        assert!(
            matches!(signer.verify(known.as_bytes(), &PARTS), Ok(Some(_))),
            "{scheme}"
        );
    }
}

#[test]
fn wrong_signatures_are_refused() {
    let signer = Signer::new("hmac-sha256", b"a-key").expect("a known scheme");
    let right = signer.sign(&PARTS).to_vec();
    let mut flipped = right.clone();
    flipped[63] ^= 1;
    let upper = right.to_ascii_uppercase();
    for wrong in [
        &flipped[..],
        &upper,
        &right[..62],
        &right[..63],
        b"00",
        b"zz",
        &[0xff; 64],
        &vec![b'0'; 1 << 20],
    ] {
        assert_eq!(signer.verify(wrong, &PARTS), Err(WireError::BadSignature));
    }
    assert_eq!(signer.verify(b"", &PARTS), Err(WireError::MissingSignature));
    // The parts are hashed as one text, but in their order.
    assert_eq!(
        signer.verify(&right, &[PARTS[1], PARTS[0], PARTS[2], PARTS[3]]),
        Err(WireError::BadSignature)
    );
}

#[test]
fn an_empty_key_signs_and_checks_nothing() {
    let signer = Signer::new("hmac-sha256", b"").expect("a known scheme");
    assert!(signer.sign(&PARTS).is_empty());
    assert_eq!(signer.verify(b"whatever", &PARTS), Ok(None));
}

#[test]
fn unknown_schemes_are_named_and_keys_are_not_shown() {
    for scheme in ["", "sha256", "hmac-", "hmac-crc32", "HMAC-SHA256"] {
        let error = Signer::new(scheme, b"secret-key").expect_err(scheme).to_string();
        assert!(
            error.contains(&format!("{scheme:?}")) && !error.contains("secret"),
            "{error}"
        );
    }
    let shown = format!("{:?}", Signer::new("hmac-sha256", b"secret-key"));
    assert!(!shown.contains("secret"), "{shown}");
}
