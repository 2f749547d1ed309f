//! `concord module new` against PostGraphile: sound at once, and every row lands.

use super::programs::{Workplace, assert_nothing_written, told};
use super::rows::lines;
use super::workshop::{Workshop, read};

/// The seed's staff and customers, and a few assets and visits with values of every kind.
fn few_rows() -> String {
    let seed = read("seed.sql");
    let (people, _) = seed
        .split_once("insert into workshop.assets")
        .expect("the seed has assets after customers");
    format!("{people}
        insert into workshop.assets
        select n, id, 'Érard', null, 'S' || n, 1900 + n, '{{\"finish\": \"noyer\"}}', n % 2 = 0, n * 1.05, '2020-02-29',
            '2026-02-03T04:05:06.789012Z'
        from (select row_number() over (order by id) as n, id from workshop.customers limit 50) as owners;
        insert into workshop.visits
        select 9007199254740993 + n, n, 1, 9223372036854775807 - n, 'done', '2026-02-03T04:05:06Z', '1 hour',
            -3.25, 41.5, 99.90, '{{accord}}', E'Deux\\nlignes'
        from generate_series(1, 50) as n;
        drop schema seed cascade;")
}

#[tokio::test(flavor = "multi_thread")]
async fn scaffolded_modules_are_sound_at_once_and_land_every_row() {
    let workshop = Workshop::open(&few_rows()).await;
    let place = Workplace::open("workshop", &workshop.endpoint, &[]).await;
    for module in ["customers", "staff", "assets", "visits"] {
        let made = place
            .concord(&["module", "new", module, "--source", "workshop"])
            .await;
        assert_eq!(made.code, 0, "{made:#?}");
        assert!(
            made.stdout.contains(&format!("{module} is sound")),
            "{made:#?}"
        );
        let checked = place
            .concord(&["module", "check", &format!("modules/{module}")])
            .await;
        assert_eq!(checked.code, 0, "{checked:#?}");
    }
    let all = ["--all", "--modules", "modules"];
    let (code, mut ran) = place.sync_with(&all).await;
    ran.sort_by_key(|line| line["module"].as_str().map(str::to_owned));
    assert_eq!(
        (code, told(&ran)),
        (
            0,
            [
                "assets: OK 50 new, 50 inserted, 0 updated, 0 deleted",
                "customers: OK 12000 new, 12000 inserted, 0 updated, 0 deleted",
                "staff: OK 40 new, 40 inserted, 0 updated, 0 deleted",
                "visits: OK 50 new, 50 inserted, 0 updated, 0 deleted",
            ]
            .map(str::to_owned)
            .to_vec()
        )
    );
    // Numbers keep their digits, and ids stay text, ready to be references.
    let theirs = "select id::text, trim_scale(balance)::text || ' ' || coalesce(preferred_staff_id::text, '-') || ' ' || name
        from workshop.customers order by id::text collate \"C\"";
    let ours = "select id, trim_scale(balance)::text || ' ' || coalesce(preferred_staff_id, '-') || ' ' || name
        from prod.customers order by id collate \"C\"";
    assert_eq!(
        lines(&place.production, ours).await,
        lines(&workshop.rows, theirs).await
    );
    let theirs = "select id::text, invoice_number || ' ' || trim_scale(price) || ' ' || asset_id from workshop.visits order by id";
    let ours = "select id, invoice_number || ' ' || trim_scale(price) || ' ' || asset_id from prod.visits order by id";
    assert_eq!(
        lines(&place.production, ours).await,
        lines(&workshop.rows, theirs).await
    );
    assert_nothing_written(&place.sync_with(&all).await);
    workshop.close().await;
}
