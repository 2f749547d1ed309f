//! Before a module reads: does its source still have the schema the module was written for?

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use fetcher::{CheckedSchema, Shape, Source, show_schema};
use tokio::sync::Mutex;

use crate::approval::{ChangeApproval, request_approval, take_approval};
use crate::error::RunError;
use crate::job::Job;

/// A process that runs for days asks for the schema again after this long.
const FRESH: Duration = Duration::from_secs(300);

/// A source's schema, or why there is none.
type SchemaAnswer = Arc<Result<CheckedSchema, String>>;

static ANSWERS: LazyLock<Mutex<HashMap<String, (Instant, SchemaAnswer)>>> =
    LazyLock::new(Mutex::default);

/// How the schema fits the module.
pub(crate) enum SchemaCheck {
    /// The module can read; what there is to note.
    Fits(Option<String>),
    /// The module stops before it reads anything: why, and what to do.
    Breaks(String),
}

/// Compares the module's query with the schema its source has now.
pub(crate) async fn check_schema(
    job: &Job<'_>,
    source: &Source,
    run_id: i64,
) -> Result<SchemaCheck, RunError> {
    let shown = schema_of(job, source).await?;
    let compared = async || match &*shown {
        Ok(schema) => compare(job, schema, run_id).await,
        Err(why) => {
            let mut tx = job.pool.begin().await?;
            let since = staging::schema_seen(&mut tx, source.name()).await?;
            let since = since.map_or("never verified".to_owned(), |at| {
                format!("not verified since {at}")
            });
            Ok(SchemaCheck::Fits(Some(format!(
                "The source's schema is {since}: {why}"
            ))))
        }
    };
    job.retry.run(compared).await
}

/// Asks once for all modules of the source.
async fn schema_of(job: &Job<'_>, source: &Source) -> Result<SchemaAnswer, RunError> {
    let mut all = ANSWERS.lock().await;
    if let Some((at, shown)) = all.get(source.name())
        && at.elapsed() < FRESH
    {
        return Ok(shown.clone());
    }
    let shown = match show_schema(source).await {
        Ok(sdl) => {
            let keep = async || {
                let mut tx = job.pool.begin().await?;
                staging::keep_schema(&mut tx, source.name(), &sdl.0).await?;
                Ok(tx.commit().await?)
            };
            job.retry.run(keep).await?;
            CheckedSchema::read(&sdl).ok_or_else(|| "it is not sound by itself.".to_owned())
        }
        Err(failure) => Err(failure.to_string()),
    };
    let shown = Arc::new(shown);
    all.insert(source.name().to_owned(), (Instant::now(), shown.clone()));
    Ok(shown)
}

async fn compare(
    job: &Job<'_>,
    schema: &CheckedSchema,
    run_id: i64,
) -> Result<SchemaCheck, RunError> {
    let (definition, name) = (job.definition, job.definition.name());
    let fingerprint = &definition.fingerprint;
    let shape = match schema.shape(&definition.module) {
        Ok(shape) => shape,
        Err(problems) => return Ok(SchemaCheck::Breaks(describe(job, &problems))),
    };
    let mut tx = job.pool.begin().await?;
    let known = staging::known_shape(&mut tx, name, fingerprint).await?;
    let known: Option<Shape> = known.and_then(|known| serde_json::from_value(known).ok());
    let drift = known.map(|known| shape.since(&known)).unwrap_or_default();
    let value = serde_json::to_value(&shape)?;
    let of = ChangeApproval {
        module: name,
        code: "schema",
        change: value.clone(),
    };
    if !drift.breaking.is_empty() && !take_approval(&mut tx, &of).await? {
        let why = describe(job, &drift.breaking);
        let number = request_approval(&mut tx, &of, run_id, &why).await?;
        tx.commit().await?;
        return Ok(SchemaCheck::Breaks(format!(
            "{why} If the change is right for the module as it is, `concord approve {number} --reason …` and run again."
        )));
    }
    staging::keep_shape(&mut tx, name, fingerprint, &value, &drift.additive).await?;
    tx.commit().await?;
    let note = (!drift.additive.is_empty())
        .then(|| format!("The source's schema grew: {}.", drift.additive.join("; ")));
    Ok(SchemaCheck::Fits(note))
}

/// The changes, the columns they reach, and what to do.
fn describe(job: &Job<'_>, changes: &[(Option<String>, String)]) -> String {
    let shown: Vec<&str> = changes
        .iter()
        .take(5)
        .map(|(_, told)| told.trim_end_matches('.'))
        .collect();
    let fields: Vec<&str> = changes
        .iter()
        .filter_map(|(path, _)| path.as_deref()?.rsplit('.').next())
        .collect();
    let lines = job.definition.module.yaml.lines().filter(|line| {
        fields
            .iter()
            .any(|field| line.contains(&format!(".{field}")))
    });
    let lines: Vec<&str> = lines.map(str::trim).take(5).collect();
    let affected = match lines.is_empty() {
        true => String::new(),
        false => format!(" The module uses it in: {}.", lines.join(" | ")),
    };
    format!(
        "The source's schema no longer fits this module: {}.{affected} Nothing was read. Correct the module's query and mapping (`concord source introspect` shows the schema).",
        shown.join("; ")
    )
}
