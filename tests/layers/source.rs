//! Rust source as far as the checks of the layers need it: words, text and punctuation, and the paths made of them.
//! Comments are passed over: a link in one binds nothing.

/// A piece of source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// A keyword or a name, without the `r#` of a raw one.
    Word(String),
    /// What stands in a string literal, escapes as they are.
    Text(String),
    /// `::`
    Path,
    /// Any other punctuation.
    Mark(char),
}

/// The pieces of `source`, each with the number of its line, from 1.
pub fn tokens(source: &str) -> Vec<(usize, Token)> {
    let mut found = Vec::new();
    let (mut rest, mut at) = (source, 1);
    while let Some(c) = rest.chars().next() {
        let before = rest;
        if rest.starts_with("//") {
            rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
        } else if rest.starts_with("/*") {
            rest = after_comment(rest);
        } else if let Some((text, after)) = string(rest) {
            found.push((at, Token::Text(text.to_owned())));
            rest = after;
        } else if c == '\'' {
            rest = after_quote(rest);
        } else if c.is_alphabetic() || c == '_' {
            let end = rest
                .find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            if !(&rest[..end] == "r" && rest[end..].starts_with('#')) {
                found.push((at, Token::Word(rest[..end].to_owned())));
            }
            rest = &rest[end..];
        } else if let Some(after) = rest.strip_prefix("::") {
            found.push((at, Token::Path));
            rest = after;
        } else {
            if !c.is_whitespace() {
                found.push((at, Token::Mark(c)));
            }
            rest = &rest[c.len_utf8()..];
        }
        at += before[..before.len() - rest.len()].matches('\n').count();
    }
    found
}

/// Block comments nest.
fn after_comment(mut rest: &str) -> &str {
    let mut depth = 0;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("/*") {
            (depth, rest) = (depth + 1, after);
        } else if let Some(after) = rest.strip_prefix("*/") {
            (depth, rest) = (depth - 1, after);
            if depth == 0 {
                break;
            }
        } else {
            let next = rest.chars().next().map_or(0, char::len_utf8);
            rest = &rest[next..];
        }
    }
    rest
}

/// The string literal that `rest` begins with, of whatever kind, and what follows it.
fn string(rest: &str) -> Option<(&str, &str)> {
    let body = rest.strip_prefix(['b', 'c']).unwrap_or(rest);
    if let Some(raw) = body.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        let text = raw[hashes..].strip_prefix('"')?;
        let close = format!("\"{}", "#".repeat(hashes));
        return text.split_once(close.as_str());
    }
    let text = body.strip_prefix('"')?;
    let mut escaped = false;
    let end = text.find(|c| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    })?;
    Some((&text[..end], &text[end + 1..]))
}

/// Behind a character literal, or behind the mark of a lifetime.
fn after_quote(rest: &str) -> &str {
    let body = &rest[1..];
    let mut chars = body.chars();
    match (chars.next(), chars.next()) {
        (Some('\\'), Some(escaped)) => {
            let from = 1 + escaped.len_utf8();
            body[from..].find('\'').map_or("", |end| &body[from + end + 1..])
        }
        (Some(c), Some('\'')) => &body[c.len_utf8() + 1..],
        _ => body,
    }
}

