//! A kernel process under test: how it is started, and how it must end.

use std::fs::File;
use std::io::PipeReader;
use std::ops::{Deref, DerefMut};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tempfile::TempDir;

use super::fixtures::default_python;
use super::{Channel, Client, Connection, Message, RequestId};

/// How long an idle kernel may take to end before its test fails.
const PATIENCE: Duration = Duration::from_secs(10);

/// What to start, and how.
pub struct Builder {
    python: PathBuf,
    args: Vec<String>,
    env: Vec<(String, Option<String>)>,
    ipc: bool,
    unsigned: bool,
    deaf: bool,
    command: Option<Vec<String>>,
}

/// A running kernel and the client that belongs to it. Tests call the client's methods on it directly.
pub struct Kernel {
    pub process: Child,
    pub connection: Connection,
    /// Holds the connection file, the log, IPython's history and Jupyter's runtime files.
    pub dir: TempDir,
    client: Option<Client>,
    ended: Option<ExitStatus>,
    /// The end of its stderr that nobody reads.
    unread: Option<PipeReader>,
}

impl Builder {
    pub fn python(mut self, python: &Path) -> Self {
        self.python = python.to_owned();
        self
    }

    pub fn arg(mut self, arg: &str) -> Self {
        self.args.push(arg.to_owned());
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), Some(value.to_owned())));
        self
    }

    /// Socket files instead of TCP ports.
    pub fn ipc(mut self) -> Self {
        self.ipc = true;
        self
    }

    /// An empty key: nothing is signed.
    pub fn unsigned(mut self) -> Self {
        self.unsigned = true;
        self
    }

    /// Its stderr is a pipe that nobody reads.
    pub fn deaf(mut self) -> Self {
        self.deaf = true;
        self
    }

    /// Another command than the binary; `{connection_file}` stands for the path.
    pub fn command(mut self, command: &[impl AsRef<str>]) -> Self {
        self.command = Some(command.iter().map(|word| word.as_ref().to_owned()).collect());
        self
    }

    /// Starts the process without a client.
    #[track_caller]
    pub fn spawn(self) -> Kernel {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut connection = if self.ipc {
            Connection::ipc(dir.path())
        } else {
            Connection::tcp()
        };
        if self.unsigned {
            connection.key.clear();
        }
        let file = connection.write(dir.path());
        let (process, unread) = self.launch(&dir, Some(&file));
        Kernel {
            process,
            connection,
            dir,
            client: None,
            ended: None,
            unread,
        }
    }

    /// Starts the process with a file of the caller's making, for instance a registration file.
    #[track_caller]
    pub fn spawn_with_file(self, dir: TempDir, file: Option<&Path>, connection: Connection) -> Kernel {
        let (process, unread) = self.launch(&dir, file);
        Kernel {
            process,
            connection,
            dir,
            client: None,
            ended: None,
            unread,
        }
    }

    /// Starts the process and connects to it.
    #[track_caller]
    pub fn start(self) -> Kernel {
        let mut kernel = self.spawn();
        let client = kernel.connect();
        kernel.client = Some(client);
        kernel
    }

    fn launch(&self, dir: &TempDir, file: Option<&Path>) -> (Child, Option<PipeReader>) {
        let file = file.map(|file| file.display().to_string());
        let mut words: Vec<String> = match (&self.command, std::env::var("DRUPE_TEST_KERNEL_ARGV")) {
            (Some(command), _) => command.clone(),
            (None, Ok(line)) => line.split_whitespace().map(str::to_owned).collect(),
            (None, Err(_)) => {
                let mut words = vec![env!("CARGO_BIN_EXE_drupe").to_owned()];
                if file.is_some() {
                    words.extend(["-f".to_owned(), "{connection_file}".to_owned()]);
                }
                words.extend(["--python".to_owned(), self.python.display().to_string()]);
                words
            }
        };
        for word in &mut words {
            *word = word.replace("{connection_file}", file.as_deref().unwrap_or_default());
        }
        let (program, first) = words.split_first().expect("a command line");
        let log = File::create(dir.path().join("kernel.log")).expect("a log file");
        let mut command = Command::new(program);
        command
            .args(first)
            .args(&self.args)
            .env("IPYTHONDIR", dir.path().join("ipython"))
            .env("JUPYTER_RUNTIME_DIR", dir.path().join("runtime"))
            .env("JPY_PARENT_PID", std::process::id().to_string())
            .env_remove("PYTHONPATH")
            .env_remove("MPLBACKEND")
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("the log file twice"))
            .stderr(log);
        let mut unread = None;
        if self.deaf {
            let (read, write) = std::io::pipe().expect("a pipe");
            command.stderr(write);
            unread = Some(read);
        }
        for (name, value) in &self.env {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let process = command
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {program}: {error}"));
        (process, unread)
    }
}

