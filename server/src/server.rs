//! The running server: two listeners, a hub, and a tracker of every task, all of which end with
//! one token.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::admission::Admission;
use crate::config::{Config, NoDataDirectory, Sync};
use crate::http::{Http, HttpOptions};
use crate::hub::Hub;
use crate::limits::DRAIN_TIME;
use crate::listener::{self, Context};
use crate::shutdown::Shutdown;
use crate::store::{Durability, Ephemeral, Fault, OpenError, Sqlite, SqliteOptions, Store, StoreError};
use crate::{presence, sequencer, upkeep};

/// Why a server did not start. One line, which says what to do.
#[derive(Debug, Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address} for {purpose}: {reason}; choose another with {flag}")]
    Listen {
        /// Which address.
        address: SocketAddr,
        /// What for.
        purpose: &'static str,
        /// The flag that changes it.
        flag: &'static str,
        /// The system's reason.
        reason: std::io::Error,
    },
    /// The data directory cannot be used.
    #[error(transparent)]
    Data(#[from] OpenError),
    /// There is no data directory.
    #[error(transparent)]
    NoDataDirectory(#[from] NoDataDirectory),
    /// What is stored cannot be read.
    #[error("cannot read what is stored: {0}; crosstalk-server check says more")]
    Store(#[from] StoreError),
    /// The page's directory has no page.
    #[error("there is no index.html in {0}; choose another directory with --web-dir")]
    WebDir(PathBuf),
}

/// A running server. Dropping it leaves its connections running; [`Server::stop`] ends them.
pub struct Server {
    tcp: SocketAddr,
    http: SocketAddr,
    context: Arc<Context>,
    presence: JoinHandle<()>,
    upkeep: JoinHandle<()>,
    sequencer: JoinHandle<()>,
    store: Arc<dyn Store>,
}

impl Server {
    /// Binds both ports and begins to serve.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(config: &Config) -> Result<Self, StartError> {
        if let Some(path) = &config.web_dir
            && !path.join("index.html").is_file()
        {
            return Err(StartError::WebDir(path.clone()));
        }
        let tcp = listen(config.tcp, "terminals", "--tcp")?;
        let http = listen(config.http, "browsers", "--http")?;
        let (tcp_address, http_address) = (local(&tcp, config.tcp), local(&http, config.http));

        let store = open_store(config)?;
        let (mut hub, drafts) = Hub::new(store.clone()).await?;
        hub.limit_rooms(config.max_rooms);
        let hub = Arc::new(hub);
        let trouble = {
            let store = store.clone();
            Arc::new(move || store.trouble())
        };
        let sequencer = tokio::spawn(sequencer::run(drafts, store.clone()));
        let presence = tokio::spawn(presence::run(hub.clone()));
        let upkeep = tokio::spawn(upkeep::run(hub.clone(), store.clone()));

        let shutdown = Shutdown::default();
        let context = Arc::new(Context {
            hub,
            http: Http::new(HttpOptions {
                web_dir: config.web_dir.clone(),
                allow_origins: config.allow_origin.clone(),
                stopping: shutdown.clone(),
                trouble,
            }),
            http_port: http_address.port(),
            rate: config.rate_limit.get(),
            backlog: config.backlog.get(),
            admission: Arc::new(Admission::new(config.max_connections, config.max_connections_per_ip.get())),
            turned_away: listener::turned_away_slots(),
            tracker: TaskTracker::new(),
            shutdown,
        });
        context.tracker.spawn(listener::accept(tcp, listener::Port::Tcp, context.clone()));
        context.tracker.spawn(listener::accept(http, listener::Port::Http, context.clone()));
        Ok(Self { tcp: tcp_address, http: http_address, context, presence, upkeep, sequencer, store })
    }

    /// Where terminals connect.
    pub fn tcp(&self) -> SocketAddr {
        self.tcp
    }

    /// Where browsers connect.
    pub fn http(&self) -> SocketAddr {
        self.http
    }

    /// Waits for a fault that the server cannot go on with: a task that everybody needs has ended.
    pub async fn failed(&mut self) {
        tokio::select! {
            _ = &mut self.sequencer => {}
            _ = &mut self.presence => {}
            _ = &mut self.upkeep => {}
        }
    }

    /// Stops accepting, tells every peer, and waits at most [`DRAIN_TIME`] for them to go. Returns
    /// how many connections were cut off.
    pub async fn stop(self) -> usize {
        let Self { context, presence, upkeep, sequencer, store, .. } = self;
        context.hub.close();
        context.shutdown.begin();
        context.tracker.close();
        let drained = timeout(DRAIN_TIME, context.tracker.wait()).await;
        let cut_off = if drained.is_ok() { 0 } else { context.tracker.len() };
        for task in [presence, upkeep] {
            task.abort();
            let _ = task.await;
        }
        // With the last holder of the hub, the queue closes; what is in it is still stored.
        drop(context);
        if cut_off == 0 {
            let _ = sequencer.await;
        }
        // With its last holder the store ends, and has stored everything by then.
        drop(store);
        cut_off
    }
}

fn open_store(config: &Config) -> Result<Arc<dyn Store>, StartError> {
    let Some(path) = config.data_directory()? else { return Ok(Arc::new(Ephemeral::default())) };
    let durability = match config.sync {
        Sync::Full => Durability::Full,
        Sync::Normal => Durability::Normal,
        Sync::Off => Durability::Off,
    };
    let fault = Arc::new(Fault::from_environment());
    let options = SqliteOptions { durability, retention: config.retention(), fault };
    Ok(Arc::new(Sqlite::open(&path, options)?))
}

fn listen(address: SocketAddr, purpose: &'static str, flag: &'static str) -> Result<TcpListener, StartError> {
    let bind = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // So that a server can be started again at once.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    bind().map_err(|reason| StartError::Listen { address, purpose, flag, reason })
}

/// Connections that may wait to be accepted: a class that comes in at the same moment.
const BACKLOG: u32 = 4_096;

fn local(listener: &TcpListener, wanted: SocketAddr) -> SocketAddr {
    listener.local_addr().unwrap_or(wanted)
}
