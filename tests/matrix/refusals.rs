//! What a database refuses in the middle of a run: rows, locks, rights, and tables that somebody changed.

use serde_json::{Value, json};

use super::database::{KILL, PROMOTION, Scene};
use super::line::Then;
use super::oracle::Trial;

/// Statements that make every row written to a table fail so many times with an SQLSTATE. A sequence counts,
/// since it is not rolled back.
fn failing(table: &str, code: &str, times: u32) -> String {
    format!(
        "create sequence public.faults;
         create function public.fault() returns trigger language plpgsql as $$ begin
             if nextval('public.faults') <= {times} then raise exception 'a fault' using errcode = '{code}'; end if;
             return new; end $$;
         create trigger fault before insert or update on {table} for each row execute function public.fault()"
    )
}

const NO_FAULT: &str = "drop function public.fault cascade; drop sequence public.faults";

/// How often something of the last run was tried again.
const TRIES: &str = "select split_part(detail, ' ', 1) as tries from ops.run_steps
    where step = 'try again' and run_id = (select max(run_id) from ops.runs)";

/// U7: what is tried again without a fix is the same problem once more, with the number of tries, and nothing
/// else.
#[tokio::test]
async fn a_record_that_is_tried_again_without_a_fix_is_the_same_problem() {
    let mut trial = Trial::begin().await;
    let refused = "alter table prod.clients add constraint no_maison check (company_name !~ '^Maison') not valid";
    trial.world.sql(refused).await;
    trial.change().await;
    let problems = "select source_id, code, attempts from ops.problems where kind = 'quarantine' and module = 'clients'";
    let first = "select jsonb_agg(jsonb_build_array(problem_id, first_seen)) from ops.problems where kind = 'quarantine' and module = 'clients'";
    let mut stood = Value::Null;
    for attempt in 1..=3 {
        let before = trial.world.exact().await;
        let line = trial.run().await.expect(0).module("clients");
        assert_eq!(line["state"], "OK_Q", "{attempt}: {line}");
        let rows = trial.world.rows(problems).await;
        assert_eq!(rows.len(), 1, "{attempt}: {rows:?}");
        assert_eq!(rows[0]["attempts"], attempt, "{rows:?}");
        match attempt {
            1 => stood = trial.world.value(first).await,
            _ => assert_eq!(trial.world.exact().await, before, "{attempt}"),
        }
        assert_eq!(trial.world.value(first).await, stood, "{attempt}");
    }
    let list = trial
        .world
        .concord(&["quarantine", "list", "--module", "clients", "--json"])
        .await;
    assert_eq!(list.expect(0).json()[0]["attempts"], 3);
    trial
        .world
        .sql("alter table prod.clients drop constraint no_maison")
        .await;
    trial.heals("the constraint is gone").await;
}

/// The state, the exit code, and whether the run is marked as resumed.
#[tokio::test]
async fn what_passes_by_itself_is_tried_again_within_the_run() {
    let mut trial = Trial::begin().await;
    let rows = [
        (
            "D3",
            "a deadlock while staging",
            "staging.pages",
            "40P01",
            2,
            false,
        ),
        (
            "D3",
            "a serialization failure while staging",
            "staging.pages",
            "40001",
            1,
            false,
        ),
        (
            "D3",
            "a deadlock while promoting",
            "prod.clients",
            "40P01",
            2,
            false,
        ),
        (
            "D3",
            "a serialization failure while promoting",
            "prod.clients",
            "40001",
            3,
            false,
        ),
        (
            "D1",
            "a disk that was full for a moment",
            "staging.pages",
            "53100",
            2,
            true,
        ),
        (
            "D7",
            "no connection left for a moment",
            "staging.pages",
            "53300",
            1,
            true,
        ),
        (
            "D1",
            "a server that shuts down while promoting",
            "prod.clients",
            "57P01",
            1,
            true,
        ),
    ];
    for (name, what, table, code, times, resumed) in rows {
        let label = format!("{name} {what}");
        trial.change().await;
        trial.world.sql(&failing(table, code, times)).await;
        let line = trial.run().await.expect(0).module("clients");
        trial.world.sql(NO_FAULT).await;
        assert_eq!(
            (&line["state"], &line["resumed"]),
            (&json!("OK"), &json!(resumed)),
            "{label}"
        );
        assert_eq!(line["claims"]["inserted"], 1, "{label}: {line}");
        let expected = match name {
            "D3" => vec![json!({ "tries": times.to_string() })],
            _ => vec![],
        };
        assert_eq!(trial.world.rows(TRIES).await, expected, "{label}");
        trial.agrees(&label).await;
    }
}

#[tokio::test]
async fn transactions_that_cross_for_ever_are_left_to_the_next_run() {
    let mut trial = Trial::begin().await;
    trial.change().await;
    trial
        .world
        .sql(&failing("prod.clients", "40P01", 1000))
        .await;
    let line = trial.run().await.expect(75).module("clients");
    assert_eq!(line["state"], "WAITING", "{line}");
    trial.world.sql(NO_FAULT).await;
    trial.heals("crossed for ever").await;
}

