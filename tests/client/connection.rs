//! Connection files as a front-end writes them, with ports that nobody uses at the moment.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};

use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};

/// Where a kernel's five sockets are, and the key that signs their messages.
#[derive(Clone, Debug)]
pub struct Connection {
    pub transport: String,
    pub ip: String,
    pub shell: u16,
    pub iopub: u16,
    pub stdin: u16,
    pub control: u16,
    pub heartbeat: u16,
    pub key: String,
}

impl Connection {
    /// Five free ports on the loopback address and a fresh key.
    pub fn tcp() -> Self {
        let [shell, iopub, stdin, control, heartbeat] = free_ports();
        Self {
            transport: "tcp".into(),
            ip: "127.0.0.1".into(),
            shell,
            iopub,
            stdin,
            control,
            heartbeat,
            key: uuid::Uuid::new_v4().to_string(),
        }
    }

    /// Socket files `DIR/kernel-1` to `DIR/kernel-5`.
    pub fn ipc(dir: &Path) -> Self {
        Self {
            transport: "ipc".into(),
            ip: dir.join("kernel").display().to_string(),
            shell: 1,
            iopub: 2,
            stdin: 3,
            control: 4,
            heartbeat: 5,
            key: uuid::Uuid::new_v4().to_string(),
        }
    }

    /// Reads what a kernel wrote (started without `-f`, or after a handshake).
    pub fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).expect("the connection file is readable");
        let json: Value = serde_json::from_str(&text).expect("the connection file is JSON");
        let text_of = |name: &str| {
            json[name]
                .as_str()
                .unwrap_or_else(|| panic!("the connection file has no text field {name}: {json}"))
                .to_owned()
        };
        let port = |name: &str| {
            json[name]
                .as_u64()
                .and_then(|port| u16::try_from(port).ok())
                .unwrap_or_else(|| panic!("the connection file has no port {name}: {json}"))
        };
        Self {
            transport: text_of("transport"),
            ip: text_of("ip"),
            shell: port("shell_port"),
            iopub: port("iopub_port"),
            stdin: port("stdin_port"),
            control: port("control_port"),
            heartbeat: port("hb_port"),
            key: text_of("key"),
        }
    }

    /// The file's content.
    pub fn json(&self) -> Value {
        json!({
            "transport": self.transport,
            "ip": self.ip,
            "shell_port": self.shell,
            "iopub_port": self.iopub,
            "stdin_port": self.stdin,
            "control_port": self.control,
            "hb_port": self.heartbeat,
            "signature_scheme": "hmac-sha256",
            "key": self.key,
            "kernel_name": "drupe",
        })
    }

    /// Writes the file into `dir` and returns its path.
    pub fn write(&self, dir: &Path) -> PathBuf {
        let path = dir.join("connection.json");
        std::fs::write(&path, self.json().to_string()).expect("the connection file can be written");
        path
    }

    /// The ZeroMQ endpoint of a port.
    pub fn endpoint(&self, port: u16) -> String {
        match self.transport.as_str() {
            "ipc" => format!("ipc://{}-{port}", self.ip),
            transport => format!("{transport}://{}:{port}", self.ip),
        }
    }

    /// The five ports by the name of their channel.
    pub fn ports(&self) -> [(&'static str, u16); 5] {
        [
            ("shell", self.shell),
            ("iopub", self.iopub),
            ("stdin", self.stdin),
            ("control", self.control),
            ("heartbeat", self.heartbeat),
        ]
    }
}

/// Ports that were free a moment ago. They lie below the range from which the system gives out ports by itself,
/// so that another test's outgoing connection cannot take one in between; processes start at different places.
pub fn free_ports<const N: usize>() -> [u16; N] {
    const FIRST: u16 = 12_000;
    const COUNT: u16 = 20_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = (std::process::id().wrapping_mul(7919) % u32::from(COUNT)) as u16;
    std::array::from_fn(|_| {
        for _ in 0..COUNT {
            let step = NEXT.fetch_add(1, Ordering::Relaxed);
            let port = FIRST + (start.wrapping_add(step)) % COUNT;
            if is_free(port) {
                return port;
            }
        }
        panic!("no free port between {FIRST} and {}", FIRST + COUNT);
    })
}

/// Whether nobody listens there. Bound and not listened on: a test beside this one may fork now, and until its child has
/// become the program it was forked for, that holds a copy of the socket, beside which no kernel could listen.
fn is_free(port: u16) -> bool {
    let bound = Socket::new(Domain::IPV4, Type::STREAM, None).and_then(|socket| {
        socket.set_reuse_address(true)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())
    });
    bound.is_ok()
}
