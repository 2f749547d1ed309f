//! A record that kills the process: found by what was being handled when a run died, and set aside.
//!
//! The first death says only that a run died while it promoted. From then on records are transformed one by
//! one, and the name of each is kept in a file before it is touched, then the names of the wave they are
//! decided in; a file outlives the process without being synced. Where a wave dies, each of its records goes
//! alone in the next run.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use staging::database::query_scalar;

/// Deaths of a record, alone or in a wave, after one without a name: three in all.
const NAMED_DEATHS: u32 = 2;

/// The memory of a module's deaths, `poison/<module>.json` in the data directory.
pub(super) struct Poison {
    file: PathBuf,
    known: Known,
}

#[derive(Default, Clone, Serialize, Deserialize)]
struct Known {
    suspect: Option<String>,
    deaths: u32,
    /// The wave in which a run died.
    #[serde(default)]
    wave: Vec<String>,
    #[serde(default)]
    handling: Vec<String>,
}

impl Poison {
    /// What is known, where the run before this one died while it promoted; `None` otherwise.
    pub(super) async fn of(
        pool: &PgPool,
        file: PathBuf,
        run_id: i64,
        step: &str,
    ) -> sqlx::Result<Option<Poison>> {
        let mut tx = pool.begin().await?;
        // A run that ended has ended its steps, unless the database stopped it, and then it says another
        // cause.
        let died: bool = query_scalar(
            "select exists (
                 select from ops.run_steps s join ops.runs r using (run_id)
                 where r.state = 'FAILED' and r.cause like 'The process ended before%'
                   and s.step = $2 and s.state = 'RUNNING'
                   and r.run_id = (select max(b.run_id) from ops.runs b
                       where b.run_id < $1 and b.module = (select module from ops.runs where run_id = $1)))",
        )
        .bind(run_id)
        .bind(step)
        .fetch_one(&mut *tx)
        .await?;
        if !died {
            let _ = std::fs::remove_file(&file);
            return Ok(None);
        }
        let read = std::fs::read(&file).unwrap_or_default();
        let mut known: Known = serde_json::from_slice(&read).unwrap_or_default();
        let mut handled = std::mem::take(&mut known.handling);
        match handled.len() {
            0 => {}
            1 => {
                let one = handled.remove(0);
                let before = match known.suspect.as_ref() == Some(&one) {
                    true => known.deaths,
                    false => u32::from(known.wave.contains(&one)),
                };
                known.deaths = before + 1;
                known.suspect = Some(one);
            }
            _ => known.wave = handled,
        }
        Ok(Some(Poison { file, known }))
    }

    /// The record to be set aside.
    pub(super) fn aside(&self) -> Option<&str> {
        (self.known.deaths >= NAMED_DEATHS)
            .then_some(self.known.suspect.as_deref())
            .flatten()
    }

    /// The records of a wave in which a run died: each goes alone.
    pub(super) fn suspects(&self) -> &[String] {
        &self.known.wave
    }

    /// Keeps the names of the records that are about to be handled.
    pub(super) fn handling(&self, records: &[&str]) {
        let known = Known {
            handling: records.iter().map(|&record| record.to_owned()).collect(),
            ..self.known.clone()
        };
        // Without the file the next death has no name, and nothing worse.
        let kept = self
            .file
            .parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| std::fs::write(&self.file, serde_json::to_vec(&known)?));
        if let Err(error) = kept {
            tracing::debug!(%error, "the record being handled could not be kept");
        }
    }

    /// Forgets everything, once a promotion came through.
    pub(super) fn forget(self) {
        let _ = std::fs::remove_file(&self.file);
    }
}
