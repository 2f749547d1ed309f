//! Schemas: asked for, written down, and held against queries.

use std::collections::BTreeSet;

use fetcher::{Sdl, check_query, introspect, probe, scaffold, selection_paths};
use serde_json::{Value, json};

use crate::source::{Scripted, module, write_folder};

const SDL: &str = r#"
scalar DateTime
scalar Cursor
enum Kind { PERSON INSTITUTION }
type Client { "The source's key." id: ID! companyName: String kind: Kind tags: [String!] balance: Float visits: Int createdAt: DateTime
  contact: Contact secret(key: String!): String }
type Contact { id: ID! email: String }
type PageInfo { hasNextPage: Boolean! endCursor: Cursor }
type ClientEdge { node: Client }
type ClientConnection { nodes: [Client] edges: [ClientEdge] pageInfo: PageInfo! totalCount: Int! }
type VisitPage { items: [Visit!]! total: Int! }
type Visit { uuid: String! startsOn: Date state: Kind price: BigFloat invoiceNumber: BigInt staffId: BigInt zone_id: Int }
scalar Date
scalar BigInt
scalar BigFloat
type Staff { rowId: Int! name: String }
type Query {
  allClients(first: Int, after: Cursor, search: String): ClientConnection!
  visits(limit: Int!, skip: Int!): VisitPage
  staff: [Staff!]!
  client(id: ID!): Client
  clientsOf(zone: String!): [Client]
}
"#;

