//! The client's sockets: one thread with a tokio runtime, and queues towards the synchronous test.

use std::sync::mpsc as std_mpsc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::runtime::{Builder, Handle};
use tokio::sync::{mpsc, oneshot};
use zeromq::util::PeerIdentity;
use zeromq::{
    DealerSocket, ReqSocket, Socket, SocketEvent, SocketOptions, SocketRecv, SocketSend, SubSocket,
    ZmqMessage,
};

use super::{Connection, TIMEOUT};

/// The channels on which a client receives messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    Shell,
    Control,
    Stdin,
    Iopub,
}

type Frames = Vec<Bytes>;

/// One channel as the test sees it.
pub struct Inbox {
    pub received: std_mpsc::Receiver<Frames>,
}

/// The runtime's thread ends, and with it the connections, when this is dropped.
pub struct Sockets {
    handle: Handle,
    _stop: oneshot::Sender<()>,
    endpoint_of_heartbeat: String,
    shell: mpsc::UnboundedSender<Frames>,
    control: mpsc::UnboundedSender<Frames>,
    stdin: mpsc::UnboundedSender<Frames>,
}

/// The receiving ends in the order shell, control, stdin, iopub.
pub type Inboxes = [Inbox; 4];

impl Sockets {
    /// Connects all channels, iopub with the given subscriptions. Retries until the kernel listens or `alive`
    /// says that it has ended.
    pub fn connect(
        connection: &Connection,
        identity: &[u8],
        topics: &[&str],
        alive: &mut dyn FnMut() -> Result<(), String>,
    ) -> Result<(Self, Inboxes), String> {
        let (handle, stop) = runtime();
        let deadline = Instant::now() + TIMEOUT;
        let mut dealer = |port: u16| -> Result<_, String> {
            let endpoint = connection.endpoint(port);
            let identity = PeerIdentity::try_from(identity).map_err(|error| error.to_string())?;
            let socket = retry(deadline, alive, || {
                let (endpoint, identity) = (endpoint.clone(), identity.clone());
                wait(&handle, async move {
                    let mut options = SocketOptions::default();
                    options
                        .peer_identity(identity)
                        .connect_timeout(Duration::from_secs(1));
                    let mut socket = DealerSocket::with_options(options);
                    socket.connect(&endpoint).await.map(|()| socket)
                })
            })?;
            Ok(pump(&handle, socket))
        };
        let (shell, shell_inbox) = dealer(connection.shell)?;
        let (control, control_inbox) = dealer(connection.control)?;
        let (stdin, stdin_inbox) = dealer(connection.stdin)?;

        let endpoint = connection.endpoint(connection.iopub);
        let topics: Vec<String> = topics.iter().map(|topic| (*topic).to_owned()).collect();
        let (sender, received) = std_mpsc::channel();
        let mut iopub = retry(deadline, alive, || {
            let (endpoint, topics) = (endpoint.clone(), topics.clone());
            wait(&handle, async move {
                let mut socket = SubSocket::new();
                for topic in &topics {
                    socket.subscribe(topic).await?;
                }
                socket.connect(&endpoint).await.map(|()| socket)
            })
        })?;
        // The crate connects again by itself; nothing comes after the end.
        let end = end_of(&mut iopub);
        handle.spawn(receive(iopub, end, sender));

        let sockets = Self {
            handle,
            _stop: stop,
            endpoint_of_heartbeat: connection.endpoint(connection.heartbeat),
            shell,
            control,
            stdin,
        };
        Ok((
            sockets,
            [shell_inbox, control_inbox, stdin_inbox, Inbox { received }],
        ))
    }

    pub fn send(&self, channel: Channel, frames: Frames) {
        let sender = match channel {
            Channel::Shell => &self.shell,
            Channel::Control => &self.control,
            Channel::Stdin => &self.stdin,
            Channel::Iopub => panic!("a client sends nothing on iopub"),
        };
        sender.send(frames).expect("the client's own thread is alive");
    }

