//! The codec byte by byte: what a peer may say, what it may not, and what is never allocated.

use bytes::Bytes;

use super::*;

const LIMITS: Limits = Limits {
    message_bytes: 1 << 20,
    parts: 16,
    command_bytes: 1 << 10,
};

/// A peer's greeting and READY.
fn opening(socket_type: &str, identity: &[u8]) -> Vec<u8> {
    let mut data = Vec::new();
    for (name, value) in [("Socket-Type", socket_type.as_bytes()), ("Identity", identity)] {
        data.push(name.len() as u8);
        data.extend_from_slice(name.as_bytes());
        data.extend_from_slice(&(value.len() as u32).to_be_bytes());
        data.extend_from_slice(value);
    }
    [&greeting()[..], &encode_command("READY", &data)].concat()
}

fn connection(socket: SocketType) -> Connection {
    Connection::new(socket, LIMITS)
}

/// A connection in traffic, its own greeting and READY taken.
fn ready(socket: SocketType) -> Connection {
    let theirs = if socket == SocketType::XPub {
        "SUB"
    } else {
        "DEALER"
    };
    let mut zmtp = connection(socket);
    zmtp.feed(&opening(theirs, b""));
    assert!(matches!(zmtp.poll(), Ok(Some(Event::Hello(_)))));
    zmtp.accept();
    zmtp.take_output();
    zmtp
}

fn events(zmtp: &mut Connection) -> Result<Vec<Event>, ZmtpError> {
    std::iter::from_fn(|| zmtp.poll().transpose()).collect()
}

fn long(flags: u8, length: u64) -> Vec<u8> {
    [&[flags | 2][..], &length.to_be_bytes()].concat()
}

#[test]
fn the_greeting_is_zmtp_3_1_with_null() {
    let bytes = greeting();
    assert_eq!(bytes[..12], [0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 1]);
    assert_eq!(&bytes[12..17], b"NULL\0");
    assert!(bytes[16..].iter().all(|byte| *byte == 0));
    assert_eq!(bytes.len(), 64);
}

#[test]
fn a_handshake_works_however_it_is_cut() {
    let bytes = opening("DEALER", b"me");
    for cut in 1..bytes.len() {
        let mut zmtp = connection(SocketType::Router);
        let mut seen = Vec::new();
        for piece in bytes.chunks(cut) {
            zmtp.feed(piece);
            seen.extend(events(&mut zmtp).expect("no error"));
        }
        let hello = Hello {
            socket_type: "DEALER".into(),
            identity: "me".into(),
        };
        assert_eq!(seen, [Event::Hello(hello)]);
        assert_eq!(zmtp.take_output(), [greeting()], "READY waits for the verdict");
        zmtp.accept();
        zmtp.accept();
        let ready = b"\x04\x29\x05READY\x0bSocket-Type\x00\x00\x00\x06ROUTER\x08Identity\x00\x00\x00\x00";
        assert_eq!(zmtp.take_output(), [Bytes::from_static(ready)]);
    }
}

#[test]
fn traffic_behind_the_handshake_waits_for_the_verdict() {
    let mut zmtp = connection(SocketType::Router);
    zmtp.feed(&[opening("DEALER", b""), b"\x00\x01x".to_vec()].concat());
    assert!(matches!(zmtp.poll(), Ok(Some(Event::Hello(_)))));
    assert_eq!(zmtp.poll(), Ok(None));
    zmtp.accept();
    assert_eq!(zmtp.poll(), Ok(Some(Event::Message(vec!["x".into()]))));
}

#[test]
fn garbage_is_refused_at_its_first_wrong_byte() {
    let mut wrong_mechanism = greeting().to_vec();
    wrong_mechanism[12..17].copy_from_slice(b"CURVE");
    let mut old = greeting().to_vec();
    old[10] = 2;
    for (bytes, expected) in [
        (b"GET / HTTP/1.1".to_vec(), ZmtpError::Signature),
        (vec![0], ZmtpError::Signature),
        (vec![0xff; 9], ZmtpError::Signature),
        (old[..11].to_vec(), ZmtpError::Version(2)),
        (
            wrong_mechanism[..32].to_vec(),
            ZmtpError::Mechanism("CURVE".into()),
        ),
    ] {
        let mut zmtp = connection(SocketType::Router);
        zmtp.feed(&bytes);
        match (bytes.len(), zmtp.poll()) {
            (9, polled) => assert_eq!(polled, Ok(None), "the tenth byte decides"),
            (_, polled) => assert_eq!(polled, Err(expected)),
        }
        zmtp.feed(&[0; 100]);
        zmtp.poll().ok();
        assert_eq!(zmtp.take_output(), [greeting()], "nothing is said to a stranger");
    }
}

