//! What a stand-in is started with.

use std::net::SocketAddr;

use jiff::Timestamp;

use crate::faults::FaultSpec;

/// Everything that decides the data and the behaviour of one stand-in; the same options give the same bytes.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Port on the loopback address; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// Seed of the invented data.
    #[arg(long, default_value_t = 2011)]
    pub seed: u64,
    /// Multiplies every volume; 1 is 4,000 clients, 1,000 pianos and 290,000 timeline entries.
    #[arg(long, default_value_t = 1.0)]
    pub scale: f64,
    /// Number of clients, whatever the scale.
    #[arg(long)]
    pub clients: Option<usize>,
    /// Number of pianos, whatever the scale.
    #[arg(long)]
    pub pianos: Option<usize>,
    /// Number of timeline entries, whatever the scale.
    #[arg(long)]
    pub timeline: Option<usize>,
    /// The instant the data calls today.
    #[arg(long, default_value = "2026-06-01T12:00:00Z")]
    pub now: Timestamp,
    /// Largest page served; asking for more is silently clamped.
    #[arg(long, default_value_t = 100)]
    pub page_cap: usize,
    /// A fault that is on from the start: NAME, NAME=VALUE, or a JSON object as for POST /admin/faults.
    /// Repeatable.
    #[arg(long = "fault", value_name = "NAME[=VALUE]")]
    pub faults: Vec<FaultSpec>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            port: 0,
            seed: 2011,
            scale: 1.0,
            clients: None,
            pianos: None,
            timeline: None,
            now: "2026-06-01T12:00:00Z".parse().expect("a literal instant"),
            page_cap: 100,
            faults: Vec::new(),
        }
    }
}

impl Options {
    /// A small account (one hundredth of the real volumes), for tests.
    pub fn small() -> Self {
        Options {
            scale: 0.01,
            ..Options::default()
        }
    }

    /// How many records of each kind the options ask for.
    pub fn volumes(&self) -> Volumes {
        let scaled = |full: f64| ((full * self.scale).round() as usize).max(1);
        let clients = self.clients.unwrap_or_else(|| scaled(4_000.0)).max(4);
        Volumes {
            clients,
            pianos: self.pianos.unwrap_or_else(|| scaled(1_000.0)).max(4),
            timeline: self.timeline.unwrap_or_else(|| scaled(290_000.0)),
            events: scaled(400.0).max(20),
            invoices: scaled(6_200.0),
            estimates: scaled(300.0),
            measurements: scaled(1_500.0).max(12),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }
}

/// Numbers of records.
#[derive(Debug, Clone, Copy)]
pub struct Volumes {
    /// Clients listed by `allClients`.
    pub clients: usize,
    /// Pianos listed by `allPianos`.
    pub pianos: usize,
    /// Timeline entries, twins included.
    pub timeline: usize,
    /// Events of the window around today.
    pub events: usize,
    /// Invoices.
    pub invoices: usize,
    /// Estimates.
    pub estimates: usize,
    /// Piano measurements.
    pub measurements: usize,
}
