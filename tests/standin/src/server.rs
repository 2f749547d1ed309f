//! Starting and stopping a stand-in, and the state its handlers share.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{get, post},
};
use serde::Serialize;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

use crate::{
    admin, auth::Auth, data, endpoint, faults::Switchboard, graphql::schema::Graph,
    limiter::Limiter, oauth, options::Options, stats::Stats, store::Store,
};

/// Why a stand-in does not start.
#[derive(Debug, thiserror::Error)]
pub enum StandinError {
    /// The port is taken or the address is not ours.
    #[error("the stand-in cannot listen on {address}; choose another --port, or 0 for a free one")]
    Listen {
        /// Where it was to listen.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// A switch given at the start does not fit.
    #[error("the switch cannot be set: {0}")]
    Fault(String),
}

/// The addresses of a running stand-in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Urls {
    /// The GraphQL endpoint.
    pub graphql: String,
    /// The admin face.
    pub admin: String,
    /// The OAuth token endpoint.
    pub token: String,
    /// The OAuth authorize page.
    pub authorize: String,
}

impl Urls {
    pub(crate) fn at(address: SocketAddr) -> Urls {
        Urls {
            graphql: format!("http://{address}/graphql/private/"),
            admin: format!("http://{address}/admin"),
            token: format!("http://{address}/developer/oauth/token"),
            authorize: format!("http://{address}/developer/oauth/authorize"),
        }
    }
}

/// A stand-in that is serving; dropping it stops it too.
#[derive(Debug)]
pub struct Running {
    /// Where it is reached.
    pub urls: Urls,
    quit: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Running {
    /// Stops serving and waits until open answers are sent.
    pub async fn stop(mut self) {
        drop(self.quit.take());
        let _ = (&mut self.task).await;
    }

    /// Waits for ever, or until the server ends by itself.
    pub async fn wait(mut self) {
        let _ = (&mut self.task).await;
    }
}

/// What the handlers share.
pub(crate) struct Shared {
    pub(crate) options: Options,
    store: RwLock<Store>,
    graph: RwLock<Arc<Graph>>,
    board: Mutex<Switchboard>,
    auth: Mutex<Auth>,
    stats: Arc<Mutex<Stats>>,
    limiter: Mutex<Limiter>,
    last: Mutex<HashMap<Vec<String>, Vec<u8>>>,
}

const POISONED: &str = "a handler panicked while it held this lock";

impl Shared {
    fn new(options: Options) -> Result<Shared, String> {
        Ok(Shared {
            store: RwLock::new(Store::new(data::account(&options))),
            graph: RwLock::new(Arc::new(Graph::build(&[])?)),
            board: Mutex::default(),
            auth: Mutex::new(Auth::new()),
            stats: Arc::default(),
            limiter: Mutex::default(),
            last: Mutex::default(),
            options,
        })
    }

    pub(crate) fn store(&self) -> RwLockReadGuard<'_, Store> {
        self.store.read().expect(POISONED)
    }

    pub(crate) fn store_mut(&self) -> RwLockWriteGuard<'_, Store> {
        self.store.write().expect(POISONED)
    }

    pub(crate) fn graph(&self) -> Arc<Graph> {
        Arc::clone(&self.graph.read().expect(POISONED))
    }

    pub(crate) fn board(&self) -> MutexGuard<'_, Switchboard> {
        self.board.lock().expect(POISONED)
    }

    pub(crate) fn auth(&self) -> MutexGuard<'_, Auth> {
        self.auth.lock().expect(POISONED)
    }

    pub(crate) fn stats(&self) -> MutexGuard<'_, Stats> {
        self.stats.lock().expect(POISONED)
    }

    /// The counts, for what outlives the request.
    pub(crate) fn stats_handle(&self) -> Arc<Mutex<Stats>> {
        Arc::clone(&self.stats)
    }

    pub(crate) fn limiter(&self) -> MutexGuard<'_, Limiter> {
        self.limiter.lock().expect(POISONED)
    }

    /// The last answer to each set of root fields.
    pub(crate) fn last(&self) -> MutexGuard<'_, HashMap<Vec<String>, Vec<u8>>> {
        self.last.lock().expect(POISONED)
    }

    /// Builds the schema again for the changes that are on.
    pub(crate) fn rebuild(&self) -> Result<(), String> {
        let drift = self.board().drift()?;
        *self.graph.write().expect(POISONED) = Arc::new(Graph::build(&drift)?);
        Ok(())
    }

    /// Back to the start: data, switches, tokens and counts.
    pub(crate) fn reset(&self) -> Result<(), String> {
        *self.store_mut() = Store::new(data::account(&self.options));
        *self.board() = Switchboard::default();
        *self.auth() = Auth::new();
        *self.stats() = Stats::default();
        *self.limiter() = Limiter::default();
        self.options
            .faults
            .iter()
            .try_for_each(|spec| admin::set(self, spec.clone()))?;
        self.rebuild()
    }
}

/// Starts a stand-in on the loopback address; it serves until it is stopped or dropped.
pub async fn serve(options: Options) -> Result<Running, StandinError> {
    let address = options.address();
    let shared = Arc::new(Shared::new(options).map_err(StandinError::Fault)?);
    for spec in &shared.options.faults {
        admin::set(&shared, spec.clone()).map_err(StandinError::Fault)?;
    }
    let router = Router::new()
        .route("/graphql/private/", post(endpoint::graphql))
        .route("/developer/oauth/authorize", get(oauth::authorize))
        .route("/developer/oauth/token", post(oauth::token))
        .nest("/admin", admin::routes())
        .layer(DefaultBodyLimit::max(64 * 1024 * 1024))
        .with_state(shared);
    listen(address, router).await
}

/// Serves a router until the returned handle is stopped or dropped.
pub(crate) async fn listen(address: SocketAddr, router: Router) -> Result<Running, StandinError> {
    let failed = |source| StandinError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let urls = Urls::at(listener.local_addr().map_err(failed)?);
    let (quit, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(async move {
        let server = axum::serve(listener, router).with_graceful_shutdown(async move {
            let _ = stopped.await;
        });
        let _ = server.await;
    });
    Ok(Running {
        urls,
        quit: Some(quit),
        task,
    })
}
