//! Pre-serialised pages for benchmarks: `allClients`, whatever the query says, as fast as memory allows.

use std::sync::Arc;

use axum::{Router, body::Bytes, extract::State, response::Response, routing::post};
use serde::Deserialize;

use crate::{
    data::people,
    faults::Effects,
    graphql::{
        answer::Answer,
        request::{Body, Parsed},
        schema::Graph,
        window::Cursor,
    },
    interference,
    options::Options,
    server::{Running, StandinError, listen},
    store::{Row, Store},
};

/// The fields of one record when no query file is given: those of a real client node, about 1 KB.
const NODE: &str = include_str!("../../../fetcher/modules/gazelle/clients/query.graphql");

/// What a bulk server is started with.
#[derive(Debug, Clone, clap::Args)]
pub struct BulkOptions {
    /// Port on the loopback address; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// Seed of the invented data.
    #[arg(long, default_value_t = 2011)]
    pub seed: u64,
    /// Number of clients.
    #[arg(long, default_value_t = 200_000)]
    pub clients: usize,
    /// A query file that selects `allClients { nodes { … } }`: the fields that every record has.
    #[arg(long)]
    pub query: Option<std::path::PathBuf>,
}

/// All records, each followed by a comma, in parts of `share` records; every record's end stands beside its
/// part.
struct Pages {
    parts: Vec<(Vec<usize>, Bytes)>,
    total: usize,
    share: usize,
}

#[derive(Debug, Default, Deserialize)]
struct Variables {
    #[serde(default, alias = "limit")]
    first: Option<usize>,
    #[serde(default)]
    after: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Asked {
    #[serde(default)]
    variables: Option<Variables>,
}

/// Starts a bulk server; it answers every POST to the GraphQL endpoint with a page of clients.
pub async fn serve_bulk(options: BulkOptions) -> Result<Running, StandinError> {
    let pages = Arc::new(prepare(&options).map_err(StandinError::Fault)?);
    let router = Router::new()
        .route("/graphql/private/", post(page))
        .with_state(pages);
    listen(([127, 0, 0, 1], options.port).into(), router).await
}

fn prepare(options: &BulkOptions) -> Result<Pages, String> {
    let query = match &options.query {
        Some(path) => std::fs::read_to_string(path)
            .map_err(|error| format!("{}: {error}; name a readable query file", path.display()))?,
        None => NODE.to_owned(),
    };
    let small = Options {
        seed: options.seed,
        scale: 0.001,
        ..Options::default()
    };
    let account = crate::data::account(&small);
    let technicians = account.ids.users[..7].to_vec();
    let (store, effects) = (
        Store::new(account),
        Effects {
            page_cap: usize::MAX,
            ..Effects::default()
        },
    );
    let unreadable = |answer: Vec<u8>| String::from_utf8_lossy(&answer).into_owned();
    let parsed = Parsed::read(Body {
        query,
        ..Body::default()
    })
    .map_err(unreadable)?;
    let (_, plan) = parsed
        .plan(&Graph::build(&[])?, &effects)
        .map_err(unreadable)?;
    let connection = plan.step("allClients").and_then(|step| step.inner.as_ref());
    let node = connection
        .and_then(|connection| connection.step("nodes")?.inner.as_ref())
        .ok_or("the query must select allClients { nodes { … } }")?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = options.clients.div_ceil(threads).max(1);
    let write = |from: usize| {
        let mut answer = Answer::new(&store, &effects);
        let mut lengths = Vec::with_capacity(share);
        for index in from..options.clients.min(from + share) {
            let before = answer.out.len();
            let client = people::client(options.seed, small.now.as_second(), index, &technicians);
            answer.row(node, &Row::Whole(client));
            answer.out.push(b',');
            lengths.push(answer.out.len() - before);
        }
        (answer.out, lengths)
    };
    let parts: Vec<(Vec<u8>, Vec<usize>)> = std::thread::scope(|scope| {
        let froms = (0..options.clients).step_by(share);
        let threads: Vec<_> = froms.map(|from| scope.spawn(move || write(from))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("a generator does not panic"))
            .collect()
    });
    let mut pages = Pages {
        parts: Vec::new(),
        total: options.clients,
        share,
    };
    for (bytes, lengths) in parts {
        let mut end = 0;
        let ends = lengths.into_iter().map(|length| {
            end += length;
            end
        });
        pages.parts.push((ends.collect(), bytes.into()));
    }
    Ok(pages)
}

impl Pages {
    /// Appends the records `from..to`, with commas between.
    fn write(&self, from: usize, to: usize, out: &mut Vec<u8>) {
        let mut at = from;
        while at < to {
            let (ends, bytes) = &self.parts[at / self.share];
            let first = at % self.share;
            let last = (first + to - at).min(ends.len());
            let start = if first == 0 { 0 } else { ends[first - 1] };
            out.extend_from_slice(&bytes[start..ends[last - 1]]);
            at += last - first;
        }
        if to > from {
            out.pop();
        }
    }
}

async fn page(State(pages): State<Arc<Pages>>, body: Bytes) -> Response {
    let asked = serde_json::from_slice::<Asked>(&body)
        .unwrap_or_default()
        .variables
        .unwrap_or_default();
    let total = pages.total;
    let from = asked
        .after
        .as_deref()
        .and_then(Cursor::decode)
        .map_or(0, |cursor| (cursor.offset + 1).min(total));
    let to = from.saturating_add(asked.first.unwrap_or(100)).min(total);
    let cursor = |offset: usize| {
        Cursor {
            offset,
            id: String::new(),
        }
        .encode()
    };
    let (start, end) = if to > from {
        (
            format!("\"{}\"", cursor(from)),
            format!("\"{}\"", cursor(to - 1)),
        )
    } else {
        ("null".into(), "null".into())
    };
    let tail = format!(
        "],\"pageInfo\":{{\"hasNextPage\":{},\"hasPreviousPage\":{},\"startCursor\":{start},\"endCursor\":{end}}},\"totalCount\":{total}}}}}}}",
        to < total,
        from > 0
    );
    let head = b"{\"data\":{\"allClients\":{\"nodes\":[";
    let mut answer = Vec::with_capacity(head.len() + (to - from) * 1_024 + tail.len());
    answer.extend_from_slice(head);
    pages.write(from, to, &mut answer);
    answer.extend_from_slice(tail.as_bytes());
    interference::plain(200, "application/json; charset=utf-8", answer)
}
