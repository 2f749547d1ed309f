//! What a program answered.

use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;

/// The end of one process.
#[derive(Debug)]
pub struct Answer {
    /// The exit code; -1 where a signal ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Answer {
    /// Runs a program to its end.
    pub async fn of(command: &mut Command) -> Answer {
        let output = command
            .stdin(Stdio::null())
            .output()
            .await
            .expect("the program starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Answer {
            code: output.status.code().unwrap_or(-1),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }

    /// Fails the test unless the program ended so.
    #[track_caller]
    pub fn expect(self, code: i32) -> Answer {
        assert_eq!(
            self.code, code,
            "the exit code is another\n--- stdout\n{}\n--- stderr\n{}",
            self.stdout, self.stderr
        );
        self
    }

    /// Every line of standard output that is JSON.
    pub fn lines(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// Standard output as one JSON document.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| {
            panic!(
                "{error}\n--- stdout\n{}\n--- stderr\n{}",
                self.stdout, self.stderr
            )
        })
    }

    /// The first line about a module.
    #[track_caller]
    pub fn module(&self, name: &str) -> Value {
        let found = self.lines().into_iter().find(|line| line["module"] == name);
        found.unwrap_or_else(|| {
            panic!(
                "no line about {name}\n--- stdout\n{}\n--- stderr\n{}",
                self.stdout, self.stderr
            )
        })
    }

    /// The states by module, in the order they ran.
    pub fn states(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        self.lines()
            .iter()
            .map(|line| (text(&line["module"]), text(&line["state"])))
            .collect()
    }
}