/// What it is, how it is added, a record it refuses, what is said of it and where, and how it goes again.
type Constraint = (
    &'static str,
    &'static str,
    Value,
    &'static str,
    &'static str,
    &'static str,
);

fn constraints() -> Vec<Constraint> {
    let client = |id: &str, name: &str, status: Value| {
        json!({ "op": "upsert", "kind": "client", "id": id, "value": {
            "id": id, "companyName": name, "status": status, "tags": [],
            "createdAt": "2026-05-01T00:00:00Z", "updatedAt": "2026-05-01T00:00:00Z" } })
    };
    vec![
        (
            "check",
            "alter table prod.clients add constraint by_hand check (length(company_name) < 100) not valid",
            client("cli_odd1", &"Longue maison ".repeat(20), "ACTIVE".into()),
            "length(company_name) < 100",
            "by_hand",
            "alter table prod.clients drop constraint by_hand",
        ),
        (
            "range",
            "create index by_hand on prod.clients (((length(company_name) * 100)::smallint))",
            client(
                "cli_odd6",
                &"Très longue maison ".repeat(20),
                "ACTIVE".into(),
            ),
            "smallint out of range",
            "",
            "drop index prod.by_hand",
        ),
        (
            "unique",
            "create unique index by_hand on prod.clients (left(company_name, 5)) where company_name like 'Paire%'",
            json!([
                client("cli_odd2", "Paire une", "ACTIVE".into()),
                client("cli_odd3", "Paire deux", "ACTIVE".into())
            ]),
            "UNIQUE INDEX by_hand",
            "by_hand",
            "drop index prod.by_hand",
        ),
        (
            "foreign key",
            "alter table prod.clients add constraint by_hand foreign key (status) references public.statuses not valid",
            client("cli_odd4", "Maison étrange", "NEW".into()),
            "REFERENCES statuses(name)",
            "by_hand",
            "alter table prod.clients drop constraint by_hand",
        ),
        (
            "not null",
            "alter table prod.clients alter column status set not null",
            client("cli_odd5", "Maison sans statut", Value::Null),
            "null value in column",
            "status",
            "alter table prod.clients alter column status drop not null",
        ),
    ]
}

/// Constraints that somebody added by hand, the records each refuses, and what is said of it.
#[tokio::test]
async fn a_row_that_a_constraint_refuses_is_set_aside_alone_and_taken_up_when_it_fits() {
    let mut trial = Trial::begin().await;
    trial.world.sql("create table public.statuses (name text primary key); insert into public.statuses values ('ACTIVE')").await;
    for (label, constrain, edit, says, place, relax) in constraints() {
        trial.change().await;
        trial.world.edit(edit).await;
        trial.world.sql(constrain).await;
        let line = trial.run().await.expect(0).module("clients");
        assert_eq!(
            (&line["state"], &line["claims"]["quarantined"]),
            (&json!("OK_Q"), &json!(1)),
            "{label}: {line}"
        );
        let told = trial.world.open_problems_with("refused_by_database").await;
        assert_eq!(told.len(), 1, "{label}: {told:?}");
        assert!(
            told[0]["why"].to_string().contains(says),
            "{label}: {told:?}"
        );
        assert_eq!(
            told[0]["place"].as_str().unwrap_or_default(),
            place,
            "{label}"
        );
        trial.holds(label).await;
        // Still refused: set aside again, and the rest is as it was.
        let line = trial.run().await.expect(0).module("clients");
        assert_eq!(
            (&line["state"], &line["promotion"]),
            (&json!("OK_Q"), &Value::Null),
            "{label}: {line}"
        );
        trial.world.sql(relax).await;
        trial.run().await.expect(0);
        trial.agrees(label).await;
        let open = trial.world.open_problems_with("refused_by_database").await;
        assert!(
            open.is_empty(),
            "{label}: it landed, and nothing is asked any more"
        );
    }
}

/// The patience of a run is for an outage, not for the work before it.
#[tokio::test]
async fn a_promotion_that_takes_longer_than_an_outage_may_outlives_one() {
    let mut scene = Scene::set(4, "").await;
    scene
        .trial
        .configure(|text| text.replace("away_seconds = 60", "away_seconds = 1"));
    scene.trial.change().await;
    scene.line.at_commit(1, PROMOTION, Then::Held);
    let world = &scene.trial.world;
    let under_way = "select count(*) from pg_stat_activity where datname = current_database()
        and application_name = 'concord' and clock_timestamp() - xact_start > interval '2 seconds'";
    let beside = async {
        scene.line.happened().await;
        while world.count(under_way).await == 0 {}
        world.sql(KILL).await;
        scene.line.go_on();
    };
    let (answer, _) = scene.run_beside(beside).await;
    let line = answer.expect(0).module("clients");
    assert_eq!(line["resumed"], true, "{line}");
    scene.trial.agrees("a long promotion").await;
}
