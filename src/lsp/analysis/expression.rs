//! Reading Python backwards from a cursor: the word and the postfix expression that end a text.
//!
//! Used where code is being typed and no tree can be trusted.

/// True for characters of identifiers.
pub fn is_word(char: char) -> bool {
    char == '_' || char.is_alphanumeric()
}

/// The identifier that ends `line`; may be empty.
pub fn word_before(line: &str) -> &str {
    line.get(line.trim_end_matches(is_word).len()..)
        .unwrap_or_default()
}

/// The postfix expression that ends `text`: names, dots, subscripts and calls, as written.
pub fn expression_before(text: &str) -> &str {
    let mut start = text.len();
    let mut expect_operand = true;
    loop {
        let head = text.get(..start).unwrap_or_default();
        let Some(last) = head.chars().next_back() else {
            break;
        };
        if expect_operand && is_word(last) {
            start -= word_before(head).len();
            expect_operand = false;
        } else if expect_operand && matches!(last, ')' | ']') {
            let Some(open) = matching_open(head) else {
                break;
            };
            start = open;
            // What is called or subscripted stands before it; a lone bracket is an operand of its own.
            let before = text.get(..start).unwrap_or_default().chars().next_back();
            expect_operand = before.is_some_and(|char| is_word(char) || matches!(char, ')' | ']'));
        } else if expect_operand && matches!(last, '"' | '\'') {
            let inner = head.get(..head.len() - 1).unwrap_or_default();
            let Some(open) = inner.rfind(last) else { break };
            start = open;
            expect_operand = false;
        } else if !expect_operand && last == '.' {
            start -= 1;
            expect_operand = true;
        } else {
            break;
        }
    }
    if expect_operand && start < text.len() {
        // `.b` without what it belongs to: nothing that can be looked up.
        return "";
    }
    let found = text.get(start..).unwrap_or_default();
    match found.starts_with(|char: char| char.is_ascii_digit()) {
        true => "",
        false => found,
    }
}

/// Where the bracket opens that closes at the end of `text`. Looks back over one statement's worth of text only.
fn matching_open(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut quote: Option<char> = None;
    for (at, char) in text.char_indices().rev().take(2000) {
        match (quote, char) {
            (Some(open), close) if open == close => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(char),
            (None, ')' | ']' | '}') => depth += 1,
            (None, '(' | '[' | '{') => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}
