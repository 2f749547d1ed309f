//! A scripted source: a function from request to answer, and the requests it was asked.

use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Uri};
use axum::response::IntoResponse;
use fetcher::{FetchError, FetchErrorKind, Module, Page, Selection, Source, SourceConfig};
use futures::StreamExt;
use serde_json::Value;

/// One request as the source saw it.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Counts from 0.
    pub number: usize,
    pub path: String,
    pub headers: HeaderMap,
    pub text: String,
    /// The JSON body, or null for a form.
    pub body: Value,
}

impl Asked {
    pub fn variable(&self, name: &str) -> &Value {
        &self.body["variables"][name]
    }
}

pub struct Scripted {
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Scripted {
    pub async fn start<R: IntoResponse>(
        answer: impl Fn(&Asked) -> R + Send + Sync + 'static,
    ) -> Scripted {
        // The first test to come installs it for all.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let seen = asked.clone();
        let answer = Arc::new(answer);
        let handler = move |uri: Uri, headers: HeaderMap, body: Bytes| {
            let (answer, seen) = (answer.clone(), seen.clone());
            async move {
                let request = {
                    let mut all = seen.lock().unwrap();
                    let request = Asked {
                        number: all.len(),
                        path: uri.path().to_owned(),
                        headers,
                        text: String::from_utf8_lossy(&body).into_owned(),
                        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
                    };
                    all.push(request.clone());
                    request
                };
                answer(&request).into_response()
            }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, Router::new().fallback(handler)).into_future());
        Scripted { url, asked }
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Quick retries and no limit to speak of.
    pub fn config(&self) -> SourceConfig {
        let mut config = SourceConfig::new(format!("{}/graphql", self.url));
        config.rate.per_second = Some(100_000.0);
        config.rate.burst = 1_000;
        config.retry.base_ms = 1;
        config.retry.cap_ms = 2;
        config
    }

    pub fn open(&self) -> Source {
        Source::open("demo", &self.config(), None).unwrap()
    }
}

pub const RELAY: &str = "query Q($first: Int, $after: String) {
  allClients(first: $first, after: $after) { nodes { id name } pageInfo { hasNextPage endCursor } totalCount }
}";

/// Writes a module folder and loads it.
pub fn module(fetch: &str, query: &str, more: &[(&str, &str)]) -> Module {
    let dir = tempfile::tempdir().unwrap();
    let yaml = format!("module: clients\nsource: demo\nfetch:\n{fetch}");
    write_folder(&dir.path().join("clients"), &yaml, query);
    for (name, text) in more {
        std::fs::write(dir.path().join("clients").join(name), text).unwrap();
    }
    let modules = fetcher::load_modules(&[dir.path().to_owned()]).unwrap();
    modules
        .into_iter()
        .find(|module| module.name == "clients" && module.source == "demo")
        .unwrap()
}

pub fn write_folder(folder: &Path, yaml: &str, query: &str) {
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("module.yaml"), yaml).unwrap();
    std::fs::write(folder.join("query.graphql"), query).unwrap();
    std::fs::write(folder.join("contract.yaml"), "apiVersion: v3.1.0\n").unwrap();
}

pub fn relay() -> Module {
    module("  connection: allClients\n", RELAY, &[])
}

/// Everything a stream yields: its pages, and the failure it ended with.
pub async fn read(source: &Source, module: &Module) -> (Vec<Page>, Option<FetchError>) {
    let mut stream = fetcher::pages(source, module, Selection::default(), None);
    let mut pages = Vec::new();
    while let Some(item) = stream.next().await {
        match item {
            Ok(page) => pages.push(page),
            Err(failure) => return (pages, Some(failure)),
        }
    }
    (pages, None)
}

/// What kind of failure it is, if it is one.
pub fn kind_of(failure: &Option<FetchError>) -> Option<&FetchErrorKind> {
    failure.as_ref().map(|failure| &failure.kind)
}

pub fn ids(pages: &[Page]) -> Vec<String> {
    pages
        .iter()
        .flat_map(|page| &page.records)
        .map(|record| record.source_id.clone())
        .collect()
}
