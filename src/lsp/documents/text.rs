//! A document's text with its lines: positions to byte offsets and back in the three encodings of the protocol,
//! and incremental edits.
//!
//! Used by the document store. Positions come from a client and may be nonsense: they are clamped into the text,
//! as the protocol asks, never trusted.

use lsp_types::{Position, Range};

/// The unit in which a client counts characters within a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// Bytes.
    Utf8,
    /// 16-bit units: the protocol's default.
    #[default]
    Utf16,
    /// Characters.
    Utf32,
}

impl Encoding {
    /// The best of what a client offers: bytes, then characters, then the default.
    pub fn negotiate<'a>(offered: impl IntoIterator<Item = &'a str>) -> Self {
        let mut best = Self::Utf16;
        for name in offered {
            match name {
                "utf-8" => return Self::Utf8,
                "utf-32" => best = Self::Utf32,
                _ => {}
            }
        }
        best
    }

    /// The protocol's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Utf16 => "utf-16",
            Self::Utf32 => "utf-32",
        }
    }

    /// How many units `text` has.
    pub fn length(self, text: &str) -> usize {
        match self {
            Self::Utf8 => text.len(),
            _ if text.is_ascii() => text.len(),
            Self::Utf16 => text.chars().map(char::len_utf16).sum(),
            Self::Utf32 => text.chars().count(),
        }
    }

    /// The byte offset of `units` in `text`, at most its length, always on a character boundary.
    pub fn offset(self, text: &str, units: usize) -> usize {
        if text.is_ascii() {
            return units.min(text.len());
        }
        let mut left = units;
        for (offset, char) in text.char_indices() {
            let width = match self {
                Self::Utf8 => char.len_utf8(),
                Self::Utf16 => char.len_utf16(),
                Self::Utf32 => 1,
            };
            if left < width {
                return offset;
            }
            left -= width;
        }
        text.len()
    }
}

/// Text and where its lines start.
#[derive(Debug, Clone)]
pub struct Text {
    content: String,
    starts: Vec<usize>,
}

impl Text {
    /// Takes a whole text.
    pub fn new(content: String) -> Self {
        let mut starts = vec![0];
        line_starts(&content, 0, &mut starts);
        Self { content, starts }
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.content
    }

    /// The line that holds byte `offset`, from 0.
    pub fn line_of(&self, offset: usize) -> usize {
        self.starts
            .partition_point(|start| *start <= offset)
            .saturating_sub(1)
    }

    /// The byte offset where `line` starts; the end of the text beyond the last one.
    pub fn line_start(&self, line: usize) -> usize {
        self.starts.get(line).copied().unwrap_or(self.content.len())
    }

    /// A line without its terminator.
    pub fn line(&self, line: usize) -> &str {
        self.content
            .get(self.line_start(line)..self.line_start(line + 1))
            .unwrap_or_default()
            .trim_end_matches(['\n', '\r'])
    }

    /// The byte offset of `position`, clamped to the line and to the text.
    pub fn offset(&self, position: Position, encoding: Encoding) -> usize {
        let line = position.line as usize;
        if line >= self.starts.len() {
            return self.content.len();
        }
        self.line_start(line) + encoding.offset(self.line(line), position.character as usize)
    }

    /// The position of byte `offset`.
    pub fn position(&self, offset: usize, encoding: Encoding) -> Position {
        let offset = floor_boundary(&self.content, offset);
        let line = self.line_of(offset);
        let before = self
            .content
            .get(self.line_start(line)..offset)
            .unwrap_or_default();
        Position {
            line: saturate(line),
            character: saturate(encoding.length(before)),
        }
    }

