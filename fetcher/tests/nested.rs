//! Nested connections are followed to their end and stitched into the record.

use axum::response::IntoResponse;
use fetcher::{FetchErrorKind, Module};
use serde_json::{Value, json};

use crate::source::{Asked, Scripted, kind_of, module, read};

const QUERY: &str = "query Q($after: String) { all(after: $after) {
  nodes { id contacts(first: 2) { nodes { id emails(first: 1) { edges { node } pageInfo { hasNextPage endCursor } } } pageInfo { hasNextPage endCursor } } }
  pageInfo { hasNextPage endCursor } } }";
const CONTACTS: &str = "query C($id: ID!, $after: String) { client(id: $id) { contacts(after: $after) {
  nodes { id emails(first: 1) { edges { node } pageInfo { hasNextPage endCursor } } } pageInfo { hasNextPage endCursor } } } }";
const EMAILS: &str = "query E($contact: ID!, $client: ID!, $after: String) { contact(id: $contact, client: $client) { emails(after: $after) {
  edges { node } pageInfo { hasNextPage endCursor } } } }";
const FETCH: &str = "  connection: all
  nested:
    - { at: contacts, query: contacts.graphql, connection: client.contacts, variables: { id: .id } }
    - { at: contacts.nodes.emails, query: emails.graphql, connection: contact.emails, variables: { contact: .contacts.nodes.id, client: .id } }
";

/// A page of a connection over `count` things.
fn part(start: u64, size: u64, count: u64, key: &str, thing: impl Fn(u64) -> Value) -> Value {
    let end = (start + size).min(count);
    json!({ key: (start..end).map(thing).collect::<Vec<_>>(),
        "pageInfo": { "hasNextPage": end < count, "endCursor": end.to_string() } })
}

fn contacts(client: &str, start: u64) -> Value {
    let client = client.to_owned();
    part(start, 2, 5, "nodes", move |n| {
        let id = format!("{client}/{n}");
        let emails = emails(&id, 0);
        json!({ "id": id, "emails": emails })
    })
}

fn emails(contact: &str, start: u64) -> Value {
    part(
        start,
        1,
        3,
        "edges",
        |n| json!({ "node": format!("{contact}/{n}") }),
    )
}

/// The module that follows contacts, and the e-mails of each.
pub fn nested() -> Module {
    module(
        FETCH,
        QUERY,
        &[("contacts.graphql", CONTACTS), ("emails.graphql", EMAILS)],
    )
}

/// Takes out what the query does not select.
fn selected(mut value: Value, query: &str) -> Value {
    match &mut value {
        Value::Object(fields) => {
            fields.retain(|name, _| {
                !["contacts", "emails"].contains(&name.as_str()) || query.contains(name)
            });
            for field in fields.values_mut() {
                *field = selected(field.take(), query);
            }
        }
        Value::Array(items) => {
            for item in items {
                *item = selected(item.take(), query);
            }
        }
        _ => {}
    }
    value
}

/// Answers its three queries.
pub fn answer(asked: &Asked) -> axum::Json<Value> {
    let query = asked.body["query"].as_str().unwrap();
    axum::Json(selected(everything(asked, query), query))
}

fn everything(asked: &Asked, query: &str) -> Value {
    let text = |name: &str| asked.variable(name).as_str().unwrap().to_owned();
    let after = asked
        .variable("after")
        .as_str()
        .map_or(0, |after| after.parse().unwrap());
    if query.starts_with("query C") {
        json!({ "data": { "client": { "contacts": contacts(&text("id"), after) } } })
    } else if query.starts_with("query E") {
        assert!(text("contact").starts_with(&format!("{}/", text("client"))));
        json!({ "data": { "contact": { "emails": emails(&text("contact"), after) } } })
    } else {
        json!({ "data": { "all": part(0, 9, 3, "nodes", |n| {
            let id = format!("cli_{n}");
            json!({ "id": id, "contacts": contacts(&format!("cli_{n}"), 0), "kept": 1.50 })
        }) } })
    }
}

#[tokio::test]
async fn nested_connections_and_those_within_them_are_complete() {
    let server = Scripted::start(answer).await;
    let module = module(
        FETCH,
        QUERY,
        &[("contacts.graphql", CONTACTS), ("emails.graphql", EMAILS)],
    );
    let (pages, failure) = read(&server.open(), &module).await;
    assert!(failure.is_none(), "{failure:?}");
    assert_eq!(pages[0].records.len(), 3);
    for record in &pages[0].records {
        let value: Value = serde_json::from_slice(&record.json).unwrap();
        let contacts = value["contacts"]["nodes"].as_array().unwrap();
        let ids: Vec<_> = contacts
            .iter()
            .map(|contact| contact["id"].as_str().unwrap())
            .collect();
        let expected: Vec<_> = (0..5)
            .map(|n| format!("{}/{n}", record.source_id))
            .collect();
        assert_eq!(ids, expected);
        assert_eq!(value["contacts"]["pageInfo"]["hasNextPage"], false);
        for contact in contacts {
            assert_eq!(contact["emails"]["edges"].as_array().unwrap().len(), 3);
        }
    }
    // Per client: two further pages of contacts, and two further pages of e-mails for each of five.
    assert_eq!(server.asked().len(), 1 + 3 * (2 + 5 * 2));
}

