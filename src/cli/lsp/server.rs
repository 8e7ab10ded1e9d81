//! The Jupyter server that this process belongs to: where it is, and which notebook has which kernel.
//!
//! Every server writes a file into Jupyter's runtime folder, named by its process; the one that is ours is an ancestor. It is
//! asked for its sessions, and that needs its token. One that has a password alone, or https, cannot be asked: there the
//! kernels' processes tell for which notebook they were started, where the system shows them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

use super::http::{self, Address};
use crate::jupyter;
use crate::lsp::documents::uri::decoded;
use crate::os::process;

/// How many ancestors are looked at: jupyter-lsp starts us itself, or some wrapper that it was told of.
const GENERATIONS: usize = 16;

/// The sessions, without being counted as somebody who uses the server: it may end by itself when nobody does.
const SESSIONS: &str = "api/sessions?no_track_activity=1";

/// The folder of the shadows that jupyter-lsp writes for servers that want documents on disk.
const SHADOWS: &str = ".virtual_documents/";

/// What a server's file says of it.
#[derive(Debug, Deserialize)]
struct Info {
    pid: i32,
    #[serde(default)]
    hostname: String,
    port: u16,
    #[serde(default)]
    sock: String,
    #[serde(default)]
    secure: bool,
    base_url: String,
    #[serde(default)]
    token: String,
    root_dir: PathBuf,
}

/// A Jupyter server.
#[derive(Debug)]
pub(super) struct JupyterServer {
    /// The number of its process.
    pub(super) pid: i32,
    /// None for a server that cannot be asked.
    address: Option<Address>,
    base: String,
    token: String,
    /// The folders that a document's path may be told below.
    roots: Vec<PathBuf>,
}

#[derive(Deserialize)]
struct Model {
    path: String,
    #[serde(rename = "type")]
    kind: String,
    kernel: Option<Kernel>,
}

#[derive(Deserialize)]
struct Kernel {
    id: String,
}

impl JupyterServer {
    /// The server that this process was started by.
    ///
    /// # Errors
    /// None is among the ancestors, or its file cannot be read.
    pub(super) fn ours() -> Result<Self> {
        let folder = jupyter::runtime_dir().context("neither JUPYTER_RUNTIME_DIR nor HOME is set")?;
        let ancestors = std::iter::successors(Some(process::parent()), |pid| process::parent_of(*pid));
        let file = ancestors
            .take(GENERATIONS)
            .map(|pid| folder.join(format!("jpserver-{pid}.json")))
            .find(|file| file.exists())
            .with_context(|| format!("no Jupyter server of {} started this", folder.display()))?;
        let info = std::fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
        let info = serde_json::from_slice(&info).with_context(|| format!("reading {}", file.display()))?;
        Ok(Self::new(info))
    }

    fn new(info: Info) -> Self {
        let host = match info.hostname.as_str() {
            // What it listens on where it listens on all.
            "" | "*" | "0.0.0.0" | "::" => "localhost",
            host => host,
        };
        let address = match info.sock.as_str() {
            "" => Address::Tcp(host.to_owned(), info.port),
            sock => Address::Unix(sock.into()),
        };
        // jupyter-lsp resolves the links in it.
        let resolved = info.root_dir.canonicalize().ok();
        Self {
            pid: info.pid,
            address: (!info.secure).then_some(address),
            base: info.base_url,
            token: info.token,
            roots: resolved.into_iter().chain([info.root_dir]).collect(),
        }
    }

    /// Which document is of which kernel, by the documents' URIs. Those without a kernel are left out. Besides, why the server
    /// could not be asked, where that is so: then a notebook that was renamed, or that has another's kernel, is not known.
    pub(super) fn kernels_of(&self, uris: Vec<String>) -> (HashMap<String, String>, Option<String>) {
        let (kernels, reason) = match self.sessions() {
            Ok(models) => (by_path(models), None),
            Err(reason) => (self.by_process(), Some(format!("{reason:#}"))),
        };
        let known = uris.into_iter().filter_map(|uri| {
            let path = self.path_of(&uri);
            let shadowed = path.strip_prefix(SHADOWS);
            let path = shadowed
                .filter(|path| kernels.contains_key(*path))
                .unwrap_or(&path);
            let kernel = kernels.get(path)?.clone();
            Some((uri, kernel))
        });
        (known.collect(), reason)
    }

    fn sessions(&self) -> Result<Vec<Model>> {
        let address = self
            .address
            .as_ref()
            .context("the Jupyter server speaks https alone")?;
        let path = format!("{}/{SESSIONS}", self.base.trim_end_matches('/'));
        let answer = http::get(address, &path, &self.token).context("asking the Jupyter server")?;
        serde_json::from_slice(&answer).context("the Jupyter server's sessions")
    }

