//! What stands in a test's database, by name. A test asks here, so that a changed table changes one place.

use serde_json::Value;

use super::World;

/// Production rows.
impl World {
    /// Every row of a production table, by id.
    pub async fn rows_of(&self, table: &str) -> Vec<Value> {
        self.rows(&format!("select * from prod.\"{table}\" order by id"))
            .await
    }

    /// The row of one entity, or null.
    pub async fn row_of(&self, table: &str, id: &str) -> Value {
        let row = format!("select * from prod.\"{table}\" where id = {}", quoted(id));
        self.rows(&row).await.pop().unwrap_or_default()
    }

    /// The ids of a production table, in order.
    pub async fn ids_of(&self, table: &str) -> Vec<String> {
        texts(&self.rows_of(table).await, "id")
    }

    /// The ids of placeholders, in order.
    pub async fn placeholders_of(&self, table: &str) -> Vec<String> {
        let rows = format!("select id from prod.\"{table}\" where is_placeholder order by id");
        texts(&self.rows(&rows).await, "id")
    }

    /// How many rows of a production table are marked deleted.
    pub async fn deleted_rows_of(&self, table: &str) -> i64 {
        self.count(&format!(
            "select count(*) from prod.\"{table}\" where deleted_at is not null"
        ))
        .await
    }

    /// Every row of a production table without what says only when and how often it was written.
    pub async fn values_of(&self, table: &str) -> Vec<Value> {
        let mut rows = self.rows_of(table).await;
        for row in &mut rows {
            let row = row.as_object_mut().expect("a row");
            row.retain(|column, _| {
                !["created_at", "updated_at", "synced_at", "version"].contains(&column.as_str())
            });
        }
        rows
    }
}

/// Who is who.
impl World {
    /// The identity that holds for a record, or null.
    pub async fn identity_of(&self, module: &str, source_id: &str) -> Value {
        let mut identities = self
            .rows(&format!(
                "select * from prod.identities
                 where module = '{module}' and source_id = {} and valid_to is null",
                quoted(source_id)
            ))
            .await;
        identities.pop().unwrap_or_default()
    }

    /// The identities that hold for records of a module, by source id.
    pub async fn identities_of(&self, module: &str) -> Vec<Value> {
        self.rows(&format!(
            "select * from prod.identities where module = '{module}' and valid_to is null order by source_id"
        ))
        .await
    }

    /// What the identities that hold say: the record, its entity, and what the record claims.
    pub async fn claims(&self) -> Vec<Value> {
        let claims =
            "select source_id, entity_id, jsonb_strip_nulls(claim) as claim from prod.identities
                      where valid_to is null order by module, source_id";
        self.rows(claims).await
    }

    /// The exact keys by which rows are known.
    pub async fn match_keys(&self) -> Vec<Value> {
        self.rows("select * from prod.match_keys order by entity, label, value, entity_id")
            .await
    }

    /// The blocking keys by which rows are found.
    pub async fn blocking_keys(&self) -> Vec<Value> {
        self.rows("select * from prod.blocking_keys order by entity_id, entity, hash")
            .await
    }

    /// What people have decided about matches, the oldest first.
    pub async fn links(&self) -> Vec<Value> {
        self.rows("select * from prod.links where ended_at is null order by link_id")
            .await
    }
}

/// Promotions.
impl World {
    /// The number of the last promotion.
    pub async fn head(&self) -> i64 {
        self.count("select number from history.head").await
    }

    /// Every promotion, the first first.
    pub async fn promotions(&self) -> Vec<Value> {
        self.rows("select * from history.promotions order by number")
            .await
    }

    /// The hash of the state after a promotion.
    pub async fn state_hash(&self, number: i64) -> Value {
        let mut promotions = self.promotions().await;
        promotions.retain(|promotion| promotion["number"] == number);
        promotions.remove(0)["state_hash"].take()
    }

    /// What promotions did to one entity, in order.
    pub async fn changes_of(&self, entity: &str, id: &str) -> Vec<Value> {
        self.rows(&format!(
            "select * from history.changes where entity = '{entity}' and entity_id = {} order by number, part",
            quoted(id)
        ))
        .await
    }
}

/// Records and runs.
impl World {
    /// How many records of a module are staged.
    pub async fn staged_of(&self, module: &str) -> i64 {
        self.count(&format!(
            "select count(*) from staging.records where module = '{module}'"
        ))
        .await
    }

    /// The read that proved a record gone, if one did.
    pub async fn proof_of_absence(&self, module: &str, source_id: &str) -> Vec<Value> {
        self.rows(&format!(
            "select p.* from staging.records r join staging.passes p on p.pass_id = r.gone_in
             where r.module = '{module}' and r.source_id = {}",
            quoted(source_id)
        ))
        .await
    }

    /// Records that have neither an identity that holds nor an open problem; derived ones are not looked at.
    pub async fn unaccounted_records(&self) -> Vec<Value> {
        let lost = "select module, source_id from staging.records r where module <> 'measurements'
            and not exists (select from prod.identities i
                where i.module = r.module and i.source_id = r.source_id and i.valid_to is null)
            and not exists (select from ops.problems p
                where p.module = r.module and p.source_id = r.source_id and p.state = 'open')";
        self.rows(lost).await
    }

    /// Records of a module that have no identity, past or present, are not pending and have no problem.
    pub async fn lost_records_of(&self, module: &str) -> Vec<Value> {
        let known = ["prod.identities", "staging.pending", "ops.problems"].map(|table| {
            format!(
                "and not exists (select from {table} t where t.module = r.module and t.source_id = r.source_id)"
            )
        });
        let lost = format!(
            "select source_id from staging.records r where module = '{module}' {}",
            known.join(" ")
        );
        self.rows(&lost).await
    }

    /// Every run, the first first.
    pub async fn runs(&self) -> Vec<Value> {
        self.rows("select * from ops.runs order by run_id").await
    }

    /// The run that was opened last.
    pub async fn last_run(&self) -> Value {
        self.runs().await.pop().expect("a run")
    }

    /// Runs that are not over.
    pub async fn running(&self) -> Vec<Value> {
        let mut runs = self.runs().await;
        runs.retain(|run| run["state"] == "RUNNING");
        runs
    }

    /// The open problems of a kind, by module, record and code.
    pub async fn open_problems(&self, kind: &str) -> Vec<Value> {
        self.problems_where(&format!("kind = '{kind}' and state = 'open'"))
            .await
    }

    /// The open problems of a kind in one module.
    pub async fn open_problems_of(&self, module: &str, kind: &str) -> Vec<Value> {
        let mut problems = self.open_problems(kind).await;
        problems.retain(|problem| problem["module"] == module);
        problems
    }

    /// The open problems with a code.
    pub async fn open_problems_with(&self, code: &str) -> Vec<Value> {
        self.problems_where(&format!("code = '{code}' and state = 'open'"))
            .await
    }

    async fn problems_where(&self, condition: &str) -> Vec<Value> {
        self.rows(&format!(
            "select * from ops.problems where {condition} order by module, source_id, code, place"
        ))
        .await
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// These fields of each row, as an object of their own.
pub fn pick(rows: &[Value], fields: &[&str]) -> Vec<Value> {
    let field = |row: &Value, field: &&str| ((*field).to_owned(), row[*field].clone());
    rows.iter()
        .map(|row| Value::Object(fields.iter().map(|name| field(row, name)).collect()))
        .collect()
}

/// One field of each row, as text.
pub fn texts(rows: &[Value], field: &str) -> Vec<String> {
    let text = |row: &Value| row[field].as_str().expect("a text").to_owned();
    rows.iter().map(text).collect()
}
