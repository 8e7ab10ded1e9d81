//! What comes on the control channel: shutdown, interrupt and the question how much the kernel uses. The reply to
//! an interrupt is [`StatusReply::OK`](super::StatusReply::OK).

use serde::{Deserialize, Serialize};

use super::Status;
use crate::os::usage::HostMemory;

/// `shutdown_request`, on control or (deprecated since 5.4) on shell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ShutdownRequest {
    /// Whether the client is going to start the kernel again. The kernel itself ends in either case.
    pub restart: bool,
}

/// `shutdown_reply`, on the channel of the request and on iopub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ShutdownReply {
    status: Status,
    /// As the request had it.
    pub restart: bool,
}

impl ShutdownReply {
    /// The reply to a request that was carried out.
    pub fn new(restart: bool) -> Self {
        Self {
            status: Status::Ok,
            restart,
        }
    }
}

/// `usage_reply`: not in the protocol, but ipykernel answers it and JupyterLab's resource panel reads it. Fields that
/// could not be found out are left away.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct UsageReply {
    /// The machine's name.
    pub hostname: String,
    /// The kernel's process.
    pub pid: u32,
    /// Processor time of the kernel and its children since the last request, in percent of one processor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel_cpu: Option<f64>,
    /// Memory of the kernel and its children in bytes, shared pages counted in part (PSS) where the system tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel_memory: Option<u64>,
    /// Load of all processors together, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_cpu_percent: Option<f64>,
    /// How many processors the machine has.
    pub cpu_count: u32,
    /// The machine's memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_virtual_memory: Option<HostMemory>,
}