    /// The kernel of each path by what its process was started with.
    fn by_process(&self) -> HashMap<String, String> {
        let server = self.pid.to_string();
        let kernel = |pid| {
            let words = process::words_of(pid);
            let kernel = words.iter().find_map(|word| kernel_of(word))?.to_owned();
            let parent = process::variable_of(pid, "JPY_PARENT_PID")?;
            let path = process::variable_of(pid, "JPY_SESSION_NAME")?;
            (parent == server).then(|| (self.below_root(&path), kernel))
        };
        process::all().into_iter().filter_map(kernel).collect()
    }

    /// A document's path as the server names it, below its root.
    fn path_of(&self, uri: &str) -> String {
        self.below_root(&decoded(uri.strip_prefix("file://").unwrap_or(uri)))
    }

    fn below_root(&self, path: &str) -> String {
        let below = |root: &PathBuf| Path::new(path).strip_prefix(root).ok()?.to_str();
        let path = self.roots.iter().find_map(below).unwrap_or(path);
        without_drive(path.trim_start_matches('/')).to_owned()
    }
}

/// The kernel's id in the name of its connection file.
fn kernel_of(word: &str) -> Option<&str> {
    let (_, name) = word.rsplit_once('/')?;
    name.strip_prefix("kernel-")?.strip_suffix(".json")
}

/// The kernel of each path. A notebook's own session goes before a console's that was opened beside it.
fn by_path(models: Vec<Model>) -> HashMap<String, String> {
    let mut kernels = HashMap::new();
    let (notebooks, others): (Vec<_>, Vec<_>) =
        models.into_iter().partition(|model| model.kind == "notebook");
    for model in others.into_iter().chain(notebooks) {
        if let Some(kernel) = model.kernel {
            kernels.insert(without_drive(&model.path).to_owned(), kernel.id);
        }
    }
    kernels
}

/// A path without the name of the drive that JupyterLab may put before it, as `RTC:` where several edit one notebook.
fn without_drive(path: &str) -> &str {
    match path.split_once(':') {
        Some((drive, rest)) if drive.chars().all(char::is_alphanumeric) => rest.trim_start_matches('/'),
        _ => path,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn server(info: serde_json::Value) -> JupyterServer {
        let mut all = json!({"pid": 1, "port": 8888, "base_url": "/", "root_dir": "/srv/a b"});
        all.as_object_mut()
            .unwrap()
            .extend(info.as_object().unwrap().clone());
        JupyterServer::new(serde_json::from_value(all).unwrap())
    }

    #[test]
    fn where_a_server_is_asked() {
        let address = |info| server(info).address;
        let tcp = |host: &str| Some(Address::Tcp(host.to_owned(), 8888));
        assert_eq!(address(json!({"hostname": "127.0.0.1"})), tcp("127.0.0.1"));
        assert_eq!(address(json!({"hostname": "0.0.0.0"})), tcp("localhost"));
        assert_eq!(
            address(json!({"sock": "/run/s"})),
            Some(Address::Unix("/run/s".into()))
        );
        assert_eq!(address(json!({"secure": true})), None);
    }

    #[test]
    fn the_path_of_a_document() {
        let server = server(json!({}));
        for (uri, path) in [
            ("file:///srv/a%20b/x.ipynb", "x.ipynb"),
            ("file:///srv/a b/sub/%C3%A9%25.ipynb", "sub/é%.ipynb"),
            ("file:///srv/a%20b/RTC:x.ipynb", "x.ipynb"),
            ("file:///srv/a%20b/sub/a:b.ipynb", "sub/a:b.ipynb"),
            ("file:///elsewhere/x.ipynb", "elsewhere/x.ipynb"),
            ("x%zz%2.ipynb", "x%zz%2.ipynb"),
            ("%", "%"),
            ("", ""),
        ] {
            assert_eq!(server.path_of(uri), path, "{uri}");
        }
    }

    #[test]
    fn the_kernel_in_a_command_line() {
        assert_eq!(kernel_of("/run/kernel-a-b.json"), Some("a-b"));
        for other in ["kernel-a.json", "/run/kernel-a", "/run/jpserver-1.json", "-f", ""] {
            assert_eq!(kernel_of(other), None, "{other}");
        }
    }

    #[test]
    fn a_notebook_goes_before_a_console() {
        let model = |path: &str, kind: &str, kernel: &str| Model {
            path: path.into(),
            kind: kind.into(),
            kernel: Some(Kernel { id: kernel.into() }),
        };
        let kernels = by_path(vec![
            model("RTC:x.ipynb", "notebook", "right"),
            model("x.ipynb", "console", "wrong"),
            model("y.py", "file", "file's"),
        ]);
        assert_eq!(kernels["x.ipynb"], "right");
        assert_eq!(kernels["y.py"], "file's");
    }
}
