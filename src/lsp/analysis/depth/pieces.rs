//! A long text as pieces that nest each by itself, so that after an edit only what lies around it is measured again.
//!
//! A piece is measured together with the letter behind it, which must begin a statement of its own: from there on the
//! lexer is where it was at the begin of the text, and nothing that the piece has opened is open.

use super::{LIMIT, lex, measure};

/// About how long a piece is, in bytes.
const LENGTH: usize = 4096;

/// A text that was measured, for when a little of it has changed.
#[derive(Debug, Clone, Copy)]
pub struct Measured<'a> {
    /// The text, which nests no deeper than [`LIMIT`].
    pub source: &'a str,
    /// Where its pieces end, as [`pieces()`] has told.
    pub ends: &'a [usize],
}

/// Where the pieces of `source` end, in bytes, but for the last one; `None` when it nests deeper than [`LIMIT`]. Pieces
/// that are those of `before` are not looked at again.
pub fn pieces(source: &str, before: Option<Measured>) -> Option<Vec<usize>> {
    match before {
        _ if source.len() <= LIMIT => Some(Vec::new()),
        Some(before) if before.source == source => Some(before.ends.to_vec()),
        _ => cut(source, before, LENGTH),
    }
}

fn cut(source: &str, before: Option<Measured>, length: usize) -> Option<Vec<usize>> {
    let (mut ends, after) = before.map(|before| unchanged(source, before)).unwrap_or_default();
    let mut start = ends.last().copied().unwrap_or_default();
    if let Some(end) = after.first() {
        let changed = lex(source.get(start..=*end)?);
        if changed.is_whole {
            ends.extend(after);
            return (changed.deepest <= LIMIT).then_some(ends);
        }
    }
    let mut least = length;
    while let Some(end) = next_line(source, start + least) {
        let piece = lex(source.get(start..=end)?);
        if !piece.is_whole {
            // A bracket may be open up to the end: in short steps the text would be read many times.
            least *= 8;
            continue;
        }
        if piece.deepest > LIMIT {
            return None;
        }
        ends.push(end);
        (start, least) = (end, length);
    }
    (measure(source.get(start..)?) <= LIMIT).then_some(ends)
}

/// Where the pieces end that `source` begins with as `before` does, and those before which it ends as that.
fn unchanged(source: &str, before: Measured) -> (Vec<usize>, Vec<usize>) {
    let (mut first, mut last) = (Vec::new(), Vec::new());
    let mut start = 0;
    for end in before.ends {
        let piece = start..=*end;
        if source.get(piece.clone()) != before.source.get(piece) {
            break;
        }
        first.push(*end);
        start = *end;
    }
    let mut rest = (source.len(), before.source.len());
    for end in before.ends.iter().skip(first.len()).rev() {
        let Some(here) = (end + source.len()).checked_sub(before.source.len()) else {
            break;
        };
        // With the line end before it, without which it would be none.
        let (ours, theirs) = (here.wrapping_sub(1)..rest.0, end.wrapping_sub(1)..rest.1);
        if here <= start || source.get(ours) != before.source.get(theirs) {
            break;
        }
        last.push(here);
        rest = (here, *end);
    }
    last.reverse();
    (first, last)
}

/// The first line at `from` or behind it that begins with a letter.
fn next_line(source: &str, from: usize) -> Option<usize> {
    let mut pairs = source.as_bytes().get(from..)?.windows(2);
    let begins = |pair: &[u8]| matches!(pair, [b'\n', letter] if letter.is_ascii_alphabetic());
    Some(from + pairs.position(begins)? + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What opens, closes, hides or goes on, and ordinary lines between.
    const LINES: [&str; 40] = [
        "x = 1",
        "f(x)[0].y",
        "def f(a):",
        "    if a:",
        "        return a",
        "    else:",
        "  odd",
        "\tx = [",
        "x = (",
        ")",
        "]",
        "}",
        "a, b = {",
        "s = '",
        "s = \"abc",
        "s = '\\",
        "\'\'\'",
        "\"\"\"",
        "x = \'\'\'",
        "f\"{",
        "f\"\"\"{x",
        "f\"\"\"",
        "f'{x!r:{w}}' f\"{a['b']}\"",
        "f'{f\"{",
        "}'",
        "t'{x:",
        "# ( ' \"\"\"",
        "",
        "    ",
        "x = 1 + \\",
        "\\",
        "!ls \\",
        "%time f(",
        "x = !ls (",
        "x?",
        "?x \\",
        "\u{20ac}",
        "    \u{20ac} \u{e9}",
        "lambda: lambda:",
        "x;\r",
    ];

    #[test]
    fn pieces_nest_as_the_whole_does() {
        // A small deterministic generator.
        let mut seed = 11_u64;
        let mut next = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            usize::try_from(seed >> 33).unwrap_or(0) % below
        };
        let mut lines = vec!["x = 1"; 40];
        let (mut source, mut ends) = (String::new(), Vec::new());
        let (mut edits, mut cuts) = (0, 0);
        for _ in 0..4000 {
            let at = next(lines.len());
            let line = match next(3) {
                0 => LINES[next(LINES.len())],
                _ => LINES[next(5)],
            };
            match next(3) {
                0 if lines.len() > 20 => drop(lines.remove(at)),
                1 if lines.len() < 60 => lines.insert(at, line),
                _ => lines[at] = line,
            }
            let edited = lines.join("\n");
            let before = Measured {
                source: &source,
                ends: &ends,
            };
            let found = cut(&edited, Some(before), 64).expect("nothing is deep");
            let bounds = || std::iter::once(0).chain(found.iter().copied());
            let behind = found.iter().copied().chain([edited.len()]);
            let pieces = bounds().zip(behind).map(|(start, end)| &edited[start..end]);
            let deepest = pieces.map(measure).max();
            assert_eq!(deepest, Some(measure(&edited)), "{found:?} of {edited:?}");
            (edits, cuts) = (edits + 1, cuts + found.len());
            (source, ends) = (edited, found);
        }
        assert!(cuts > edits, "{cuts} cuts in {edits} texts");
    }

    #[test]
    fn what_is_too_deep_is_found_wherever_it_is_typed() {
        let lines = ["value = call(1)\n"; 2000];
        let source = lines.concat();
        let ends = pieces(&source, None).expect("nothing is deep");
        assert!(ends.len() > 5, "{ends:?}");
        let before = Measured {
            source: &source,
            ends: &ends,
        };
        for at in [0, 1000, 1999, 2000] {
            let (above, below) = lines.split_at(at);
            for (typed, is_deep) in [
                ("x = [1]\n", false),
                (&*format!("x = {}\n", "[".repeat(2000)), true),
            ] {
                let edited = [&above.concat(), typed, &below.concat()].concat();
                assert_eq!(pieces(&edited, Some(before)).is_none(), is_deep, "{at}");
            }
        }
    }
}
