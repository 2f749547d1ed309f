//! A proxy between the programs and PostgreSQL that knows the protocol well enough to break it at a commit.

use std::str::FromStr;
use std::sync::{Arc, Mutex};

use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinHandle};

/// What happens at a commit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Then {
    /// The connection breaks before the server has the commit.
    Lost,
    /// The server commits, and the connection breaks before its answer.
    Unanswered,
    /// All connections break, and new ones are refused until [`Line::go_on`].
    Away,
    /// The commit waits until [`Line::go_on`].
    Held,
}

#[derive(Default)]
struct State {
    /// Commits to pass before `then`, of transactions that say this.
    left: Option<(usize, &'static str, Then)>,
    /// Messages of the clients to pass before the connection breaks.
    messages: Option<usize>,
    /// Whether a run was opened since it was asked for.
    opened: bool,
    away: bool,
    live: Vec<AbortHandle>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    happened: Notify,
    go_on: Notify,
}

/// The proxy; it ends with its test.
pub struct Line {
    pub port: u16,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Line {
    /// Before the server of this URL.
    pub async fn before(url: &str) -> Line {
        let options = PgConnectOptions::from_str(url).expect("a URL of PostgreSQL");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared::default());
        let of = shared.clone();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (options, shared) = (options.clone(), of.clone());
                let mut state = of.state.lock().expect("no panic");
                if !state.away {
                    let carried = tokio::spawn(async move {
                        let _ = carry(client, &options, &shared).await;
                    });
                    state.live.push(carried.abort_handle());
                }
            }
        });
        Line { port, shared, task }
    }

    /// The address of the same database by this line.
    pub fn url(&self, url: &str) -> String {
        let mut url = reqwest::Url::parse(url).expect("a URL");
        url.set_host(Some("127.0.0.1")).expect("a host");
        url.set_port(Some(self.port)).expect("a port");
        url.set_query(Some("sslmode=disable"));
        url.to_string()
    }

    /// At the n-th commit, counted from 1, of transactions in which `says` was said; where nothing must be
    /// said, of the next run.
    pub fn at_commit(&self, n: usize, says: &'static str, then: Then) {
        let mut state = self.shared.state.lock().expect("no panic");
        (state.left, state.opened) = (Some((n, says, then)), !says.is_empty());
    }

    /// A connection breaks before the n-th message of the next run, counted from 1.
    pub fn at_message(&self, n: usize) {
        let mut state = self.shared.state.lock().expect("no panic");
        (state.messages, state.opened) = (Some(n), false);
    }

    /// Whether the run came to that message.
    pub fn broke(&self) -> bool {
        let mut state = self.shared.state.lock().expect("no panic");
        state.messages.take().is_none()
    }

    /// Done once it has happened.
    pub async fn happened(&self) {
        self.shared.happened.notified().await;
    }

    /// The database is back, and the commit that waits goes on. Answers whether what was asked for had
    /// happened.
    pub fn go_on(&self) -> bool {
        let mut state = self.shared.state.lock().expect("no panic");
        state.away = false;
        self.shared.go_on.notify_waiters();
        state.left.take().is_none()
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.task.abort();
        self.shared.away();
    }
}

impl Shared {
    fn away(&self) {
        let mut state = self.state.lock().expect("no panic");
        state.away = true;
        for connection in state.live.drain(..) {
            connection.abort();
        }
    }

    /// Whether the connection breaks before this message.
    fn breaks(&self, message: &[u8]) -> bool {
        let mut state = self.state.lock().expect("no panic");
        let Some(left) = state.messages else {
            return false;
        };
        state.opened |= contains(message, "insert into ops.runs");
        let left = left - usize::from(state.opened);
        state.messages = (left > 0).then_some(left);
        left == 0
    }

    /// What is to happen at the commit of a transaction in which this was said.
    fn commits(&self, said: &[u8]) -> Option<Then> {
        let mut state = self.state.lock().expect("no panic");
        state.opened |= contains(said, "insert into ops.runs");
        let (left, says, then) = state.left?;
        if !state.opened || !contains(said, says) {
            return None;
        }
        state.left = (left > 1).then_some((left - 1, says, then));
        (left == 1).then_some(then)
    }
}

