//! What a URI names: the one place where its escapes (`%20`) are read and written.

use std::borrow::Cow;
use std::path::Path;

use crate::lsp::analysis::MAX_SOURCE;

/// A URI with its escapes read. What is no escape, or would not be UTF-8, stays as it is.
pub fn decoded(uri: &str) -> Cow<'_, str> {
    if !uri.contains('%') {
        return Cow::Borrowed(uri);
    }
    let mut bytes = Vec::with_capacity(uri.len());
    let mut rest = uri;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        let digits = after
            .get(..2)
            .filter(|it| it.bytes().all(|it| it.is_ascii_hexdigit()));
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(b'%');
                rest = after;
            }
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).map_or(Cow::Borrowed(uri), Cow::Owned)
}

/// The path of the file that a URI names; `None` for what is no file of this machine.
pub fn file(uri: &str) -> Option<String> {
    let rest = uri.strip_prefix("file:")?;
    let path = match rest.strip_prefix("//") {
        Some(rest) => rest.strip_prefix("localhost").unwrap_or(rest),
        None => rest,
    };
    path.starts_with('/').then(|| decoded(path).into_owned())
}

/// The text of a file, where there is one that is not too long to be a program.
pub fn text_of(path: &Path) -> Option<String> {
    let size = std::fs::metadata(path).ok()?.len();
    (size <= MAX_SOURCE as u64).then(|| std::fs::read_to_string(path).ok())?
}

/// The URI of a file or folder.
pub fn of_path(path: &Path) -> String {
    let mut uri = String::from("file://");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' => {
                uri.push(char::from(*byte));
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_read_once() {
        for (uri, path) in [
            ("file:///a/b.py", Some("/a/b.py")),
            ("file:///a%20b/%C3%A9.py", Some("/a b/é.py")),
            ("file:///100%25/%2520", Some("/100%/%20")),
            ("file:///odd%/%zz/%2", Some("/odd%/%zz/%2")),
            ("file:///%ff", Some("/%ff")),
            ("file://localhost/a", Some("/a")),
            ("file:/a", Some("/a")),
            ("file://elsewhere/a", None),
            ("vscode-notebook-cell:/a%20b", None),
        ] {
            assert_eq!(file(uri).as_deref(), path, "{uri}");
        }
        let odd = of_path(Path::new("/a b/é%.py"));
        assert_eq!(odd, "file:///a%20b/%C3%A9%25.py");
        assert_eq!(file(&odd).as_deref(), Some("/a b/é%.py"));
        assert_eq!(
            decoded("vscode-notebook-cell:/a%20b"),
            "vscode-notebook-cell:/a b"
        );
    }
}
