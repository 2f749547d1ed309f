//! Dialects that differ in paging, ids and names.

use serde_json::{Value, json};

use super::landing::lands;
use super::server::{Server, open};
use crate::folder_sources::rows::{lines, text};

#[tokio::test(flavor = "multi_thread")]
async fn rows_by_offset_with_their_count_beside_them() {
    let rows: Vec<Value> = (0..130)
        .map(|n| {
            json!({
                "id": format!("00000000-0000-4000-8000-{n:012}"),
                "name": format!("Zoé {n}"),
                "email": (n % 3 > 0).then(|| format!("zoe{n}@courriel.example")),
                "credit": n as f64 / 4.0,
                "address": (n % 2 > 0).then(|| json!({ "city": "Montréal", "floors": [1, n] })),
                "created_at": "2026-02-03T04:05:06.789+00:00",
            })
        })
        .collect();
    let server = Server::start("hasura", open, move |field| match field.name {
        "customers" => {
            let (offset, limit) = (field.number("offset", 0), field.number("limit", 1_000));
            Some(Value::Array(field.window(&rows, offset, limit)))
        }
        "customers_aggregate" => Some(json!({ "aggregate": { "count": rows.len() } })),
        _ => None,
    })
    .await;
    let place = lands("hasura", &server, &[("customers", 130)]).await;
    let sums =
        "select sum(credit)::text || ' ' || count(email) || ' ' || count(city) from prod.customers";
    assert_eq!(text(&place.production, sums).await, "2096.25 86 65");
}

#[tokio::test(flavor = "multi_thread")]
async fn numbered_pages_that_are_smaller_than_asked() {
    let rows: Vec<Value> = (1..=95)
        .map(|n| {
            json!({
                "number": 70_000 + n, "placedOn": "2026-03-01", "amount": 0.1 * n as f64,
                "place": (n % 4 > 0).then(|| json!({ "town": "Hudson" })),
            })
        })
        .collect();
    let server = Server::start("numbered", open, move |field| {
        // Forty are asked for; this server never sends more than thirty.
        let (page, size) = (field.number("page", 1), field.number("perPage", 20).min(30));
        (field.name == "orders").then(|| json!({
            "items": field.window(&rows, (page - 1) * size, size), "total": rows.len(), "page": page,
        }))
    }).await;
    let place = lands("numbered", &server, &[("orders", 95)]).await;
    let sums = "select sum(amount)::text || ' ' || count(town) || ' ' || max(id) from prod.orders";
    assert_eq!(text(&place.production, sums).await, "456.00 72 70095");
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_that_are_numbers_and_ids_of_two_parts() {
    const BEYOND: u64 = 9_007_199_254_740_993;
    let accounts: Vec<Value> = (0..12)
        .map(|n| json!({ "accountNumber": BEYOND + n, "balance": n as f64 }))
        .collect();
    let booked: Vec<Value> = (0..90).map(|n| json!({
        "invoice": { "number": BEYOND + n / 3 }, "position": n % 3, "text": format!("Ligne {n}"),
        "cents": n * 100, "account": (n % 2 > 0).then_some(BEYOND + n % 12),
    })).collect();
    let server = Server::start("ledger", open, move |field| match field.name {
        "accounts" => Some(Value::Array(accounts.clone())),
        "lines" => Some(Value::Array(field.window(
            &booked,
            field.number("skip", 0),
            field.number("limit", 0),
        ))),
        _ => None,
    })
    .await;
    let place = lands("ledger", &server, &[("accounts", 12), ("lines", 90)]).await;
    let rows = "select id, invoice_number || ' ' || account_id from prod.lines where id like '%740994:%' and account_id is not null
        order by id";
    assert_eq!(
        lines(&place.production, rows).await,
        [
            "9007199254740994:0|9007199254740994 9007199254740996",
            "9007199254740994:2|9007199254740994 9007199254740998",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn names_in_every_manner() {
    let rows: Vec<Value> = (0..70).map(|n| json!({
        "ITEM_NO": format!("É-{n:03} \"x\""), "SKU": "select", "order": n, "select": "drop table", "userName": "o'neil",
        "HTMLBody": "<b>\u{e9}\u{1F3B9}</b>", "_rev": -n, "group": { "ID": "g", "FullName": "Ŧ; --" },
        "donnees": { "prénom": "Zoé", "année": 1900 + n },
    })).collect();
    let server = Server::start("names", open, move |field| {
        let start = field.arguments["AfterCursor"].as_str().map_or(0, |after| after.parse().unwrap());
        (field.name == "GetSTOCKItems").then(|| {
            let page = field.window(&rows, start, field.number("First", 10));
            let end = start + page.len();
            json!({ "Rows": page, "Count": rows.len(), "Info": { "NEXT": (end < rows.len()).then(|| end.to_string()) } })
        })
    }).await;
    let place = lands("names", &server, &[("order", 70)]).await;
    let row = "select id, concat_ws('|', \"order\", \"select\", \"user\", \"table\", \"group\", html_body, \"end\",
        given_name, annee) from prod.\"order\" where \"order\" = 69";
    assert_eq!(
        lines(&place.production, row).await,
        ["É-069 \"x\"|69|drop table|o'neil|select|Ŧ; --|<b>é🎹</b>|-69|Zoé|1969",]
    );
}
