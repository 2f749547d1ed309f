//! A problem in a file that a person wrote.

use std::fmt;

use serde::Serialize;

/// One problem in a file that a person wrote: where it is, what is wrong and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, thiserror::Error)]
pub struct Diagnostic {
    /// The file, as given or `builtin:<source>/<module>/<file>`.
    pub file: String,
    /// Line from 1, where known.
    pub line: Option<usize>,
    /// Column from 1, where known.
    pub column: Option<usize>,
    /// What is wrong.
    pub problem: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        for number in [self.line, self.column].into_iter().flatten() {
            write!(f, ":{number}")?;
        }
        let problem = self.problem.trim_end_matches('.');
        write!(f, ": {problem}. {}", self.remedy)
    }
}

impl Diagnostic {
    /// A problem of a whole file or folder.
    pub fn of_file(file: &str, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Diagnostic {
            file: file.to_owned(),
            line: None,
            column: None,
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }

    /// The same problem at this line and column, each from 1, where they are known.
    pub fn at(mut self, position: Option<(usize, usize)>) -> Self {
        (self.line, self.column) = position.unzip();
        self
    }
}
