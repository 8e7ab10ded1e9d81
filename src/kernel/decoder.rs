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
        let complete = match std::str::from_utf8(&all) {
            Ok(_) => all.len(),
            // `error_len` is None only where the input ends too early.
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Err(_) => unfinished(&all),
        };
        self.rest = all.split_off(complete);
        match String::from_utf8(all) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        }
    }
}

/// Where a last, unfinished character of otherwise broken UTF-8 begins; the length where there is none.
fn unfinished(bytes: &[u8]) -> usize {
    (bytes.len().saturating_sub(3)..bytes.len())
        .find(|&start| {
            bytes.get(start..).is_some_and(|tail| {
                std::str::from_utf8(tail)
                    .is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
            })
        })
        .unwrap_or(bytes.len())
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