fn contains(said: &[u8], word: &str) -> bool {
    word.is_empty() || said.windows(word.len()).any(|part| part == word.as_bytes())
}

async fn carry(
    client: TcpStream,
    server: &PgConnectOptions,
    shared: &Shared,
) -> std::io::Result<()> {
    let (from_client, to_client) = client.into_split();
    match server.get_socket() {
        Some(folder) => {
            let path = folder.join(format!(".s.PGSQL.{}", server.get_port()));
            let (from, to) = UnixStream::connect(path).await?.into_split();
            both(from_client, to_client, from, to, shared).await
        }
        None => {
            let address = (server.get_host(), server.get_port());
            let (from, to) = TcpStream::connect(address).await?.into_split();
            both(from_client, to_client, from, to, shared).await
        }
    }
}

async fn both(
    mut from_client: impl AsyncRead + Unpin,
    mut to_client: impl AsyncWrite + Unpin,
    mut from_server: impl AsyncRead + Unpin,
    mut to_server: impl AsyncWrite + Unpin,
    shared: &Shared,
) -> std::io::Result<()> {
    let mut answer = vec![0; 64 * 1024];
    let mut asked = Messages::default();
    let mut unanswered = false;
    // What the transaction has said: statements and their arguments, without what is copied.
    let mut said = Vec::new();
    loop {
        tokio::select! {
            message = asked.next(&mut from_client) => {
                let Some(message) = message? else { return Ok(()) };
                if shared.breaks(&message) {
                    return Ok(());
                }
                let asks = message.first() == Some(&b'Q');
                let commit = asks && message[5..].starts_with(b"COMMIT");
                if matches!(message.first(), Some(b'P' | b'B')) {
                    said.extend_from_slice(&message);
                }
                let then = commit.then(|| shared.commits(&said)).flatten();
                if commit || (asks && message[5..].starts_with(b"ROLLBACK\0")) {
                    said.clear();
                }
                match then {
                    None => {}
                    Some(then) => {
                        // Prepared before it is told, so that whoever is told may go on at once.
                        let go_on = shared.go_on.notified();
                        match then {
                            Then::Lost => {
                                shared.happened.notify_one();
                                return Ok(());
                            }
                            Then::Unanswered => unanswered = true,
                            Then::Away => {
                                shared.happened.notify_one();
                                shared.away();
                                // This task is aborted with the others.
                                std::future::pending::<()>().await;
                            }
                            Then::Held => {
                                tokio::pin!(go_on);
                                go_on.as_mut().enable();
                                shared.happened.notify_one();
                                tokio::select! {
                                    () = go_on => {}
                                    // Whoever was killed meanwhile commits nothing.
                                    over = asked.next(&mut from_client) => {
                                        if over?.is_none() {
                                            return Ok(());
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
                to_server.write_all(&message).await?;
            }
            read = from_server.read(&mut answer) => {
                let read = read?;
                if unanswered {
                    shared.happened.notify_one();
                }
                if read == 0 || unanswered {
                    return Ok(());
                }
                to_client.write_all(&answer[..read]).await?;
            }
        }
    }
}

/// The messages of a client: the first has no letter before its length.
#[derive(Default)]
struct Messages {
    begun: bool,
    buffer: Vec<u8>,
}

impl Messages {
    async fn next(
        &mut self,
        from: &mut (impl AsyncRead + Unpin),
    ) -> std::io::Result<Option<Vec<u8>>> {
        loop {
            let letter = usize::from(self.begun);
            if let Some(length) = self.buffer.get(letter..letter + 4) {
                let length = u32::from_be_bytes(length.try_into().expect("four bytes"));
                let end = letter + length as usize;
                if self.buffer.len() >= end {
                    let rest = self.buffer.split_off(end);
                    self.begun = true;
                    return Ok(Some(std::mem::replace(&mut self.buffer, rest)));
                }
            }
            if from.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
        }
    }
}
