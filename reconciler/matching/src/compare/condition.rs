//! Conditions on a pair of records, as a specification writes them: `equal(email) and
//! jaro_winkler(name.given) >= 0.9`.

/// A condition.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// All conditions hold.
    All(Vec<Condition>),
    /// At least one condition holds.
    Any(Vec<Condition>),
    /// The condition does not hold.
    Not(Box<Condition>),
    /// A test holds.
    Holds(Test),
    /// A measure is at least this number.
    AtLeast(Measure, f32),
    /// A measure is at most this number.
    AtMost(Measure, f32),
}

/// A test of one or two attributes, given by their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Test {
    /// Both records have a value.
    Present(usize),
    /// Neither record has a value.
    Absent(usize),
    /// The records share a value.
    Equal(usize),
    /// Both records have values and share none.
    Differ(usize),
    /// One value may be the other's nickname.
    Nickname(usize),
    /// One value is the other's initial or initials.
    Initial(usize),
    /// The words of one value are among those of the other.
    Part(usize),
    /// The values are one letter apart and have the same digits.
    Slip(usize),
    /// The values have the same phonetic code.
    Sound(usize),
    /// The two attributes are swapped: each record's first equals the other's second.
    Swapped(usize, usize),
    /// One record's first attribute equals the other's second.
    Crossed(usize, usize),
}

/// A measure of two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Jaro-Winkler similarity.
    JaroWinkler(usize),
    /// Edit distance: letters to change, add, drop or transpose.
    Edits(usize),
    /// The weight of the shared words relative to all words; rare words weigh more.
    Overlap(usize),
    /// The weight of the shared words relative to the words of the shorter value.
    Contained(usize),
    /// The difference of two numbers.
    Gap(usize),
    /// The difference of two numbers, relative to the greater.
    Share(usize),
    /// The length of the shorter value.
    Length(usize),
    /// For the shared value of the first attribute: the number of other values of the second that occur with
    /// it.
    Others(usize, usize),
}

/// A syntax error in a condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}`: {fault}")]
pub struct ConditionError {
    /// The condition.
    pub text: String,
    /// What is wrong, and what would be valid.
    pub fault: String,
}

/// Parses a condition; `attribute` returns the number of an attribute by its name.
pub fn parse(
    text: &str,
    attribute: &dyn Fn(&str) -> Option<usize>,
) -> Result<Condition, ConditionError> {
    let mut reading = Reading {
        words: words(text),
        at: 0,
        depth: 0,
        attribute,
    };
    let failed = |fault: String| ConditionError {
        text: shown(text).to_owned(),
        fault: shown(&fault).to_owned(),
    };
    let condition = reading.any().map_err(failed)?;
    if reading.at < reading.words.len() {
        return Err(failed(format!(
            "`{}` is one too many",
            reading.words[reading.at]
        )));
    }
    Ok(condition)
}

/// The maximum depth of brackets and `not`: each level uses stack, and nobody writes more.
const DEEPEST: usize = 64;

/// The maximum length of the text that an error repeats.
fn shown(text: &str) -> &str {
    text.char_indices()
        .nth(200)
        .map_or(text, |(end, _)| &text[..end])
}

struct Reading<'a> {
    words: Vec<&'a str>,
    at: usize,
    depth: usize,
    attribute: &'a dyn Fn(&str) -> Option<usize>,
}

fn words(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut start = None;
    for (at, letter) in text.char_indices() {
        let single = matches!(letter, '(' | ')' | ',');
        if letter.is_whitespace() || single {
            if let Some(start) = start.take() {
                found.push(&text[start..at]);
            }
            if single {
                found.push(&text[at..=at]);
            }
        } else if start.is_none() {
            start = Some(at);
        }
    }
    if let Some(start) = start {
        found.push(&text[start..]);
    }
    found
}

