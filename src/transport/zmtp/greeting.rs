//! The first 64 bytes of a connection: signature, version, mechanism. Both sides send theirs at once.

use bytes::Bytes;

use super::ZmtpError;
use super::error::excerpt;

/// Bytes of a greeting, in both directions.
pub const GREETING_LEN: usize = 64;

const SIGNATURE_END: usize = 9;
const MAJOR: usize = 10;
const MECHANISM: std::ops::Range<usize> = 12..32;
const NULL: &[u8; 20] = b"NULL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

const fn build() -> [u8; GREETING_LEN] {
    let mut bytes = [0; GREETING_LEN];
    bytes[0] = 0xff;
    // The length field of a ZMTP 1.0 identity frame, as libzmq sends it: old peers see an empty identity.
    bytes[8] = 1;
    bytes[SIGNATURE_END] = 0x7f;
    bytes[MAJOR] = 3;
    bytes[MAJOR + 1] = 1;
    let mut i = 0;
    while i < NULL.len() {
        bytes[MECHANISM.start + i] = NULL[i];
        i += 1;
    }
    bytes
}

/// Our greeting: ZMTP 3.1, NULL.
pub fn greeting() -> Bytes {
    static GREETING: [u8; GREETING_LEN] = build();
    Bytes::from_static(&GREETING)
}

/// Checks as much of the peer's greeting as has arrived; true when it is complete.
///
/// Garbage is refused at its first wrong byte, so that a stranger who speaks HTTP does not wait for a deadline.
pub(super) fn check(input: &[u8]) -> Result<bool, ZmtpError> {
    if input.first().is_some_and(|byte| *byte != 0xff) {
        return Err(ZmtpError::Signature);
    }
    // libzmq looks at the last bit alone, and so may other writers.
    if input.get(SIGNATURE_END).is_some_and(|byte| byte & 1 == 0) {
        return Err(ZmtpError::Signature);
    }
    if let Some(&major) = input.get(MAJOR)
        && major < 3
    {
        return Err(ZmtpError::Version(major));
    }
    if let Some(mechanism) = input.get(MECHANISM)
        && mechanism != NULL
    {
        let name = mechanism.split(|byte| *byte == 0).next().unwrap_or(mechanism);
        return Err(ZmtpError::Mechanism(excerpt(name)));
    }
    Ok(input.len() >= GREETING_LEN)
}
