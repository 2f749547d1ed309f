//! Pages one after the other, each asked for with the cursor at the end of the one before.

use std::time::Instant;

use anyhow::Context;
use bytes::Bytes;
use serde::Serialize;

/// The query that the records of a bulk server answer.
const QUERY: &str = include_str!("../../../../fetcher/modules/gazelle/clients/query.graphql");
/// The page information stands in the last bytes of an answer.
const TAIL: usize = 400;

/// A chain of pages.
pub struct Pages {
    http: reqwest::Client,
    endpoint: String,
    size: usize,
}

#[derive(Serialize)]
struct Question<'a> {
    query: &'a str,
    variables: Variables<'a>,
}

#[derive(Serialize)]
struct Variables<'a> {
    first: usize,
    after: Option<&'a str>,
}

impl Pages {
    /// A chain of pages of `size` records.
    pub fn new(endpoint: String, size: usize) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .build()
            .context("making an HTTP connection pool")?;
        Ok(Self {
            http,
            endpoint,
            size,
        })
    }

    /// Fetches every page and looks at none but for its cursor; says how many records the source holds
    /// and how long it took.
    pub async fn fetch_all(&self) -> anyhow::Result<(usize, f64)> {
        let start = Instant::now();
        let (mut cursor, mut pages, mut bytes) = (None, 0, 0);
        loop {
            let body = self.page(cursor.as_deref()).await?;
            let tail =
                String::from_utf8_lossy(&body[body.len().saturating_sub(TAIL)..]).into_owned();
            cursor = next_cursor(&tail)?;
            pages += 1;
            bytes += body.len();
            if cursor.is_none() {
                let seconds = start.elapsed().as_secs_f64();
                let total = number_after(&tail, "\"totalCount\":").context("no totalCount")?;
                anyhow::ensure!(
                    pages == total.div_ceil(self.size),
                    "{pages} pages for {total} records"
                );
                eprintln!("{pages} pages, {bytes} bytes");
                return Ok((total, seconds));
            }
        }
    }

    /// One page behind a cursor.
    pub async fn page(&self, after: Option<&str>) -> anyhow::Result<Bytes> {
        let question = Question {
            query: QUERY,
            variables: Variables {
                first: self.size,
                after,
            },
        };
        let answer = self
            .http
            .post(&self.endpoint)
            .json(&question)
            .send()
            .await
            .context("asking for a page")?;
        answer
            .error_for_status()?
            .bytes()
            .await
            .context("reading a page")
    }
}

/// The cursor of the page that follows, `None` at the end.
pub fn next_cursor(tail: &str) -> anyhow::Result<Option<String>> {
    let info = tail
        .rfind("\"pageInfo\"")
        .context("the answer ends without pageInfo; is this a bulk server?")?;
    let info = &tail[info..];
    if !info.contains("\"hasNextPage\":true") {
        return Ok(None);
    }
    let cursor = info
        .split("\"endCursor\":\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    Ok(Some(
        cursor
            .context("a page with a next one has no endCursor")?
            .to_owned(),
    ))
}

fn number_after(text: &str, label: &str) -> Option<usize> {
    let digits = text.split(label).nth(1)?;
    digits
        .split(|c: char| !c.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}
