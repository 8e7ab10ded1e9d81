//! Bytes that arrive in pieces, as text: what C code and child processes write is cut anywhere, also inside a character.

/// Decodes UTF-8 piece by piece. What is no UTF-8 becomes U+FFFD.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The beginning of a character whose end has not come yet; at most three bytes.
    rest: Vec<u8>,
}

impl Decoder {
    /// The text of what was left and of `bytes`, but for an unfinished character at the end.
    pub fn decode(&mut self, bytes: &[u8]) -> String {
        let mut all = std::mem::take(&mut self.rest);
        all.extend_from_slice(bytes);
        let broken = match String::from_utf8(all) {
            Ok(text) => return text,
            Err(error) => error.into_bytes(),
        };
        let mut text = String::with_capacity(broken.len());
        let mut chunks = broken.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            text.push_str(chunk.valid());
            let invalid = chunk.invalid();
            // A character that only wants its end may get it, if nothing has come after it.
            let unfinished = std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none());
            if unfinished && chunks.peek().is_none() {
                self.rest = invalid.to_vec();
            } else if !invalid.is_empty() {
                text.push(char::REPLACEMENT_CHARACTER);
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::Decoder;

    #[test]
    fn a_character_in_two_pieces_is_one_character() {
        let mut decoder = Decoder::default();
        let euro = "€".as_bytes();
        assert_eq!(decoder.decode(&euro[..1]), "");
        assert_eq!(decoder.decode(&euro[1..]), "€");
        assert_eq!(decoder.decode(b"a\xffb\xe2\x82"), "a\u{fffd}b");
        assert_eq!(decoder.decode(b"\xac!"), "€!");
        assert_eq!(decoder.decode(b"\xe2x"), "\u{fffd}x");
    }
}