#[test]
fn a_query_is_held_against_the_schema() {
    let good = "query Q($after: Cursor) { allClients(after: $after) { nodes { id contact { email } } pageInfo { hasNextPage } } }";
    assert_eq!(check_query(SDL, good, "query.graphql"), []);
    let bad = "query Q($after: Int) {\n  allClients(after: $after) {\n    nodes { id compnyName }\n  }\n  client { id }\n}";
    let told: Vec<String> = check_query(SDL, bad, "query.graphql")
        .iter()
        .map(ToString::to_string)
        .collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn the_selection_is_listed_below_the_record() {
    let module = module(
        "  connection: allClients\n",
        "query Q($after: String) { allClients(after: $after) { edges { node { ...C address: contact { mail: email } } } pageInfo { hasNextPage endCursor } } }
         fragment C on Client { id ... on Client { companyName } }",
        &[],
    );
    let expected = ["address", "address.mail", "companyName", "id"];
    assert_eq!(
        selection_paths(&module),
        BTreeSet::from(expected.map(str::to_owned))
    );
}

#[test]
fn scaffolds_pass_their_own_checks() {
    let cases = [
        ("clients", "allClients"),
        ("visits", "visits"),
        ("staff", "staff"),
        ("client", "allClients"),
    ];
    let mut told = String::new();
    for (name, field) in cases {
        let files = scaffold(name, "demo", &Sdl(SDL.to_owned())).unwrap();
        let query = &files["query.graphql"];
        assert!(query.contains(field), "{name}: {query}");
        assert_eq!(check_query(SDL, query, "query.graphql"), [], "{name}");
        let dir = tempfile::tempdir().unwrap();
        write_folder(&dir.path().join(name), &files["module.yaml"], query);
        fetcher::load_modules(&[dir.path().to_owned()]).unwrap();
        for (file, text) in &files {
            told += &format!("== {name}/{file}\n{text}");
        }
    }
    insta::assert_snapshot!(told);
    let failure = scaffold("invoices", "demo", &Sdl(SDL.to_owned()))
        .unwrap_err()
        .to_string();
    assert!(
        failure.contains("allClients") && failure.contains("Name one of"),
        "{failure}"
    );
}

/// An introspection answer small enough to read.
fn described() -> Value {
    let string = json!({ "kind": "SCALAR", "name": "String", "ofType": null });
    let list = json!({ "kind": "NON_NULL", "name": null, "ofType": { "kind": "LIST", "name": null, "ofType": {
        "kind": "OBJECT", "name": "Thing", "ofType": null } } });
    let bare = |kind: &str, name: &str| {
        json!({ "kind": kind, "name": name, "description": null, "fields": null,
        "inputFields": null, "interfaces": null, "enumValues": null, "possibleTypes": null })
    };
    let with = |mut of: Value, key: &str, value: Value| {
        of[key] = value;
        of
    };
    let field = |name: &str, of: &Value, args: Value| json!({ "name": name, "description": "He said \"so\".\nTwice.", "args": args, "type": of, "isDeprecated": name == "old" });
    let arg = json!([{ "name": "of", "description": null, "type": { "kind": "INPUT_OBJECT", "name": "Filter", "ofType": null }, "defaultValue": "{word: \"x\"}" }]);
    json!({ "queryType": { "name": "Root" }, "mutationType": null, "subscriptionType": null,
        "directives": [ { "name": "include", "locations": ["FIELD"], "args": [] }, { "name": "live", "locations": ["QUERY"], "args": [] } ],
        "types": [
            with(bare("OBJECT", "Root"), "fields", json!([field("things", &list, arg)])),
            with(with(bare("OBJECT", "Thing"), "fields", json!([field("id", &string, json!([])), field("old", &string, json!([]))])), "interfaces", json!([{ "name": "Named" }])),
            with(bare("INTERFACE", "Named"), "fields", json!([field("id", &string, json!([]))])),
            with(bare("INPUT_OBJECT", "Filter"), "inputFields", json!([{ "name": "word", "description": null, "type": string, "defaultValue": null }])),
            with(bare("ENUM", "Kind"), "enumValues", json!([{ "name": "A", "description": null, "isDeprecated": true }])),
            with(bare("UNION", "Any"), "possibleTypes", json!([{ "name": "Thing" }])),
            bare("SCALAR", "String"), bare("SCALAR", "Day"), with(bare("OBJECT", "__Type"), "fields", json!([])),
        ] })
}

#[tokio::test]
async fn a_schema_is_asked_for_and_written_down() {
    let server =
        Scripted::start(|_| axum::Json(json!({ "data": { "__schema": described() } }))).await;
    let sdl = introspect(&server.open()).await.unwrap();
    assert_eq!(check_query(&sdl.0, "query Q { things { id } }", "q"), []);
    insta::assert_snapshot!(sdl.0);
    probe(&server.open()).await.unwrap();
    assert_eq!(
        server.asked()[1].body["query"],
        "query Probe { __typename }"
    );
    let closed = Scripted::start(|_| axum::Json(json!({ "data": { "__schema": null } }))).await;
    let failure = introspect(&closed.open()).await.unwrap_err().to_string();
    assert!(failure.contains("introspection switched off"), "{failure}");
}

#[tokio::test]
async fn a_hostile_schema_is_refused_and_costs_no_more_than_reading_it() {
    let many: Vec<Value> = (0..100_000)
        .map(|number| json!({ "kind": "SCALAR", "name": format!("T{number}"), "fields": null }))
        .collect();
    let mut deep = json!({ "kind": "SCALAR", "name": "String", "ofType": null });
    for _ in 0..300 {
        deep = json!({ "kind": "LIST", "name": null, "ofType": deep });
    }
    let mut nested = described();
    nested["types"][0]["fields"][0]["type"] = deep;
    let mut crowded = described();
    crowded["types"] = many.into();
    for (hostile, says) in [(crowded, "100000 types"), (nested, "beyond reading")] {
        let server = Scripted::start(move |_| {
            axum::Json(json!({ "data": { "__schema": hostile.clone() } }))
        })
        .await;
        let failure = introspect(&server.open()).await.unwrap_err();
        assert_eq!(failure.class(), fetcher::Class::Failed);
        assert!(failure.to_string().contains(says), "{failure}");
        assert_eq!(server.asked().len(), 1, "asked once");
    }
}