#[test]
fn the_wrong_socket_type_is_told_so() {
    for (ours, theirs) in [
        (SocketType::Router, "SUB"),
        (SocketType::XPub, "DEALER"),
        (SocketType::Rep, "ROUTER"),
        (SocketType::Rep, ""),
    ] {
        let mut zmtp = connection(ours);
        zmtp.feed(&opening(theirs, b""));
        assert!(matches!(zmtp.poll(), Err(ZmtpError::SocketType { .. })));
        let output = zmtp.take_output();
        assert_eq!(&output[1][2..8], b"\x05ERROR");
        zmtp.feed(b"\x00\x01x");
        assert_eq!(zmtp.poll(), Ok(None), "it is closed");
    }
}

#[test]
fn a_handshake_is_commands_and_nothing_else() {
    for (frame, name) in [
        (b"\x00\x01x".to_vec(), "a message"),
        (encode_command("PING", b"\0\0").to_vec(), "another command"),
        (encode_command("HELLO", b"").to_vec(), "HELLO"),
    ] {
        let mut zmtp = connection(SocketType::Router);
        zmtp.feed(&[&greeting()[..], &frame].concat());
        assert_eq!(zmtp.poll(), Err(ZmtpError::Handshake(name.into())));
    }
    let mut zmtp = connection(SocketType::Router);
    zmtp.feed(&[&greeting()[..], &encode_command("ERROR", b"\x02no")].concat());
    assert_eq!(zmtp.poll(), Err(ZmtpError::Peer("no".into())));
}

#[test]
fn malformed_commands_are_refused() {
    for body in [
        &b""[..],
        b"\x05READ",
        b"\x05READY\x0bSocket",
        b"\x05READY\x00",
        b"\x05READY\x01a\xff\xff\xff\xff",
    ] {
        assert!(
            matches!(
                Command::decode(Bytes::from_static(body)),
                Err(ZmtpError::Command(_))
            ),
            "{body:?}"
        );
    }
    assert!(Command::decode(Bytes::from_static(b"\x04PING\x00")).is_err());
    let mut zmtp = connection(SocketType::Router);
    zmtp.feed(&opening("DEALER", &[b'i'; 256]));
    assert!(matches!(zmtp.poll(), Err(ZmtpError::Command(_))));
    let mut zmtp = connection(SocketType::Router);
    zmtp.feed(&opening("DEALER", &[b'i'; 255]));
    assert!(matches!(zmtp.poll(), Ok(Some(Event::Hello(_)))));
}

#[test]
fn property_names_have_no_case_and_unknown_ones_are_skipped() {
    let body = b"\x05READY\x04X-ha\x00\x00\x00\x01!\x0bsocket-TYPE\x00\x00\x00\x03REQ";
    let expected = Command::Ready {
        socket_type: "REQ".into(),
        identity: Bytes::new(),
    };
    assert_eq!(Command::decode(Bytes::from_static(body)), Ok(expected));
}

#[test]
fn no_length_is_believed() {
    for power in [20, 30, 40, 47, 62, 63, 64] {
        let length = 1_u64.checked_shl(power).map_or(u64::MAX, |length| length + 1);
        for flags in [0, 1, 4] {
            let mut before = connection(SocketType::Router);
            before.feed(&[greeting().to_vec(), long(flags, length)].concat());
            assert!(before.poll().is_err());
            let mut after = ready(SocketType::Router);
            after.feed(&long(flags, length));
            let error = after.poll().expect_err("over the limit");
            assert!(
                matches!(
                    error,
                    ZmtpError::MessageSize { .. } | ZmtpError::CommandSize { .. }
                ),
                "{error}"
            );
            assert!(after.held() < 16 << 10);
        }
    }
}