impl Kernel {
    /// The real binary with the test's interpreter.
    pub fn builder() -> Builder {
        Builder {
            python: default_python(),
            args: Vec::new(),
            env: Vec::new(),
            ipc: false,
            unsigned: false,
            deaf: false,
            command: None,
        }
    }

    /// A kernel with nothing special about it.
    #[track_caller]
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// One more client of the same kernel.
    #[track_caller]
    pub fn connect(&mut self) -> Client {
        self.connect_with_topics(&[""])
    }

    /// One more client, subscribed to these iopub topics.
    #[track_caller]
    pub fn connect_with_topics(&mut self, topics: &[&str]) -> Client {
        let connection = self.connection.clone();
        match Client::connect(&connection, topics, &mut || self.check_running()) {
            Ok(client) => client,
            Err(error) => panic!("cannot connect: {error}\n{}", self.log()),
        }
    }

    /// Gives a kernel that was spawned alone its client.
    #[track_caller]
    pub fn attach(&mut self) {
        let client = self.connect();
        self.client = Some(client);
    }

    fn check_running(&mut self) -> Result<(), String> {
        match self.process.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => {
                self.ended = Some(status);
                Err(format!("the kernel has ended: {status}"))
            }
            Err(error) => Err(error.to_string()),
        }
    }

    /// What is in the pipe of a kernel that is [deaf](Builder::deaf), read from now on.
    pub fn unread(&mut self) -> &mut PipeReader {
        self.unread.as_mut().expect("a deaf kernel")
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// What the process wrote on its real stdout and stderr.
    pub fn log(&self) -> String {
        let bytes = std::fs::read(self.dir.path().join("kernel.log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Sends a signal to the kernel's process alone.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).expect("the process has not been waited for");
    }

    /// Waits until the process is gone.
    #[track_caller]
    pub fn wait(&mut self, patience: Duration) -> ExitStatus {
        let deadline = Instant::now() + patience;
        while self.ended.is_none() {
            if let Some(status) = self.process.try_wait().expect("the child can be waited for") {
                self.ended = Some(status);
                break;
            }
            assert!(
                Instant::now() < deadline,
                "still running after {patience:?}\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(2));
        }
        self.ended.expect("just set")
    }

    /// Asks for the end on a channel, takes the reply, and waits for exit status 0.
    #[track_caller]
    pub fn shutdown(&mut self, channel: Channel) -> Message {
        let request = self.send_request(channel, "shutdown_request", json!({"restart": false}));
        let reply = self.recv_reply(channel, &request, "shutdown_reply");
        let status = self.wait(PATIENCE);
        assert!(status.success(), "the kernel ended with {status}\n{}", self.log());
        self.assert_nothing_unread(Some(&request));
        reply
    }

    #[track_caller]
    pub fn assert_nothing_unread(&mut self, except: Option<&RequestId>) {
        let Some(client) = &mut self.client else { return };
        let unread = client.unread(except);
        assert!(
            unread.is_empty(),
            "messages were left unread:\n{}",
            unread.join("\n")
        );
    }
}

impl Deref for Kernel {
    type Target = Client;

    fn deref(&self) -> &Client {
        self.client
            .as_ref()
            .expect("a kernel with a client: call attach() first")
    }
}

impl DerefMut for Kernel {
    fn deref_mut(&mut self) -> &mut Client {
        self.client
            .as_mut()
            .expect("a kernel with a client: call attach() first")
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        let running = self.ended.is_none() && matches!(self.process.try_wait(), Ok(None));
        if std::thread::panicking() {
            if running {
                let _ = self.process.kill();
                let _ = self.process.wait();
            }
            #[allow(clippy::print_stderr, reason = "the test fails: this is what explains it")]
            {
                eprintln!("--- the kernel's log ---\n{}", self.log());
            }
            return;
        }
        if !running {
            self.assert_nothing_unread(None);
        } else if self.client.is_some() {
            self.shutdown(Channel::Control);
        } else {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
        let log = self.log();
        assert!(!log.contains("panicked at"), "the kernel panicked:\n{log}");
    }
}
