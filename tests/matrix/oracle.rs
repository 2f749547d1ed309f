//! A world whose source changes between runs, and the model its production must agree with.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use standin::Options;

use super::wire::Proxy;
use crate::world::{Answer, World};

/// What people wrote by hand, and no run may touch.
const BY_HAND: &str = "écrit à la main";

/// One world for many faults: before each, the source changes a little.
pub struct Trial {
    pub world: World,
    pub proxy: Proxy,
    config: String,
    step: u32,
}

impl Trial {
    /// Loaded once, with one edit by hand, read through a proxy that does nothing yet.
    pub async fn begin() -> Trial {
        Trial::paged(15).await
    }

    /// The same, with pages of at most so many records.
    pub async fn paged(page_cap: usize) -> Trial {
        let world = World::new(Options {
            timeline: Some(20),
            page_cap,
            ..Options::small()
        });
        Trial::in_world(world.await).await
    }

    /// In a world that has run nothing yet.
    pub async fn in_world(world: World) -> Trial {
        let endpoint = world.source.running.urls.graphql.clone();
        let server = endpoint
            .trim_start_matches("http://")
            .split('/')
            .next()
            .expect("an address")
            .to_owned();
        let proxy = Proxy::before(server.clone()).await;
        let file = world.folder().join("concord.toml");
        world.edit_file(&file, |text| {
            text.replace(&server, &format!("127.0.0.1:{}", proxy.port))
                + "timeout_seconds = 4\nbreaker = { failures = 3, open_seconds = 1 }\n"
        });
        let config = std::fs::read_to_string(&file).expect("a configuration");
        let config = without_table_breaker(&config);
        std::fs::write(&file, &config).expect("a configuration");
        let mut trial = Trial {
            world,
            proxy,
            config,
            step: 0,
        };
        trial.change().await;
        trial.world.run_sync(&["--all"]).await.expect(0);
        let edit = format!(
            "update prod.clients set personal_notes = '{BY_HAND}' where id = (select min(id) from prod.clients where id !~ '^cli_trial')"
        );
        trial.world.sql(&edit).await;
        trial
    }

    /// The source gains a client, renames the one before, and loses the one before that.
    pub async fn change(&mut self) {
        self.step += 1;
        let step = self.step;
        let id = |step: u32| format!("cli_trial{step:03}");
        let mut edits = vec![
            json!({ "op": "upsert", "kind": "client", "id": id(step), "value": {
            "id": id(step), "companyName": format!("Maison {step}"), "status": "ACTIVE", "tags": [],
            "createdAt": "2026-05-01T00:00:00Z", "updatedAt": "2026-05-01T00:00:00Z" } }),
        ];
        if step > 1 {
            edits.push(json!({ "op": "patch", "kind": "client", "id": id(step - 1), "value": { "companyName": format!("Nouvelle {step}") } }));
        }
        if step > 2 {
            edits.push(json!({ "op": "delete", "kind": "client", "id": id(step - 2) }));
        }
        self.world.edit(Value::from(edits)).await;
    }

    /// The configuration for the next runs.
    pub fn configure(&self, change: impl FnOnce(&str) -> String) {
        let file = self.world.folder().join("concord.toml");
        std::fs::write(file, change(&self.config)).expect("a configuration");
    }

    /// Another configuration for all runs from now on.
    pub fn reconfigure(mut self, change: impl FnOnce(&str) -> String) -> Trial {
        self.config = change(&self.config);
        self.configure(str::to_owned);
        self
    }

    /// One run of the clients.
    pub async fn run(&self) -> Answer {
        self.world.run_sync(&["--module", "clients"]).await
    }

    /// A person approves what the cause of a blocked run asks for.
    pub async fn approve(&self, cause: &str, reason: &str) {
        let (_, after) = cause
            .split_once("concord approve ")
            .expect("a cause that says how to approve");
        let number: String = after.chars().take_while(char::is_ascii_digit).collect();
        let words = ["approve", &number, "--reason", reason];
        self.world.concord(&words).await.expect(0);
    }

    /// Everything as it was: no fault, nothing remembered of the limits.
    pub async fn clear(&self) {
        self.world.clear_faults().await;
        self.proxy.breaks(super::wire::Wire::Through, 0);
        self.configure(str::to_owned);
        let _ = std::fs::remove_dir_all(self.world.folder().join("concord-data/limits"));
    }

    /// Live clients of production by id, with their names.
    async fn production(&self) -> BTreeMap<String, Value> {
        let mut rows = self.world.rows_of("clients").await;
        rows.retain(|row| row["deleted_at"].is_null() && row["is_placeholder"] == false);
        rows.into_iter()
            .map(|mut row| (text(&row["id"]), row["company_name"].take()))
            .collect()
    }

    /// Clients of the source by id, with their names.
    async fn source(&self) -> BTreeMap<String, Value> {
        let nodes = self
            .world
            .source
            .every("allClients", "id companyName")
            .await;
        nodes
            .into_iter()
            .map(|mut node| (text(&node["id"]), node["companyName"].take()))
            .collect()
    }

    /// Production is what the source says, and what people wrote stands.
    pub async fn agrees(&self, label: &str) {
        assert_eq!(
            self.production().await,
            self.source().await,
            "{label}: production and source"
        );
        self.holds(label).await;
    }

    /// What holds at any time, whatever the source does: edits by hand stand, and every run accounts for
    /// itself.
    pub async fn holds(&self, label: &str) {
        let kept = format!("select count(*) from prod.clients where personal_notes = '{BY_HAND}'");
        assert_eq!(
            self.world.count(&kept).await,
            1,
            "{label}: the edit by hand"
        );
        let torn = "select count(*) from ops.runs where state = 'RUNNING' or fetched <> new + changed + unchanged + superseded
            or claimed <> promoted + same + quarantined + parked + in_review or (state <> 'OK' and cause is null)";
        assert_eq!(
            self.world.count(torn).await,
            0,
            "{label}: runs that do not add up"
        );
        let lost = self.world.lost_records_of("clients").await;
        assert!(
            lost.is_empty(),
            "{label}: records that are nowhere: {lost:?}"
        );
    }

    /// Clients marked deleted.
    pub async fn deleted(&self) -> i64 {
        self.world.deleted_rows_of("clients").await
    }

    /// At most two clean runs, and all is well again.
    pub async fn heals(&self, label: &str) {
        self.clear().await;
        let mut answer = self.run().await;
        if answer.code != 0 {
            answer = self.run().await;
        }
        assert_eq!(
            answer.code, 0,
            "{label}: {}{}",
            answer.stdout, answer.stderr
        );
        self.agrees(label).await;
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// The breaker's line of every world's configuration gives way to the trial's own.
fn without_table_breaker(config: &str) -> String {
    let lines: Vec<&str> = config.lines().collect();
    let last = lines.iter().rposition(|line| line.starts_with("breaker"));
    let kept = lines
        .iter()
        .enumerate()
        .filter(|(at, line)| !line.starts_with("breaker") || Some(*at) == last);
    kept.map(|(_, line)| format!("{line}\n")).collect()
}
