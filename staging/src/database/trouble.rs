//! What kind of trouble a failed statement means: one table.

/// Trouble that passes by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The database cannot be reached, restarts, is full, takes no writes, or has no connection left. Whether
    /// the transaction was committed may be unknown.
    Away,
    /// Another transaction stood in the way; this one is rolled back, and may come through at once.
    Crossed,
    /// Somebody holds a lock for longer than we are ready to wait.
    Locked,
}

/// The trouble a failure means; `None` where trying again changes nothing.
pub fn trouble(failure: &sqlx::Error) -> Option<Trouble> {
    use sqlx::Error;
    let code = match failure {
        Error::Io(_) | Error::PoolTimedOut | Error::WorkerCrashed => return Some(Trouble::Away),
        // What a connection says that broke between two messages.
        Error::Protocol(_) => return Some(Trouble::Away),
        Error::Database(error) => error.code()?,
        _ => return None,
    };
    match &*code {
        "40001" | "40P01" => Some(Trouble::Crossed),
        "55P03" => Some(Trouble::Locked),
        // Read-only, as after a failover; ended by an administrator, a crash, a start or a time limit.
        "25006" | "57P01" | "57P02" | "57P03" | "57P05" | "25P03" => Some(Trouble::Away),
        // Connection exceptions; out of disk, memory or connections.
        code if code.starts_with("08") || code.starts_with("53") => Some(Trouble::Away),
        // A disk that fails under the server.
        "58030" => Some(Trouble::Away),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use sqlx::PgPool;

    use super::*;

    #[sqlx::test]
    async fn failures_are_sorted_by_whether_they_pass(pool: PgPool) {
        let raised = [
            ("57P01", Some(Trouble::Away)),
            ("57P03", Some(Trouble::Away)),
            ("25006", Some(Trouble::Away)),
            ("53100", Some(Trouble::Away)),
            ("53300", Some(Trouble::Away)),
            ("08006", Some(Trouble::Away)),
            ("40P01", Some(Trouble::Crossed)),
            ("40001", Some(Trouble::Crossed)),
            ("55P03", Some(Trouble::Locked)),
            ("23505", None),
            ("42501", None),
            ("42703", None),
            ("57014", None),
        ];
        for (code, expected) in raised {
            let raise = format!("do $$ begin raise exception using errcode = '{code}'; end $$");
            let failure = sqlx::raw_sql(sqlx::AssertSqlSafe(raise))
                .execute(&pool)
                .await
                .unwrap_err();
            assert_eq!(trouble(&failure), expected, "{code}");
        }
        let broken = sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into());
        assert_eq!(trouble(&broken), Some(Trouble::Away));
        assert_eq!(trouble(&sqlx::Error::PoolTimedOut), Some(Trouble::Away));
        assert_eq!(trouble(&sqlx::Error::RowNotFound), None);
    }
}
