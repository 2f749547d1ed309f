//! PostGraphile 5 with sixty thousand rows: production equals the source, row by row and value by value.

use std::fmt::Write;

use super::programs::{Workplace, assert_nothing_written, told};
use super::rows::{lines, text};
use super::workshop::{Workshop, read};
use crate::world::TestDatabase;

/// Values of every kind change, rows go and come, a list grows and others empty, a stranger becomes known.
const CHANGES: &str = "
insert into workshop.staff values
    (41, 'Neuve Recrue', 'recrue@atelier.example', '{fr,en}', true, 50, '2026-01-01', '{\"tuning\": 1}');
update workshop.customers
set name = name || ' (déménagé)', tags = tags || '{nouveau}', balance = balance + 0.05,
    address = address || '{\"floors\": 9}', preferred_staff_id = 41, is_active = not is_active
where id in (select id from workshop.customers order by id limit 60);
update workshop.customers set email = null
where id in (select id from workshop.customers order by id offset 60 limit 5);
update workshop.assets set customer_id = null, built_in = 1999, appraised_value = 0.10
where id in (select id from workshop.assets where customer_id is null order by id limit 30);
update workshop.visits
set staff_id = 41, price = 1.50, humidity = 70, duration = '3 hours 15 minutes', summary = E'Deux\\nlignes'
where id in (select id from workshop.visits order by id limit 40);
delete from workshop.visits where id in (select id from workshop.visits order by id desc limit 120);
insert into workshop.visits
select 9207199254740993000 + n, asset, 41, 5, 'done', '2026-02-03T04:05:06.789012Z', '45 minutes', -3.25, 41,
    99.90, '{accord}', 'Très bien'
from generate_series(1, 37) as n, (select min(id) as asset from workshop.assets) as first;";

#[tokio::test(flavor = "multi_thread")]
async fn production_equals_what_postgraphile_serves() {
    let workshop = Workshop::open(&read("seed.sql")).await;
    let place = Workplace::open(
        "workshop",
        &workshop.endpoint,
        &["tests/postgraphile/modules"],
    )
    .await;

    let (code, ran) = place.sync().await;
    assert_eq!(
        (code, told(&ran)),
        (
            0,
            [
                "staff: OK 40 new, 40 inserted, 0 updated, 0 deleted",
                "customers: OK 12000 new, 12000 inserted, 0 updated, 0 deleted",
                "assets: OK 18000 new, 18000 inserted, 0 updated, 0 deleted",
                "visits: OK 30000 new, 30000 inserted, 0 updated, 0 deleted",
            ]
            .map(str::to_owned)
            .to_vec()
        )
    );
    assert_same(&workshop.rows, &place.production, 60_040).await;
    // Three people left and their visits stay: each is a flagged stand-in, and a task for the operator.
    let strangers = "select name, id from prod.staff where is_placeholder order by id";
    let expected = ["Inconnu (41)|41", "Inconnu (42)|42", "Inconnu (43)|43"];
    assert_eq!(lines(&place.production, strangers).await, expected);
    let tasks =
        "select count(*)::text from ops.problems where code = 'unknown_parent' and state = 'open'";
    assert_eq!(text(&place.production, tasks).await, "3");

    workshop.rows.sql(CHANGES).await;
    let (code, ran) = place.sync().await;
    assert_eq!(code, 0, "{ran:#?}");
    assert_same(&workshop.rows, &place.production, 60_040 + 1 - 120 + 37).await;
    assert_eq!(
        lines(&place.production, strangers).await,
        expected[1..],
        "the first is no stranger any more"
    );
    let gone = "select count(*)::text from prod.visits where deleted_at is not null";
    assert_eq!(text(&place.production, gone).await, "120");

    assert_nothing_written(&place.sync().await);
    workshop.close().await;
}

/// The canonical exports of both sides, as text.
async fn assert_same(source: &TestDatabase, production: &TestDatabase, rows: usize) {
    let theirs = lines(source, &read("canonical_export_source.sql")).await;
    let ours = lines(production, &read("canonical_export_production.sql")).await;
    if theirs != ours {
        let mut shown = String::new();
        for line in theirs
            .iter()
            .filter(|line| ours.binary_search(line).is_err())
            .take(5)
        {
            let _ = writeln!(shown, "only in the source:     {line}");
        }
        for line in ours
            .iter()
            .filter(|line| theirs.binary_search(line).is_err())
            .take(5)
        {
            let _ = writeln!(shown, "only in production: {line}");
        }
        panic!(
            "{} rows at the source, {} in production\n{shown}",
            theirs.len(),
            ours.len()
        );
    }
    assert_eq!(theirs.len(), rows);
}