impl<'a> Reading<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let word = self.words.get(self.at).copied();
        self.at += 1;
        word
    }

    fn taken(&mut self, word: &str) -> bool {
        let here = self.words.get(self.at) == Some(&word);
        self.at += usize::from(here);
        here
    }

    fn expected(&mut self, word: &str) -> Result<(), String> {
        if self.taken(word) {
            Ok(())
        } else {
            Err(format!("`{word}` is missing after word {}", self.at))
        }
    }

    fn any(&mut self) -> Result<Condition, String> {
        let mut list = vec![self.all()?];
        while self.taken("or") {
            list.push(self.all()?);
        }
        Ok(if list.len() == 1 {
            list.remove(0)
        } else {
            Condition::Any(list)
        })
    }

    fn all(&mut self) -> Result<Condition, String> {
        let mut list = vec![self.one()?];
        while self.taken("and") {
            list.push(self.one()?);
        }
        Ok(if list.len() == 1 {
            list.remove(0)
        } else {
            Condition::All(list)
        })
    }

    fn one(&mut self) -> Result<Condition, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(format!("is nested more than {DEEPEST} deep"));
        }
        let condition = if self.taken("not") {
            Condition::Not(Box::new(self.one()?))
        } else if self.taken("(") {
            let inner = self.any()?;
            self.expected(")")?;
            inner
        } else {
            self.plain()?
        };
        self.depth -= 1;
        Ok(condition)
    }

    /// Parses a test, or a measure compared with a number.
    fn plain(&mut self) -> Result<Condition, String> {
        let name = self.next().ok_or("a condition is missing at the end")?;
        self.expected("(")?;
        let first = self.attribute()?;
        let second = if self.taken(",") {
            Some(self.attribute()?)
        } else {
            None
        };
        self.expected(")")?;
        if let Some(test) = test(name, first, second) {
            return Ok(Condition::Holds(test));
        }
        let measure = measure(name, first, second).ok_or_else(|| {
            format!(
                "`{name}` with {} attributes is not known",
                1 + usize::from(second.is_some())
            )
        })?;
        let sign = self.next().unwrap_or_default();
        let bound = self
            .next()
            .and_then(|bound| bound.parse().ok())
            .ok_or("a number is missing")?;
        match sign {
            ">=" => Ok(Condition::AtLeast(measure, bound)),
            "<=" => Ok(Condition::AtMost(measure, bound)),
            other => Err(format!("`{other}` is neither >= nor <=")),
        }
    }

    fn attribute(&mut self) -> Result<usize, String> {
        let name = self.next().ok_or("an attribute is missing at the end")?;
        (self.attribute)(name)
            .ok_or_else(|| format!("`{name}` is no attribute of the declared fields"))
    }
}

fn test(name: &str, first: usize, second: Option<usize>) -> Option<Test> {
    Some(match (name, second) {
        ("present", None) => Test::Present(first),
        ("absent", None) => Test::Absent(first),
        ("equal", None) => Test::Equal(first),
        ("differ", None) => Test::Differ(first),
        ("nickname", None) => Test::Nickname(first),
        ("initial", None) => Test::Initial(first),
        ("part", None) => Test::Part(first),
        ("slip", None) => Test::Slip(first),
        ("sound", None) => Test::Sound(first),
        ("swapped", Some(second)) => Test::Swapped(first, second),
        ("crossed", Some(second)) => Test::Crossed(first, second),
        _ => return None,
    })
}

fn measure(name: &str, first: usize, second: Option<usize>) -> Option<Measure> {
    Some(match (name, second) {
        ("jaro_winkler", None) => Measure::JaroWinkler(first),
        ("edits", None) => Measure::Edits(first),
        ("overlap", None) => Measure::Overlap(first),
        ("contained", None) => Measure::Contained(first),
        ("gap", None) => Measure::Gap(first),
        ("share", None) => Measure::Share(first),
        ("length", None) => Measure::Length(first),
        ("others", Some(second)) => Measure::Others(first, second),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions() {
        let attribute = |name: &str| {
            ["email", "name.given"]
                .iter()
                .position(|known| *known == name)
        };
        let read = |text: &str| parse(text, &attribute).map_err(|error| error.to_string());
        let equal = |at| Condition::Holds(Test::Equal(at));
        let cases = [
            ("equal(email)", Ok(equal(0))),
            (
                "equal(email) and (jaro_winkler(name.given) >= 0.9 or not equal( name.given ))",
                Ok(Condition::All(vec![
                    equal(0),
                    Condition::Any(vec![
                        Condition::AtLeast(Measure::JaroWinkler(1), 0.9),
                        Condition::Not(Box::new(equal(1))),
                    ]),
                ])),
            ),
            (
                "equal(mail)",
                Err("`equal(mail)`: `mail` is no attribute of the declared fields".to_owned()),
            ),
            (
                "equal email",
                Err("`equal email`: `(` is missing after word 1".to_owned()),
            ),
            (
                "equal(email) equal(email)",
                Err("`equal(email) equal(email)`: `equal` is one too many".to_owned()),
            ),
            (
                "edits(email)",
                Err("`edits(email)`: a number is missing".to_owned()),
            ),
            ("", Err("``: a condition is missing at the end".to_owned())),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text), expected, "{text}");
        }
    }
}
