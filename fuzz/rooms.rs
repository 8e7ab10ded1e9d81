//! The rooms of drupe that read hostile bytes, compiled from its own files, without the rest of it: a fuzzer's build
//! takes a third of the time.

#[path = "../src"]
mod rooms {
    pub mod os;
    pub mod wire;

    pub mod transport {
        pub mod zmtp;
    }

    pub mod kernel {
        pub mod decoder;
    }
}

pub use rooms::{kernel, os, transport, wire};
