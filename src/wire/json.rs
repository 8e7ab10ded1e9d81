//! JSON as Python's `json` module writes it, which is wider than JSON.
//!
//! Used for the few things that Rust reads itself: headers and the contents of requests that are answered without
//! Python. Clients written in Python send `NaN` and `Infinity`, escapes of lone surrogates, integers beyond 64 bits,
//! repeated keys and bytes that are not UTF-8, and a kernel must understand all of them. Strict parsing is tried first, since nearly all input
//! passes it; only what fails is rewritten and read again. Nothing here recurses on its input without a bound.

use serde::de::DeserializeOwned;

use super::error::clip;

/// How deep arrays and objects may nest in what is parsed. Python's own reader stops at about 1000; nothing that Rust
/// reads here goes deeper than three. Parts that are only handed on have no limit.
pub const MAX_DEPTH: usize = 100;

/// The longest reason that is kept from the parser, in bytes: it may quote its input.
const MAX_REASON: usize = 200;

/// Why some bytes could not be read as JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Arrays and objects nest deeper than [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// Not JSON, or not of the wanted shape; clipped.
    #[error("{0}")]
    Invalid(String),
}

/// Reads a value, accepting all that Python's `json.loads` accepts.
///
/// What JSON cannot hold is replaced: `NaN` and the infinities by `null`, a lone surrogate by U+FFFD, a number beyond
/// a double by the largest double; of repeated keys the last one counts. Bytes that are not UTF-8 become U+FFFD, as
/// the reference client reads them: it also writes them, for text that came from a file system or an environment.
///
/// # Errors
/// Input that is not JSON, nested too deep, or not of `T`'s shape.
pub fn from_slice_lenient<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, JsonError> {
    let strict = match serde_json::from_slice(bytes) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    let normal = normalise(&String::from_utf8_lossy(bytes))?;
    // By way of a `Value`, in which the last of repeated keys wins as it does in Python.
    let value: serde_json::Value = serde_json::from_slice(&normal).map_err(|_| invalid(&strict))?;
    serde_json::from_value(value).map_err(|e| invalid(&e))
}

/// Like [`from_slice_lenient`] for a JSON object: an array is refused, which serde would take for a struct.
///
/// # Errors
/// As [`from_slice_lenient`], and input that is another kind of value than an object.
pub fn object_from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, JsonError> {
    match bytes.iter().find(|b| !b.is_ascii_whitespace()) {
        Some(b'{') => from_slice_lenient(bytes),
        Some(_) => Err(JsonError::Invalid("not a JSON object".to_owned())),
        None => Err(JsonError::Invalid("empty".to_owned())),
    }
}

/// How deep the arrays and objects in well-formed JSON nest. Not a parser: on other input the number means nothing,
/// but it is found in one pass without recursion.
pub fn depth(bytes: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

fn invalid(error: &serde_json::Error) -> JsonError {
    JsonError::Invalid(clip(&error.to_string(), MAX_REASON))
}

/// Rewrites Python's JSON as plain JSON, token by token. Text that is not JSON at all comes out as such, for the
/// parser to refuse.
fn normalise(text: &str) -> Result<Vec<u8>, JsonError> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    let mut depth = 0_usize;
    while let Some((&byte, after)) = rest.split_first() {
        match byte {
            b'"' => rest = copy_string(rest, &mut out),
            b'-' | b'0'..=b'9' | b'N' | b'I' => rest = copy_number(rest, &mut out),
            _ => {
                match byte {
                    b'[' | b'{' => depth += 1,
                    b']' | b'}' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                if depth > MAX_DEPTH {
                    return Err(JsonError::TooDeep);
                }
                out.push(byte);
                rest = after;
            }
        }
    }
    Ok(out)
}

/// Copies a string token with its quotes; lone surrogates become U+FFFD. Returns what follows it.
fn copy_string<'a>(text: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    out.push(b'"');
    let mut rest = text.get(1..).unwrap_or_default();
    loop {
        match rest {
            [] => return rest,
            [b'"', after @ ..] => {
                out.push(b'"');
                return after;
            }
            [b'\\', b'u', after @ ..] => {
                let pair =
                    hex4(after).zip(after.get(4..).and_then(|r| r.strip_prefix(b"\\u")).and_then(hex4));
                let length = match (hex4(after), pair) {
                    (_, Some((0xD800..=0xDBFF, 0xDC00..=0xDFFF))) => 12,
                    (Some(0xD800..=0xDFFF), _) => 0,
                    (Some(_), _) => 6,
                    (None, _) => 2,
                };
                let taken = if length == 0 { 6 } else { length };
                out.extend_from_slice(if length == 0 {
                    b"\\ufffd"
                } else {
                    rest.get(..length).unwrap_or_default()
                });
                rest = rest.get(taken..).unwrap_or_default();
            }
            [b'\\', escaped, after @ ..] => {
                out.extend_from_slice(&[b'\\', *escaped]);
                rest = after;
            }
            [byte, after @ ..] => {
                out.push(*byte);
                rest = after;
            }
        }
    }
}

/// The code unit that four hexadecimal digits at the start of `text` stand for.
fn hex4(text: &[u8]) -> Option<u16> {
    let digits = text.get(..4).filter(|d| d.iter().all(u8::is_ascii_hexdigit))?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// Copies a number token; `NaN` and infinities become `null`, what a double cannot hold the largest double. Returns
/// what follows it.
fn copy_number<'a>(text: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    for word in [b"NaN".as_slice(), b"Infinity", b"-Infinity"] {
        if let Some(after) = text.strip_prefix(word) {
            out.extend_from_slice(b"null");
            return after;
        }
    }
    let length = text
        .iter()
        .take_while(|b| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'))
        .count()
        .max(1);
    let (number, after) = text.split_at_checked(length).unwrap_or((text, &[]));
    let value = std::str::from_utf8(number)
        .ok()
        .and_then(|n| n.parse::<f64>().ok());
    match value {
        Some(f64::INFINITY) => out.extend_from_slice(b"1.7976931348623157e308"),
        Some(f64::NEG_INFINITY) => out.extend_from_slice(b"-1.7976931348623157e308"),
        _ => out.extend_from_slice(number),
    }
    after
}

#[cfg(test)]
mod tests;
