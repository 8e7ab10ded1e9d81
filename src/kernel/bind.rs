//! From a connection file to five bound sockets.

use std::io;
use std::path::PathBuf;

use super::KernelConfig;
use crate::jupyter;
use crate::lifecycle::watchdog::WatchdogError;
use crate::transport::{self, Endpoint, Listener};
use crate::wire::{
    ConnectionError, ConnectionFile, ConnectionInfo, Ports, Registration, Session, Transport, WireError,
};

/// Why a kernel could not be started. Each is one sentence for whoever started it; the exit status is 2.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error("cannot bind the {channel} socket to {endpoint}: {source}; {mend}")]
    Bind {
        channel: &'static str,
        endpoint: String,
        source: io::Error,
        mend: &'static str,
    },
    #[error(
        "there is no folder for the connection file: set JUPYTER_RUNTIME_DIR or HOME, or give a file with -f"
    )]
    NoRuntimeDir,
    #[error(transparent)]
    Watchdog(#[from] WatchdogError),
    #[error("the system has no descriptor or thread left for the kernel: {0}")]
    System(io::Error),
}

/// A socket for each channel.
pub(super) struct Listeners {
    pub shell: Listener,
    pub control: Listener,
    pub stdin: Listener,
    pub iopub: Listener,
    pub heartbeat: Listener,
}

impl Listeners {
    /// The socket files of those that have one.
    fn files(&self) -> Vec<PathBuf> {
        [
            &self.shell,
            &self.control,
            &self.stdin,
            &self.iopub,
            &self.heartbeat,
        ]
        .into_iter()
        .filter_map(|listener| match listener {
            Listener::Ipc { path, .. } => Some(path.clone()),
            Listener::Tcp(_) => None,
        })
        .collect()
    }
}

/// Everything that the io thread needs of the connection.
pub(super) struct Bound {
    pub listeners: Listeners,
    pub ports: Ports,
    pub session: Session,
    /// The connection file, or the registration file.
    pub file: PathBuf,
    /// Files that go with the process: the sockets', and the connection file where it was not given.
    pub own_files: Vec<PathBuf>,
    /// The launcher waits to be told the ports.
    pub registration: Option<Registration>,
}

const LOOPBACK: &str = "127.0.0.1";

/// Read or make the connection file and bind what it asks for.
pub(super) fn bind(config: &KernelConfig) -> Result<Bound, StartError> {
    let Some(path) = &config.connection_file else {
        return without_file(config);
    };
    match ConnectionFile::read(path)? {
        ConnectionFile::Classic(mut info) => {
            let asked = info.ports;
            let listeners = listen(info.transport, &info.ip, &mut info.ports)?;
            if asked != info.ports {
                // Ports were left to us; whoever reads the file after this finds them.
                info.write(path)?;
            }
            let session = info.session()?;
            Ok(Bound {
                own_files: listeners.files(),
                listeners,
                ports: info.ports,
                session,
                file: path.clone(),
                registration: None,
            })
        }
        ConnectionFile::Registration(registration) => {
            let mut ports = Ports::default();
            let ip = match registration.transport {
                Transport::Tcp => registration.ip.clone(),
                Transport::Ipc => format!("{}-{}", registration.ip, std::process::id()),
            };
            let listeners = listen(registration.transport, &ip, &mut ports)?;
            let session = registration.session()?;
            Ok(Bound {
                own_files: listeners.files(),
                listeners,
                ports,
                session,
                file: path.clone(),
                registration: Some(registration),
            })
        }
    }
}

/// No file was given: choose ports, write `kernel-<pid>.json` and say how to connect.
fn without_file(config: &KernelConfig) -> Result<Bound, StartError> {
    let folder = jupyter::runtime_dir().ok_or(StartError::NoRuntimeDir)?;
    let file = folder.join(format!("kernel-{}.json", std::process::id()));
    let transport = match config.transport.as_deref() {
        Some("ipc") => Transport::Ipc,
        _ => Transport::Tcp,
    };
    let ip = match (transport, &config.ip) {
        (_, Some(ip)) => ip.clone(),
        (Transport::Tcp, None) => LOOPBACK.to_owned(),
        (Transport::Ipc, None) => folder
            .join(format!("kernel-{}-ipc", std::process::id()))
            .display()
            .to_string(),
    };
    let mut ports = Ports::default();
    let listeners = listen(transport, &ip, &mut ports)?;
    let info = ConnectionInfo::generate(transport, ip, ports);
    info.write(&file)?;
    let mut own_files = listeners.files();
    own_files.push(file.clone());
    Ok(Bound {
        listeners,
        ports,
        session: info.session()?,
        file,
        own_files,
        registration: None,
    })
}

/// Bind all five; ports that are 0 become the ones chosen.
fn listen(transport: Transport, ip: &str, ports: &mut Ports) -> Result<Listeners, StartError> {
    if transport == Transport::Ipc {
        number_ipc(ports);
    }
    let one = |channel, port: &mut u16| -> Result<Listener, StartError> {
        let name = transport.endpoint(ip, *port);
        let failed = |source: io::Error| StartError::Bind {
            channel,
            endpoint: name.clone(),
            mend: mend(&source),
            source,
        };
        let endpoint: Endpoint = name
            .parse()
            .map_err(|error| failed(io::Error::new(io::ErrorKind::InvalidInput, error)))?;
        let (listener, bound) = transport::bind(&endpoint).map_err(failed)?;
        if let Endpoint::Tcp { port: chosen, .. } = bound {
            *port = chosen;
        }
        Ok(listener)
    };
    Ok(Listeners {
        shell: one("shell", &mut ports.shell)?,
        control: one("control", &mut ports.control)?,
        stdin: one("stdin", &mut ports.stdin)?,
        iopub: one("iopub", &mut ports.iopub)?,
        heartbeat: one("heartbeat", &mut ports.hb)?,
    })
}

/// With ipc a port is only the end of a file's name: those that were left to us are numbered.
fn number_ipc(ports: &mut Ports) {
    let all = [
        &mut ports.shell,
        &mut ports.iopub,
        &mut ports.stdin,
        &mut ports.control,
        &mut ports.hb,
    ];
    for (number, port) in (1..).zip(all) {
        if *port == 0 {
            *port = number;
        }
    }
}

fn mend(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "another process has it: choose other ports, or 0 to have them chosen",
        io::ErrorKind::AddrNotAvailable => {
            "this machine does not have that address: use one that it has, or *"
        }
        io::ErrorKind::PermissionDenied => "use a port above 1023, or a folder that you may write to",
        _ => "check the address in the connection file",
    }
}
