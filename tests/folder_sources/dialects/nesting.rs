//! Dialects with connections inside connections, one of which lets itself be asked by cost.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde_json::{Map, Value, json};

use super::landing::lands;
use super::server::{Field, Server, open};
use crate::folder_sources::programs::assert_nothing_written;
use crate::folder_sources::rows::text;

/// Points that a question costs, that there can be, and that come back in a second.
const COST: f64 = 120.0;
const MOST: f64 = 600.0;
const RESTORED: f64 = 3_000.0;

struct Bucket {
    points: f64,
    at: Instant,
    refused: usize,
}

impl Bucket {
    fn pay(&mut self) -> Result<Map<String, Value>, Value> {
        let now = Instant::now();
        self.points =
            (self.points + now.duration_since(self.at).as_secs_f64() * RESTORED).min(MOST);
        self.at = now;
        let pays = self.points >= COST;
        let cost = json!({
            "requestedQueryCost": COST, "actualQueryCost": pays.then_some(COST),
            "throttleStatus": { "maximumAvailable": MOST, "currentlyAvailable": self.points, "restoreRate": RESTORED },
        });
        if pays {
            self.points -= COST;
            return Ok(Map::from_iter([(
                "extensions".to_owned(),
                json!({ "cost": cost }),
            )]));
        }
        self.refused += 1;
        Err(json!({
            "errors": [{ "message": "Throttled", "extensions": { "code": "THROTTLED" } }],
            "extensions": { "cost": cost },
        }))
    }
}

/// Every third product has more variants than the first page shows.
fn product(n: usize) -> Value {
    json!({
        "id": format!("gid://shop/Product/{n}"), "legacyResourceId": n.to_string(), "title": format!("Banc n° {n}"),
        "tags": ["neuf", "bois"], "updatedAt": "2026-02-03T04:05:06Z", "number": n,
    })
}

fn variants(product: usize) -> Vec<Value> {
    let many = if product.is_multiple_of(3) { 14 } else { 2 };
    (0..many).map(|n| json!({
        "id": format!("gid://shop/Variant/{product}{n:02}"), "sku": format!("S{product}-{n}"),
        "price": format!("{}.50", 100 + n),
    })).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn edges_by_cost_with_variants_inside() {
    let bucket = Arc::new(Mutex::new(Bucket {
        points: MOST,
        at: Instant::now(),
        refused: 0,
    }));
    let till = bucket.clone();
    let products: Vec<Value> = (1..=50).map(product).collect();
    let server = Server::start(
        "shop",
        move || till.lock().unwrap().pay(),
        move |field: &Field<'_>| match field.name {
            "products" => Some(field.connection(&products)),
            "product" => {
                let id = field.arguments["id"].as_str()?;
                let number: usize = id.rsplit('/').next()?.parse().ok()?;
                products.get(number - 1).cloned()
            }
            "variants" => Some(field.connection(&variants(
                usize::try_from(field.of["number"].as_u64()?).ok()?,
            ))),
            _ => None,
        },
    )
    .await;
    let place = lands("shop", &server, &[("products", 50)]).await;
    let sums = "select sum(cardinality(skus)) || ' ' || sum(jsonb_array_length(variants)) || ' ' || min(lowest_price)
        from prod.products";
    let every = 16 * 14 + 34 * 2;
    assert_eq!(
        text(&place.production, sums).await,
        format!("{every} {every} 100.50")
    );
    // Two seconds until the next answer. All six attempts are over in less than one, so only who waits for as
    // long as the points take to come back gets to the end.
    let refused = {
        let mut bucket = bucket.lock().unwrap();
        bucket.points = COST - 2.0 * RESTORED;
        bucket.at = Instant::now();
        bucket.refused
    };
    assert_nothing_written(&place.sync().await);
    assert!(
        bucket.lock().unwrap().refused > refused,
        "the source was asked within its points"
    );
}

fn repository(n: usize) -> Value {
    json!({
        "id": format!("R_{n}"), "number": n, "nameWithOwner": format!("atelier/dépôt-{n}"), "isPrivate": n.is_multiple_of(2),
        "diskUsage": (!n.is_multiple_of(5)).then_some(n * 10), "url": format!("https://forge.example/atelier/{n}"),
        "pushedAt": null,
    })
}

fn issues(repository: usize) -> Vec<Value> {
    (1..=repository % 20).map(|n| json!({
        "id": format!("I_{repository}_{n}"), "number": n, "title": "Corde cassée", "labelled": n,
        "state": if n % 3 == 0 { "CLOSED" } else { "OPEN" },
    })).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_below_the_viewer_with_connections_in_connections() {
    let repositories: Vec<Value> = (0..43).map(repository).collect();
    let server = Server::start("forge", open, move |field| {
        let number = |key: &str| field.of[key].as_u64().and_then(|n| usize::try_from(n).ok());
        let id = || field.arguments["id"].as_str();
        match field.name {
            "rateLimit" => {
                Some(json!({ "cost": 1, "remaining": 4_999, "resetAt": "2026-02-03T04:05:06Z" }))
            }
            "viewer" => Some(json!({ "login": "moi" })),
            "organization" => Some(json!({ "login": field.arguments["login"] })),
            "repositories" => Some(field.connection(&repositories)),
            "repository" => repositories
                .get(id()?.strip_prefix("R_")?.parse::<usize>().ok()?)
                .cloned(),
            "issue" => {
                let (repository, issue) = id()?.strip_prefix("I_")?.split_once('_')?;
                issues(repository.parse().ok()?)
                    .get(issue.parse::<usize>().ok()? - 1)
                    .cloned()
            }
            "issues" => Some(field.connection(&issues(number("number")?))),
            "labels" => {
                let labels: Vec<Value> = (0..number("labelled")?)
                    .map(|n| json!({ "name": format!("l{n:02}") }))
                    .collect();
                Some(field.connection(&labels))
            }
            _ => None,
        }
    })
    .await;
    let place = lands("forge", &server, &[("repositories", 43)]).await;
    let sums = "select sum(cardinality(issue_numbers)) || ' ' || sum(open_issues) || ' ' || sum(cardinality(label_names))
        from prod.repositories";
    let every: usize = (0..43).map(|n| n % 20).sum();
    let open: usize = (0..43).map(|n| n % 20 - (n % 20) / 3).sum();
    // The issue with the highest number bears the most labels, and so names all there are.
    assert_eq!(
        text(&place.production, sums).await,
        format!("{every} {open} {every}")
    );
}
