//! Any bytes as Python's JSON: no panic, no recursion without end, and what is plain JSON means the same after it has been
//! rewritten.

#![no_main]

use drupe::wire::json::{JsonError, MAX_DEPTH, depth, from_slice_lenient, object_from_slice};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let strict: Option<Value> = serde_json::from_slice(data).ok();
    let lenient = from_slice_lenient::<Value>(data);
    if let Ok(value) = &lenient {
        let text = serde_json::to_vec(value).expect("a value is JSON");
        assert!(serde_json::from_slice::<Value>(&text).is_ok());
    }
    if object_from_slice::<Value>(data).is_ok_and(|value| !value.is_object()) {
        panic!("taken for an object");
    }
    // NaN makes sure that it is rewritten.
    let wrapped = [b"[", data, b",NaN]"].concat();
    let rewritten = from_slice_lenient::<Value>(&wrapped);
    match (strict, rewritten) {
        (Some(strict), Ok(rewritten)) => assert_eq!(rewritten, Value::Array(vec![strict, Value::Null])),
        (Some(_), Err(error)) => {
            assert!(depth(&wrapped) > MAX_DEPTH, "plain JSON was refused: {error}");
            assert_eq!(error, JsonError::TooDeep);
        }
        (None, _) => {}
    }
});
