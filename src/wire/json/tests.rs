use serde::Deserialize;
use serde_json::{Value, json};

use super::*;

fn read(text: &str) -> Result<Value, JsonError> {
    from_slice_lenient(text.as_bytes())
}

#[test]
fn plain_json_is_read_as_it_is() {
    let text = r#"{"a":[1,-2.5e3,true,null,"\u00e9\ud83d\ude00\n"],"b":{}}"#;
    assert_eq!(
        read(text),
        Ok(json!({"a": [1, -2500.0, true, null, "é😀\n"], "b": {}}))
    );
}

#[test]
fn python_json_is_understood() {
    for (text, value) in [
        ("NaN", json!(null)),
        (
            r#"{"a": NaN, "b": [Infinity, -Infinity, -1]}"#,
            json!({"a": null, "b": [null, null, -1]}),
        ),
        (r#""a\ud800""#, json!("a\u{fffd}")),
        (r#""\udc00b""#, json!("\u{fffd}b")),
        (r#""\ud800\ud800\udc00""#, json!("\u{fffd}\u{10000}")),
        (r#""\ud800A""#, json!("\u{fffd}A")),
        (r#""\\ud800 \ud800 \"NaN\"""#, json!("\\ud800 \u{fffd} \"NaN\"")),
        (r#"[1e999, -1e999]"#, json!([f64::MAX, f64::MIN])),
    ] {
        assert_eq!(read(text), Ok(value), "{text}");
    }
    let big = "9".repeat(5000);
    assert_eq!(read(&big), Ok(json!(f64::MAX)));
    assert_eq!(read(&format!("-{big}")), Ok(json!(f64::MIN)));
    assert_eq!(
        read("123456789012345678901234567890").expect("a double"),
        json!(1.2345678901234568e29)
    );
}

#[test]
fn the_last_of_repeated_keys_counts_in_structs_too() {
    #[derive(Deserialize, Debug, PartialEq)]
    struct Content {
        a: u32,
    }
    assert_eq!(
        from_slice_lenient::<Content>(br#"{"a":1,"a":2,"c":3}"#),
        Ok(Content { a: 2 })
    );
}

#[test]
fn what_is_not_json_is_refused() {
    for text in [
        "",
        " ",
        "{",
        "[1,]",
        "nan",
        "Nan",
        "+1",
        "01",
        "--1",
        "-",
        "-NaN",
        "'a'",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\",
        "\"",
        "\"a\nb\"",
        "1 2",
        "InfinityX",
        "{\"a\"}",
        "\"\\x\"",
        "\u{feff}{}",
    ] {
        assert!(
            matches!(read(text), Err(JsonError::Invalid(_))),
            "{text:?} gave {:?}",
            read(text)
        );
    }
}

#[test]
fn bytes_that_are_not_utf_8_are_replaced() {
    assert_eq!(
        from_slice_lenient(b"{\"a\":\"x\xff\"}"),
        Ok(json!({"a": "x\u{fffd}"}))
    );
    for bytes in [b"\xff\xfe{\x00}\x00".as_slice(), b"\xff", b"{\xff}"] {
        assert!(matches!(
            from_slice_lenient::<Value>(bytes),
            Err(JsonError::Invalid(_))
        ));
    }
}

#[test]
fn deep_nesting_is_an_error_and_not_a_crash() {
    for depth in [128, 1000, 100_000, 1_000_000] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let text = open.repeat(depth) + "1" + &close.repeat(depth);
            assert_eq!(read(&text), Err(JsonError::TooDeep), "{depth} {open}");
            assert_eq!(super::depth(text.as_bytes()), depth);
            assert_eq!(
                read(&open.repeat(depth)),
                Err(JsonError::TooDeep),
                "{depth} {open} unclosed"
            );
        }
    }
    assert!(read(&("[".repeat(MAX_DEPTH) + "NaN" + &"]".repeat(MAX_DEPTH))).is_ok());
}

#[test]
fn depth_passes_over_strings() {
    assert_eq!(depth(br#"{"a":"[[[\"[[[","b":[{}]}"#), 3);
    assert_eq!(depth(b"1"), 0);
    assert_eq!(depth(b"]]]]["), 1);
}

#[test]
fn only_objects_are_objects() {
    #[derive(Deserialize, Debug)]
    struct Content {
        #[serde(default)]
        a: u32,
    }
    assert_eq!(
        object_from_slice::<Content>(b" {\"a\":1}").expect("an object").a,
        1
    );
    for bytes in [b"[1]".as_slice(), b"1", b"null", b"\"a\"", b"", b"\xff"] {
        assert!(matches!(
            object_from_slice::<Content>(bytes),
            Err(JsonError::Invalid(_))
        ));
    }
}

#[test]
fn reasons_are_short() {
    let text = format!("{{\"a\": \"{}\"}}", "é".repeat(1 << 20));
    #[derive(Deserialize, Debug)]
    struct Content {
        #[allow(dead_code, reason = "only its type matters")]
        a: u32,
    }
    let error = from_slice_lenient::<Content>(text.as_bytes()).expect_err("a string is no number");
    assert!(error.to_string().len() < 300, "{error}");
}