    /// Sends bytes on a fresh REQ socket and returns what comes back.
    pub fn heartbeat(&self, ping: &[u8]) -> Result<Vec<Bytes>, String> {
        let endpoint = self.endpoint_of_heartbeat.clone();
        let ping = Bytes::copy_from_slice(ping);
        wait(&self.handle, async move {
            let mut socket = ReqSocket::new();
            socket.connect(&endpoint).await?;
            socket.send(ZmqMessage::from(ping)).await?;
            socket.recv().await
        })
        .map(ZmqMessage::into_vec)
        .map_err(|error| error.to_string())
    }
}

/// Starts a thread with a current-thread runtime, which stops when the sender is dropped.
pub fn runtime() -> (Handle, oneshot::Sender<()>) {
    let (stop, stopped) = oneshot::channel::<()>();
    let (sender, receiver) = std_mpsc::channel();
    std::thread::Builder::new()
        .name("test-client".into())
        .spawn(move || {
            let runtime = Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a tokio runtime");
            sender
                .send(runtime.handle().clone())
                .expect("the test waits for the runtime");
            runtime.block_on(async {
                let _ = stopped.await;
            });
            runtime.shutdown_background();
        })
        .expect("a thread for the client");
    (receiver.recv().expect("the client's thread has started"), stop)
}

/// Runs a future on the client's thread and waits for it.
pub fn wait<T: Send + 'static, E: Send + std::fmt::Display + 'static>(
    handle: &Handle,
    future: impl Future<Output = Result<T, E>> + Send + 'static,
) -> Result<T, String> {
    let (sender, receiver) = std_mpsc::channel();
    handle.spawn(async move {
        let _ = sender.send(future.await.map_err(|error| error.to_string()));
    });
    receiver
        .recv_timeout(TIMEOUT)
        .map_err(|_| format!("no answer within {TIMEOUT:?}"))?
}

fn retry<T>(
    deadline: Instant,
    alive: &mut dyn FnMut() -> Result<(), String>,
    mut attempt: impl FnMut() -> Result<T, String>,
) -> Result<T, String> {
    loop {
        match attempt() {
            Ok(value) => return Ok(value),
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => alive()?,
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Two tasks between a DEALER and the test.
fn pump(handle: &Handle, mut socket: DealerSocket) -> (mpsc::UnboundedSender<Frames>, Inbox) {
    let end = end_of(&mut socket);
    let (mut outward, inward) = socket.split();
    let (to_send, mut outgoing) = mpsc::unbounded_channel::<Frames>();
    let (sender, received) = std_mpsc::channel();
    handle.spawn(async move {
        while let Some(frames) = outgoing.recv().await {
            let Ok(message) = ZmqMessage::try_from(frames) else {
                continue;
            };
            if outward.send(message).await.is_err() {
                break;
            }
        }
    });
    handle.spawn(receive(inward, end, sender));
    (to_send, Inbox { received })
}

/// Waits until the kernel has closed a connection, of which a socket tells its monitor alone.
fn end_of<S: Socket>(socket: &mut S) -> impl Future<Output = ()> + Send + use<S> {
    let mut events = socket.monitor();
    async move {
        while let Ok(event) = events.recv().await {
            if matches!(event, SocketEvent::Disconnected(_)) {
                break;
            }
        }
    }
}

/// Hands over all that comes, and lets go of the sender at the end, which a socket finds behind the last message.
async fn receive(
    mut socket: impl SocketRecv,
    end: impl Future<Output = ()>,
    sender: std_mpsc::Sender<Frames>,
) {
    tokio::pin!(end);
    loop {
        let message = tokio::select! {
            biased;
            received = socket.recv() => received.ok(),
            () = &mut end => None,
        };
        let Some(message) = message else { break };
        if sender.send(message.into_vec()).is_err() {
            break;
        }
    }
    drop(sender);
    std::future::pending::<()>().await;
}
