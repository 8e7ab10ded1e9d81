use super::*;

fn parse(text: impl Into<Vec<u8>>) -> Result<Header, WireError> {
    Header::parse(Bytes::from(text.into()))
}

#[test]
fn fields_are_read_and_bytes_are_kept() {
    let text = r#" {"msg_id": "i", "msg_type":"execute_request","session":"s","username":"ü","version":"5.4","date":"x","subshell_id":"sub","other":{"a":[1,NaN]}}"#;
    let header = parse(text).expect("a header");
    assert_eq!(header.raw, text.as_bytes());
    assert_eq!(
        (header.msg_id.as_str(), header.msg_type.as_str()),
        ("i", "execute_request")
    );
}

#[test]
fn only_id_and_type_are_needed() {
    for text in [
        r#"{"msg_id":"i","msg_type":"t"}"#,
        r#"{"msg_id":"i","msg_type":"t","session":null,"username":7,"version":[5],"subshell_id":null}"#,
        r#"{"msg_id":"x","msg_id":"i","msg_type":"t"}"#,
    ] {
        let header = parse(text).expect(text);
        assert_eq!((header.msg_id.as_str(), header.msg_type.as_str()), ("i", "t"));
    }
    for text in [
        r#"{"msg_type":"t"}"#,
        r#"{"msg_id":"i"}"#,
        r#"{"msg_id":1,"msg_type":"t"}"#,
        r#"{"msg_id":"i","msg_type":null}"#,
    ] {
        assert!(
            matches!(parse(text), Err(WireError::BadPart { part: "header", .. })),
            "{text}"
        );
    }
}

#[test]
fn what_is_not_an_object_is_refused() {
    for text in [
        &b""[..],
        b"{",
        b"null",
        b"[\"i\",\"t\",\"\",\"\",\"\",null]",
        b"\xff\xfe",
        b"{\"msg_id\":\xff}",
        b"{}",
    ] {
        assert!(matches!(
            parse(text),
            Err(WireError::BadPart { part: "header", .. })
        ));
    }
}

#[test]
fn a_msg_type_of_a_megabyte_is_named_in_short() {
    for length in [2000, 1 << 20] {
        let error = parse(format!(
            r#"{{"msg_id":"i","msg_type":"{}"}}"#,
            "ä".repeat(length / 2)
        ))
        .expect_err("long");
        assert!(matches!(error, WireError::NameTooLong { field: "msg_type", length: l, .. } if l == length));
        assert!(error.to_string().len() < 200, "{error}");
    }
    let long_id = format!(r#"{{"msg_id":"{}","msg_type":"t"}}"#, "i".repeat(2000));
    assert!(matches!(
        parse(long_id),
        Err(WireError::NameTooLong { field: "msg_id", .. })
    ));
}

#[test]
fn headers_are_bounded_in_size_and_depth() {
    let deep = format!(
        r#"{{"msg_id":"i","msg_type":"t","x":{}1{}}}"#,
        "[".repeat(20_000),
        "]".repeat(20_000)
    );
    assert!(
        matches!(parse(deep), Err(WireError::BadPart { part: "header", reason }) if reason.contains("deep"))
    );
    let huge = format!(
        r#"{{"msg_id":"i","msg_type":"t","x":"{}"}}"#,
        "x".repeat(MAX_HEADER)
    );
    assert!(
        matches!(parse(huge), Err(WireError::BadPart { part: "header", reason }) if reason.contains("65"))
    );
    for deep in ["[".repeat(1_000_000), "{\"a\":".repeat(100_000)] {
        assert!(matches!(parse(deep), Err(WireError::BadPart { .. })));
    }
}

#[test]
fn a_user_name_that_is_not_utf_8_is_mended() {
    let text = b"{\"msg_id\":\"i\",\"msg_type\":\"t\",\"username\":\"J\xf6rg\"}";
    let header = parse(text).expect("a header");
    let mended = std::str::from_utf8(&header.raw).expect("UTF-8");
    assert!(mended.contains("\"username\":\"J\u{fffd}rg\""), "{mended}");
    assert_eq!(Header::parse(header.raw.clone()).as_ref(), Ok(&header));
}