#[test]
fn memory_follows_what_arrived_and_not_what_was_announced() {
    let limits = Limits {
        message_bytes: u64::MAX,
        ..LIMITS
    };
    let mut zmtp = Connection::new(SocketType::Router, limits);
    zmtp.feed(&opening("DEALER", b""));
    zmtp.poll().expect("a hello");
    zmtp.accept();
    zmtp.feed(&long(0, 1 << 40));
    zmtp.feed(&[0; 1000]);
    assert_eq!(zmtp.poll(), Ok(None));
    assert!(zmtp.held() <= 256 << 10);
    zmtp.feed(&vec![0; 1 << 20]);
    assert!(zmtp.held() <= 2 << 20);
    assert_eq!(zmtp.partial(), (1 << 20) + 1000);
}

#[test]
fn the_parts_of_a_message_share_its_limit() {
    let mut zmtp = ready(SocketType::Router);
    zmtp.feed(&long(1, 1 << 19));
    zmtp.feed(&vec![0; 1 << 19]);
    assert_eq!(zmtp.poll(), Ok(None));
    zmtp.feed(&long(0, (1 << 19) + 1));
    assert!(matches!(zmtp.poll(), Err(ZmtpError::MessageSize { .. })));

    let mut zmtp = ready(SocketType::Router);
    zmtp.feed(&[1, 0].repeat(16));
    assert_eq!(zmtp.poll(), Ok(None));
    zmtp.feed(&[0, 0]);
    assert_eq!(zmtp.poll(), Err(ZmtpError::Parts(16)));
}

#[test]
fn messages_survive_the_way_there_and_back() {
    for sizes in [
        vec![0],
        vec![1, 255, 256],
        vec![0, 0, COPY_UP_TO, COPY_UP_TO + 1, 0],
        vec![70_000, 3, 90_000],
    ] {
        let parts: Vec<Bytes> = sizes.iter().map(|size| vec![b'p'; *size].into()).collect();
        let bytes = encode(&parts).concat();
        for cut in [1, 7, 4096, bytes.len()] {
            let mut zmtp = ready(SocketType::Router);
            let mut seen = Vec::new();
            for piece in bytes.chunks(cut) {
                zmtp.feed(piece);
                seen.extend(events(&mut zmtp).expect("no error"));
            }
            assert_eq!(seen, [Event::Message(parts.clone())]);
        }
    }
}

#[test]
fn big_parts_are_not_copied() {
    let big = Bytes::from(vec![1; COPY_UP_TO + 1]);
    let chunks = encode(&["a".into(), big.clone(), "b".into()]);
    assert_eq!(chunks.len(), 3);
    assert_eq!(chunks[1].as_ptr(), big.as_ptr());

    let mut zmtp = ready(SocketType::Router);
    zmtp.feed(&long(0, 1 << 20));
    zmtp.feed(&vec![7; (1 << 20) - 1]);
    assert_eq!(zmtp.poll(), Ok(None));
    let mut last = std::ptr::null();
    zmtp.fill(1, |room| {
        room[0] = 8;
        last = &raw const room[0];
        Ok(1)
    })
    .expect("memory");
    let event = zmtp.poll();
    let Ok(Some(Event::Message(parts))) = event else {
        panic!("{event:?}")
    };
    assert_eq!(&raw const parts[0][(1 << 20) - 1], last);
}

/// What a message took goes with it, although the connection stays and its next message has begun.
#[test]
fn a_big_message_leaves_nothing_behind() {
    for size in [100_000, 200 << 10, 10 << 20] {
        let mut zmtp = Connection::new(
            SocketType::Router,
            Limits {
                message_bytes: 1 << 30,
                ..LIMITS
            },
        );
        zmtp.feed(&opening("DEALER", b""));
        zmtp.poll().expect("a hello");
        zmtp.accept();
        for piece in [&long(0, size)[..], &vec![0; size as usize], b"\x00\x05he"]
            .concat()
            .chunks(4096)
        {
            zmtp.feed(piece);
            if let Ok(Some(Event::Message(parts))) = zmtp.poll() {
                assert_eq!(parts[0].len() as u64, size);
            }
        }
        assert!(zmtp.held() < 20 << 10, "{} of {size}", zmtp.held());
        zmtp.feed(b"llo");
        assert_eq!(zmtp.poll(), Ok(Some(Event::Message(vec!["hello".into()]))));
    }
}