    /// Replaces `range` by `new`.
    pub fn edit(&mut self, range: Range, new: &str, encoding: Encoding) {
        let from = self.offset(range.start, encoding);
        let to = self.offset(range.end, encoding).max(from);
        self.content.replace_range(from..to, new);
        // Lines are found again from the line before the edit, whose terminator the edit may have completed,
        // to the end of the line in which it ended; all later ones only move.
        let first = self.line_of(from).saturating_sub(1);
        let after = self.starts.partition_point(|start| *start <= to);
        let moved = |start: usize| start - (to - from) + new.len();
        let tail: Vec<usize> = self
            .starts
            .get(after..)
            .unwrap_or_default()
            .iter()
            .map(|start| moved(*start))
            .collect();
        let region_start = self.line_start(first);
        let region_end = tail.first().copied().unwrap_or(self.content.len());
        self.starts.truncate(first + 1);
        let region = self.content.get(region_start..region_end).unwrap_or_default();
        line_starts(region, region_start, &mut self.starts);
        if let Some(next) = tail.first()
            && self.starts.last() == Some(next)
        {
            self.starts.pop();
        }
        self.starts.extend(tail);
    }
}

/// The largest character boundary that is at most `offset`.
pub fn floor_boundary(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

/// A count as the protocol writes it.
pub fn saturate(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn line_starts(text: &str, base: usize, starts: &mut Vec<usize>) {
    let bytes = text.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        if *byte == b'\n' || (*byte == b'\r' && bytes.get(at + 1) != Some(&b'\n')) {
            starts.push(base + at + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(line: u32, character: u32) -> Position {
        Position { line, character }
    }

    #[test]
    fn positions_in_three_encodings() {
        let text = Text::new("a = 'é𝒳z'\nb\r\nc\rd".into());
        for (encoding, units) in [
            (Encoding::Utf8, 5 + 2 + 4),
            (Encoding::Utf16, 5 + 1 + 2),
            (Encoding::Utf32, 5 + 1 + 1),
        ] {
            let offset = text.offset(at(0, units), encoding);
            assert_eq!(&text.as_str()[offset..=offset], "z");
            assert_eq!(text.position(offset, encoding), at(0, units));
        }
        assert_eq!(text.starts.len(), 4);
        assert_eq!(text.offset(at(3, 0), Encoding::Utf16), text.as_str().len() - 1);
    }

    #[test]
    fn nonsense_positions_are_clamped() {
        let text = Text::new("ab\né".into());
        assert_eq!(text.offset(at(0, 99), Encoding::Utf16), 2);
        assert_eq!(text.offset(at(7, 7), Encoding::Utf16), 5);
        assert_eq!(text.offset(at(1, 1), Encoding::Utf8), 3);
        assert_eq!(text.position(4, Encoding::Utf8), at(1, 0));
    }

    #[test]
    fn edits_keep_the_lines_right() {
        // A small deterministic generator: every edit is compared with a text made from scratch.
        let mut seed = 7_u64;
        let mut next = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            usize::try_from(seed >> 33).unwrap_or(0) % below
        };
        let pieces = ["", "x", "\n", "\r", "\r\n", "é\n", "\n\r", "ab\ncd\r\n"];
        let mut text = Text::new("one\r\ntwo\nthree\rfour".into());
        for _ in 0..5000 {
            let mut from = floor_boundary(text.as_str(), next(text.as_str().len() + 1));
            let mut to = floor_boundary(text.as_str(), from + next(4));
            if text.as_str().len() > 200 {
                (from, to) = (20, floor_boundary(text.as_str(), 150));
            }
            let range = Range {
                start: text.position(from, Encoding::Utf8),
                end: text.position(to, Encoding::Utf8),
            };
            text.edit(range, pieces[next(pieces.len())], Encoding::Utf8);
            assert_eq!(text.starts, Text::new(text.content.clone()).starts);
        }
    }

    #[test]
    fn negotiation_prefers_bytes() {
        assert_eq!(Encoding::negotiate(["utf-16", "utf-8"]), Encoding::Utf8);
        assert_eq!(Encoding::negotiate(["utf-16", "utf-32"]), Encoding::Utf32);
        assert_eq!(Encoding::negotiate([]), Encoding::Utf16);
    }
}
