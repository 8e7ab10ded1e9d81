//! The search through all lives of a small debug session, sessions that are driven, and the hash of cells.

mod search;
mod sessions;

use super::cells::{SEED, murmur2};

#[test]
fn the_hash_is_front_ends_own() {
    // JupyterLab's and ipykernel's numbers.
    assert_eq!(murmur2(b"", SEED), 3_990_065_800);
    assert_eq!(murmur2(b"print(1)", SEED), 3_773_950_048);
}