/// Every path that `source` names by way of the crate's root: its line, and its words from there. `name` is what the crate
/// is called from outside, and `module` where this source stands in it.
pub fn paths(source: &str, name: &str, module: &[&str]) -> Vec<(usize, Vec<String>)> {
    let tokens = tokens(source);
    let mut found = Vec::new();
    // The modules that the source itself opens, each with the depth of braces around it.
    let mut here: Vec<String> = module.iter().map(|&word| word.to_owned()).collect();
    let (mut depth, mut opened) = (0, Vec::new());
    let mut at = 0;
    while let Some((line, token)) = tokens.get(at) {
        let begins = !matches!(
            at.checked_sub(1).and_then(|before| tokens.get(before)),
            Some((_, Token::Path))
        );
        match token {
            Token::Mark('{') => {
                if let [.., (_, Token::Word(key)), (_, Token::Word(name))] = &tokens[..at]
                    && key == "mod"
                {
                    opened.push(depth);
                    here.push(name.clone());
                }
                depth += 1;
            }
            Token::Mark('}') => {
                depth -= 1;
                if opened.last() == Some(&depth) {
                    opened.pop();
                    here.pop();
                }
            }
            Token::Word(word) if begins && matches!(tokens.get(at + 1), Some((_, Token::Path))) => {
                let base = match word.as_str() {
                    "crate" => Some(Vec::new()),
                    "super" => Some(here[..here.len().saturating_sub(1)].to_vec()),
                    word if word == name => Some(Vec::new()),
                    _ => None,
                };
                if let Some(base) = base {
                    at = follow(&tokens, at + 1, base, *line, &mut found);
                    continue;
                }
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// One word further along a path.
fn step(mut path: Vec<String>, word: &str) -> Vec<String> {
    match word {
        "super" => drop(path.pop()),
        "self" => {}
        _ => path.push(word.to_owned()),
    }
    path
}

/// Follows a path from the `::` at `at`, into each branch of its braces. Returns where it ends.
fn follow(
    tokens: &[(usize, Token)],
    mut at: usize,
    mut path: Vec<String>,
    line: usize,
    found: &mut Vec<(usize, Vec<String>)>,
) -> usize {
    while let Some((_, Token::Path)) = tokens.get(at) {
        match tokens.get(at + 1) {
            Some((_, Token::Word(word))) => {
                path = step(path, word);
                at += 2;
            }
            Some((_, Token::Mark('{'))) => {
                at += 2;
                loop {
                    match tokens.get(at) {
                        None => return at,
                        Some((_, Token::Mark('}'))) => return at + 1,
                        Some((line, Token::Word(word))) => {
                            let branch = step(path.clone(), word);
                            at = follow(tokens, at + 1, branch, *line, found);
                        }
                        // A comma, or the name behind an `as`.
                        Some(_) => at += 1,
                    }
                }
            }
            // `*`, or the types of a call.
            _ => break,
        }
    }
    // `use crate::wire as other`: the new name is no path.
    if matches!(tokens.get(at), Some((_, Token::Word(word))) if word == "as") {
        at += 2;
    }
    found.push((line, path));
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(source: &str, module: &[&str]) -> Vec<String> {
        paths(source, "drupe", module)
            .into_iter()
            .map(|(line, path)| format!("{line} {}", path.join("::")))
            .collect()
    }

    #[test]
    fn every_way_to_name_a_room_is_seen() {
        let source = "use crate::wire::{self, json, message::{to_json, Message as M}, session as s, kind};\n\
                      use super::super::lsp::types;\n\
                      fn f() -> crate::transport::Frames { drupe::cli::main::<u8>(crate::os::A::B) }\n\
                      use crate::*;";
        assert_eq!(
            named(source, &["kernel", "io"]),
            [
                "1 wire",
                "1 wire::json",
                "1 wire::message::to_json",
                "1 wire::message::Message",
                "1 wire::session",
                "1 wire::kind",
                "2 lsp::types",
                "3 transport::Frames",
                "3 cli::main",
                "3 os::A::B",
                "4 "
            ]
        );
    }

    #[test]
    fn super_is_counted_from_the_module_that_stands_around_it() {
        let source =
            "use super::io;\nmod tests { use super::{gate, super::super::lsp}; }\nuse super::super::wire;";
        assert_eq!(
            named(source, &["kernel", "io"]),
            ["1 kernel::io", "2 kernel::io::gate", "2 lsp", "3 wire"]
        );
    }

    #[test]
    fn comments_text_and_lifetimes_name_nothing() {
        let source = r##"//! [`crate::cli`]
            /* crate::cli /* crate::lsp */ crate::cli */
            const A: &str = "crate::cli \" crate::lsp"; const B: &[u8] = br#"crate::"cli"#;
            fn f<'a>(x: &'a str) -> char { '"' } fn g() -> [char; 2] { ['\'', '\u{7f}'] }
            pub(crate) fn h() { crate::wire::a() }"##;
        assert_eq!(named(source, &["kernel"]), ["5 wire::a"]);
    }

    #[test]
    fn text_is_read_as_it_stands() {
        let texts: Vec<Token> = tokens(r#"f("/proc/self", b"a\"b", c"x")"#)
            .into_iter()
            .map(|(_, token)| token)
            .filter(|token| matches!(token, Token::Text(_)))
            .collect();
        let text = |text: &str| Token::Text(text.to_owned());
        assert_eq!(texts, [text("/proc/self"), text(r#"a\"b"#), text("x")]);
    }
}