#[test]
fn reserved_flags_are_refused() {
    for flags in [8, 0x10, 0x80, 5, 7] {
        let mut zmtp = ready(SocketType::Router);
        zmtp.feed(&[flags]);
        assert_eq!(zmtp.poll(), Err(ZmtpError::Flags(flags)));
    }
}

#[test]
fn ping_is_answered_with_its_context_even_inside_a_message() {
    let mut zmtp = ready(SocketType::Router);
    zmtp.feed(b"\x01\x01a");
    zmtp.feed(&encode_command("PING", b"\x00\x0acontext"));
    zmtp.feed(b"\x00\x01b");
    assert_eq!(
        zmtp.poll(),
        Ok(Some(Event::Message(vec!["a".into(), "b".into()])))
    );
    assert_eq!(
        zmtp.take_output(),
        [Bytes::from_static(b"\x04\x0c\x04PONGcontext")]
    );
    zmtp.feed(&encode_command("PING", &[b'x'; 200]));
    zmtp.feed(&encode_command("PONG", b""));
    assert_eq!(zmtp.poll(), Ok(None));
    assert_eq!(
        zmtp.take_output(),
        [encode_command("PONG", &[b'x'; MAX_PING_CONTEXT])]
    );
}

#[test]
fn subscriptions_come_in_both_forms() {
    let mut zmtp = ready(SocketType::XPub);
    zmtp.feed(&encode_command("SUBSCRIBE", b"a"));
    zmtp.feed(b"\x00\x02\x01b\x00\x01\x01");
    zmtp.feed(&encode_command("CANCEL", b"a"));
    zmtp.feed(b"\x00\x02\x00b\x00\x01\x02");
    let expected = [
        Event::Subscribe("a".into()),
        Event::Subscribe("b".into()),
        Event::Subscribe("".into()),
        Event::Cancel("a".into()),
        Event::Cancel("b".into()),
        Event::Message(vec!["\x02".into()]),
    ];
    assert_eq!(events(&mut zmtp), Ok(expected.to_vec()));
    let mut router = ready(SocketType::Router);
    router.feed(&encode_command("SUBSCRIBE", b"a"));
    router.feed(b"\x00\x02\x01b");
    let expected = [
        Event::Ignored("SUBSCRIBE".into()),
        Event::Message(vec!["\x01b".into()]),
    ];
    assert_eq!(events(&mut router), Ok(expected.to_vec()));
}

#[test]
fn a_refusal_carries_its_reason() {
    let mut zmtp = connection(SocketType::Router);
    zmtp.feed(&opening("DEALER", b""));
    zmtp.poll().expect("a hello");
    zmtp.refuse("full");
    assert_eq!(zmtp.take_output()[1], encode_command("ERROR", b"\x04full"));
    zmtp.refuse(&"x".repeat(1000));
    assert!(zmtp.take_output().is_empty(), "it is closed already");
}

#[test]
fn random_bytes_never_panic() {
    // A fixed xorshift: the same bytes every time; the fuzz targets look further.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for round in 0..4000 {
        let socket = [SocketType::Router, SocketType::XPub, SocketType::Rep][round % 3];
        let mut zmtp = if round % 2 == 0 {
            ready(socket)
        } else {
            connection(socket)
        };
        if round % 4 == 1 {
            zmtp.feed(&greeting());
        }
        for _ in 0..8 {
            let bytes: Vec<u8> = (0..random() % 64).map(|_| (random() % 9) as u8 * 3 / 2).collect();
            zmtp.feed(&bytes);
            while let Ok(Some(event)) = zmtp.poll() {
                if matches!(event, Event::Hello(_)) {
                    zmtp.accept();
                }
            }
            zmtp.take_output();
        }
    }
}
