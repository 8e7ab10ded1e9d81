//! Signatures of messages: HMAC over their serialised parts, in lower-case hexadecimal.
//!
//! [`Session`](super::Session) is the only caller. A signer never shows its key, not even in its debug form, and
//! compares in constant time.

use std::fmt;

use bytes::Bytes;
use hmac::{EagerHash, Hmac, KeyInit, Mac};

use super::error::{WireError, clip};

/// A keyed hash of a connection, or none where the connection's key is empty.
pub struct Signer(Option<Box<dyn KeyedHash>>);

/// The longest signature, that of hmac-sha512.
const MAX_SIGNATURE: usize = 128;

/// What tells accepted messages apart: the first 16 bytes of the signature, as long as the shortest scheme's.
pub type Tag = u128;

impl Signer {
    /// A signer for a connection file's `signature_scheme` and `key`; an empty key means that nothing is signed.
    ///
    /// # Errors
    /// [`WireError::UnknownScheme`], also with an empty key: a misspelt scheme should not go unseen.
    pub fn new(scheme: &str, key: &[u8]) -> Result<Self, WireError> {
        let hash = match scheme {
            "hmac-sha256" => keyed::<sha2::Sha256>(key),
            "hmac-sha224" => keyed::<sha2::Sha224>(key),
            "hmac-sha384" => keyed::<sha2::Sha384>(key),
            "hmac-sha512" => keyed::<sha2::Sha512>(key),
            "hmac-sha1" => keyed::<sha1::Sha1>(key),
            "hmac-md5" => keyed::<md5::Md5>(key),
            _ => None,
        };
        match hash {
            None => Err(WireError::UnknownScheme {
                scheme: clip(scheme, 64),
            }),
            Some(_) if key.is_empty() => Ok(Self(None)),
            some => Ok(Self(some)),
        }
    }

    /// The signature of some parts as it goes over the wire: hexadecimal, or empty where nothing is signed.
    pub fn sign(&self, parts: &[&[u8]]) -> Bytes {
        match &self.0 {
            Some(hash) => base16ct::lower::encode_string(&hash.digest(parts)).into(),
            None => Bytes::new(),
        }
    }

    /// Checks a received signature in constant time. `None` where the connection has no key, since then nothing was
    /// checked and nothing tells a replayed message from a new one.
    ///
    /// # Errors
    /// [`WireError::MissingSignature`] for an empty one, [`WireError::BadSignature`] for any other that is not right.
    pub fn verify(&self, signature: &[u8], parts: &[&[u8]]) -> Result<Option<Tag>, WireError> {
        let Some(hash) = &self.0 else { return Ok(None) };
        if signature.is_empty() {
            return Err(WireError::MissingSignature);
        }
        if signature.len() > MAX_SIGNATURE {
            return Err(WireError::BadSignature);
        }
        // Lower case is the only form that the reference client accepts.
        let digest = base16ct::lower::decode_vec(signature).map_err(|_| WireError::BadSignature)?;
        if !hash.verify(parts, &digest) {
            return Err(WireError::BadSignature);
        }
        Ok(digest.first_chunk().map(|head| Tag::from_be_bytes(*head)))
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "Signer(keyed)"
        } else {
            "Signer(unsigned)"
        })
    }
}

/// An HMAC with its key already taken in, so that each message costs a copy of a small state.
trait KeyedHash: Send + Sync {
    fn digest(&self, parts: &[&[u8]]) -> Vec<u8>;
    fn verify(&self, parts: &[&[u8]], digest: &[u8]) -> bool;
}

impl<D: EagerHash> KeyedHash for Hmac<D>
where
    Hmac<D>: Mac + Clone + Send + Sync,
{
    fn digest(&self, parts: &[&[u8]]) -> Vec<u8> {
        over(self, parts).finalize().into_bytes().to_vec()
    }

    fn verify(&self, parts: &[&[u8]], digest: &[u8]) -> bool {
        over(self, parts).verify_slice(digest).is_ok()
    }
}

fn over<M: Mac + Clone>(keyed: &M, parts: &[&[u8]]) -> M {
    let mut mac = keyed.clone();
    for part in parts {
        mac.update(part);
    }
    mac
}

fn keyed<D: EagerHash>(key: &[u8]) -> Option<Box<dyn KeyedHash>>
where
    Hmac<D>: Mac + KeyInit + Clone + Send + Sync + 'static,
{
    // HMAC takes keys of every length, so this is never `None`.
    let mac = <Hmac<D> as KeyInit>::new_from_slice(key).ok()?;
    Some(Box::new(mac))
}

#[cfg(test)]
mod tests;