/// Further pages of at most two contacts; larger ones are refused this way.
fn picky(refusal: fn() -> axum::response::Response) -> impl Fn(&Asked) -> axum::response::Response {
    move |asked| {
        if !asked.body["query"].as_str().unwrap().starts_with("query C") {
            let client = json!({ "id": "cli_0", "contacts": contacts("cli_0", 0) });
            return axum::Json(
                json!({ "data": { "all": part(0, 1, 1, "nodes", |_| client.clone()) } }),
            )
            .into_response();
        }
        if asked.variable("first").as_u64() > Some(2) {
            return refusal();
        }
        answer(asked).into_response()
    }
}

#[tokio::test]
async fn further_pages_refused_for_their_size_are_asked_for_by_halves() {
    let sized = CONTACTS
        .replace("$after: String)", "$after: String, $first: Int)")
        .replace("(after: $after)", "(after: $after, first: $first)");
    let fetch = "  connection: all
  nested:
    - { at: contacts, query: contacts.graphql, connection: client.contacts, variables: { id: .id }, size: 8 }
";
    let module = module(fetch, QUERY, &[("contacts.graphql", sized.as_str())]);
    type Refusal = fn() -> axum::response::Response;
    let cases: [(&str, Refusal); 3] = [
        ("413", || crate::failures::answer(413, &[], "no")),
        ("complexity", || {
            axum::Json(json!({ "errors": [{ "message": "Query has complexity of 900, which exceeds max complexity of 300" }] })).into_response()
        }),
        ("beyond our own cap", || "x".repeat(30_000).into_response()),
    ];
    for (label, refusal) in cases {
        let server = Scripted::start(picky(refusal)).await;
        let folder = tempfile::tempdir().unwrap();
        let mut config = server.config();
        config.max_body_bytes = 20_000;
        config.limits_folder = Some(folder.path().to_owned());
        let sizes = || {
            let asked = server.asked();
            asked
                .iter()
                .filter_map(|asked| asked.variable("first").as_u64())
                .collect::<Vec<_>>()
        };
        let source = fetcher::Source::open("demo", &config, None).unwrap();
        let (pages, failure) = read(&source, &module).await;
        assert!(failure.is_none(), "{label}: {failure:?}");
        let value: Value = serde_json::from_slice(&pages[0].records[0].json).unwrap();
        assert_eq!(value["contacts"]["nodes"].as_array().unwrap().len(), 5);
        assert_eq!(sizes(), [8, 4, 2, 2], "{label}");
        read(&source, &module).await;
        assert_eq!(sizes()[4..], [2, 2], "{label}: the size is remembered");
    }
}

#[tokio::test]
async fn a_further_page_refused_even_alone_has_failed() {
    let server = Scripted::start(|asked: &Asked| {
        match asked.body["query"].as_str().unwrap().starts_with("query C") {
            true => crate::failures::answer(413, &[], "no"),
            false => answer(asked).into_response(),
        }
    })
    .await;
    let module = module(
        FETCH,
        QUERY,
        &[("contacts.graphql", CONTACTS), ("emails.graphql", EMAILS)],
    );
    let (_, failure) = read(&server.open(), &module).await;
    assert!(
        matches!(
            kind_of(&failure),
            Some(FetchErrorKind::Refused { status: 413, .. })
        ),
        "{failure:?}"
    );
}

#[tokio::test]
async fn a_nested_loop_is_named() {
    let server = Scripted::start(|asked: &Asked| {
        let mut json = answer(asked).0;
        if asked.body["query"].as_str().unwrap().starts_with("query C") {
            json["data"]["client"]["contacts"]["pageInfo"] =
                json!({ "hasNextPage": true, "endCursor": "2" });
        }
        axum::Json(json)
    })
    .await;
    let module = module(
        FETCH,
        QUERY,
        &[("contacts.graphql", CONTACTS), ("emails.graphql", EMAILS)],
    );
    let (_, failure) = read(&server.open(), &module).await;
    let failure = failure.unwrap();
    assert!(
        matches!(&failure.kind, FetchErrorKind::Loop { .. }),
        "{failure:?}"
    );
    assert!(
        failure
            .to_string()
            .contains("the rest of `contacts` in clients cli_"),
        "{failure}"
    );
}
