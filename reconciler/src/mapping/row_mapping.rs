//! A module's mapping: one expression per column, run on every payload.

use super::budget::Budget;
use super::payload;
use super::program::{MappingError, Program, parsed};
use super::selection::{self, PlainPath};
use crate::{Rejection, Row};
use jaq_json::Val;

/// A column's expression as written in a module's file.
#[derive(Debug, Clone)]
pub struct Expression {
    /// The column it fills.
    pub column: String,
    /// The jq text.
    pub jq: String,
    /// Its line in the file, from 1.
    pub line: usize,
}

/// All expressions of a module, compiled once and shared by every record.
pub struct Mapping {
    columns: Vec<Compiled>,
}

struct Compiled {
    column: String,
    reads: Vec<String>,
    step: Step,
}

/// A plain path is looked up, so that a missing key stays absent; everything else runs as jq.
enum Step {
    Path(PlainPath),
    Program(Program),
}

impl Mapping {
    /// Compiles the expressions of `file`; the first invalid one is the error.
    pub fn compile(file: &str, columns: &[Expression]) -> Result<Self, MappingError> {
        let compile = |expression: &Expression| {
            Compiled::new(&expression.column, &expression.jq).map_err(|fault| {
                fault.into_error(file, expression.line, &expression.column, &expression.jq)
            })
        };
        Ok(Self {
            columns: columns.iter().map(compile).collect::<Result<_, _>>()?,
        })
    }

    /// Maps a payload to a row. If a path is missing from the payload, or an expression has no output, the
    /// column is absent. An explicit null, of the field or of one of its parents, is null.
    pub fn apply(&self, payload: &str) -> Result<Row, Rejection> {
        let input = payload::parse(payload)?;
        if !matches!(input, Val::Obj(_)) {
            return Err(Rejection::new(
                "not_an_object",
                "The record is not a JSON object. Let `nodes` in module.yaml point to objects.",
            ));
        }
        let budget = Budget::new();
        let mut row = Row::default();
        for compiled in &self.columns {
            let value = compiled
                .value(&input, &budget)
                .map_err(|rejection| rejection.at(&compiled.column))?;
            if let Some(value) = value {
                row.0.insert(compiled.column.clone(), value);
            }
        }
        Ok(row)
    }

    /// The dotted payload paths that each column's expression reads, as far as its text shows.
    pub fn paths(&self) -> Vec<(String, String)> {
        let pairs = |compiled: &Compiled| {
            compiled
                .reads
                .iter()
                .map(|path| (compiled.column.clone(), path.clone()))
                .collect::<Vec<_>>()
        };
        self.columns.iter().flat_map(pairs).collect()
    }
}

impl Compiled {
    fn new(column: &str, jq: &str) -> Result<Self, super::program::Fault> {
        let term = parsed(jq)?;
        let step = match PlainPath::of(&term) {
            Some(path) => Step::Path(path),
            None => Step::Program(Program::compile(term.clone(), jq)?),
        };
        Ok(Self {
            column: column.to_owned(),
            reads: selection::reads(&term),
            step,
        })
    }

    fn value(&self, input: &Val, budget: &Budget) -> Result<Option<serde_json::Value>, Rejection> {
        match &self.step {
            Step::Path(path) => path
                .find(input)?
                .map(|value| payload::to_json(value, budget))
                .transpose(),
            Step::Program(program) => {
                let output = program.run(input.clone(), budget)?;
                output
                    .map(|value| payload::to_json(&value, budget))
                    .transpose()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn mapping(jq: &str) -> Result<Mapping, MappingError> {
        let expression = Expression {
            column: "value".to_owned(),
            jq: jq.to_owned(),
            line: 7,
        };
        Mapping::compile("clients/module.yaml", &[expression])
    }

    fn apply(jq: &str, payload: &str) -> Result<Option<Value>, String> {
        let row = mapping(jq)
            .unwrap_or_else(|error| panic!("{error}"))
            .apply(payload)
            .map_err(|rejection| rejection.code)?;
        Ok(row.get("value").cloned())
    }

    #[test]
    fn absent_null_and_empty_stay_apart() {
        let payload = r#"{"a":{"b":1,"n":null,"e":"","l":[]},"list":[{"x":1},{"x":2}],"text":"t"}"#;
        let cases = [
            (".a.b", Some(json!(1))),
            (".a.n", Some(json!(null))),
            (".a.e", Some(json!(""))),
            (".a.l", Some(json!([]))),
            (".a.missing", None),
            (".missing.deeper", None),
            (".a.n.deeper", Some(json!(null))),
            (".a | .b", Some(json!(1))),
            (".a[\"b\"]", Some(json!(1))),
            (".a.\"b\"", Some(json!(1))),
            (".list[0].x", Some(json!(1))),
            (".list[-1].x", Some(json!(2))),
            (".list[9].x", None),
            (".text.inside?", None),
            ("empty", None),
            (".missing // empty", None),
            (".missing // \"default\"", Some(json!("default"))),
            ("[.list[].x]", Some(json!([1, 2]))),
            ("\"\\(.text) and \\(.a.b)\"", Some(json!("t and 1"))),
            (
                "if .a.b > 0 then \"yes\" else \"no\" end",
                Some(json!("yes")),
            ),
            ("[.list[].x] | add", Some(json!(3))),
            (".list | map(.x) | join(\"-\")", Some(json!("1-2"))),
            ("reduce .list[] as $i (0; . + $i.x)", Some(json!(3))),
            (".a.b += 4 | .a.b", Some(json!(5))),
            ("[.list[].x * 2]", Some(json!([2, 4]))),
            ("(.list[] |= .x) | .list", Some(json!([1, 2]))),
            ("[range(3)]", Some(json!([0, 1, 2]))),
            ("[limit(3; repeat(1))]", Some(json!([1, 1, 1]))),
            ("[.list | .. | numbers]", Some(json!([1, 2]))),
            ("def twice(f): f | f; 3 | twice(. + 1)", Some(json!(5))),
            ("\"[1,2]\" | fromjson", Some(json!([1, 2]))),
            (".list | tojson", Some(json!("[{\"x\":1},{\"x\":2}]"))),
            ("\"ab\" * 2", Some(json!("abab"))),
            ("0 | until(. >= 30000; . + 1)", Some(json!(30000))),
            ("[limit(30000; repeat(1))] | length", Some(json!(30000))),
            (
                "reduce range(5000) as $i ([]; . + [$i]) | length",
                Some(json!(5000)),
            ),
            (
                "\"2026-01-31T12:00:00Z\" | fromdate | todate",
                Some(json!("2026-01-31T12:00:00Z")),
            ),
        ];
        for (jq, expected) in cases {
            assert_eq!(apply(jq, payload), Ok(expected), "{jq}");
        }
    }

    #[test]
    fn what_cannot_be_mapped_is_rejected_by_name() {
        let cases = [
            (".list[]", r#"{"list":[1,2]}"#, "mapping_many_outputs"),
            (".text.inside", r#"{"text":"t"}"#, "mapping_failed"),
            (".a | keys | .x", r#"{"a":1}"#, "mapping_failed"),
            ("1 / 0", "{}", "not_a_finite_number"),
            (".a", "[1]", "not_an_object"),
            (".a", "{", "not_json"),
            (".a", r#"{"a":"\ud800"}"#, "unpaired_surrogate"),
            (".a", r#"{"a":"\udc00\ud800"}"#, "unpaired_surrogate"),
        ];
        for (jq, payload, code) in cases {
            assert_eq!(apply(jq, payload), Err(code.to_owned()), "{jq}");
        }
        assert_eq!(
            apply(".a", r#"{"a":"\ud83d\ude00\\ud800"}"#),
            Ok(Some(json!("😀\\ud800")))
        );
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(apply(".a", &deep), Err("nested_too_deep".to_owned()));
    }

    #[test]
    fn numbers_keep_every_digit() {
        for text in [
            "9007199254740993",
            "123456789012345678901234567890",
            "0.1000",
            "1e+2",
            "-12.345678901234567890123",
            "1.0",
        ] {
            let payload = format!("{{\"a\":{text},\"o\":{{\"b\":[{text}]}}}}");
            let value = |jq| apply(jq, &payload).map(|value| value.map(|value| value.to_string()));
            assert_eq!(value(".a"), Ok(Some(text.to_owned())));
            assert_eq!(
                value(".missing // .o"),
                Ok(Some(format!("{{\"b\":[{text}]}}")))
            );
        }
    }

    #[test]
    fn nothing_runs_without_end() {
        let hostile = [
            "[range(1e9)]",
            "[repeat(1)]",
            "last(repeat(1))",
            "try last(repeat(1)) catch 1",
            "until(false; .)",
            "[recurse(.)]",
            "first(recurse(.) | select(false))",
            "reduce range(60) as $i (\"a\"; . + .)",
            "reduce range(60) as $i (\"a\"; . += .)",
            "reduce range(60) as $i ([1]; . + .)",
            "reduce range(60) as $i (\"a\"; \"\\(.)\\(.)\") | length",
            "reduce range(60) as $i (1; [., .])",
            "reduce range(60) as $i (1; [., .]) | tojson",
            "reduce range(60) as $i (1; [., .]) | . == .",
            "reduce range(1e6) as $i (1; [.]) | 1",
            "1 | until(false; [[.]]) | 1",
            "last(recurse([.])) | 1",
            "\"a\" * 1e12 | length",
            "\"a\" * 1000000000000",
            "[.l[] as $a | .l[] as $b | .l[] as $c | .l[] as $d | 1] | length",
            "[.l[] + .l[] + .l[] + .l[]] | length",
            "[.l[] - .l[] - .l[] - .l[]] | length",
            "[{a: .l[], b: .l[], c: .l[], d: .l[]}] | length",
            "[.l,.l,.l,.l] | [combinations] | length",
            "[limit(1e9; .l[] | repeat(.))]",
            "[while(true; .)]",
            "[foreach repeat(1) as $x (0; . + 1)]",
            "isempty(repeat(1) | select(false))",
            "[.[]?, (.l | repeat(.[]))] | length",
        ];
        let list: Vec<u32> = (0..200).collect();
        let payload = json!({ "l": list }).to_string();
        for jq in hostile {
            assert_eq!(
                apply(jq, &payload),
                Err("mapping_too_costly".to_owned()),
                "{jq}"
            );
        }
    }

    #[test]
    fn errors_say_line_and_remedy() {
        let faults = [
            "",
            ".name |",
            ".name)",
            "{a: 1",
            ".a\n| nosuch",
            "length(1; 2)",
            "$undefined",
            "def f: f; f",
            "def loop($n): loop($n + 1); loop(0)",
            "now",
            "env.PATH",
            "$ENV.PATH",
            "halt",
            "input",
            "debug",
            "\"\\x\"",
            "§",
        ];
        let messages: Vec<String> = faults
            .iter()
            .map(|jq| {
                format!(
                    "{jq:?}\n    {}",
                    mapping(jq)
                        .err()
                        .map_or("compiled".to_owned(), |error| error.to_string())
                )
            })
            .collect();
        insta::assert_snapshot!(messages.join("\n"));
    }

    #[test]
    fn paths_tell_what_an_expression_reads() {
        let cases = [
            (".a.b", "a.b"),
            (".a | .b.c", "a.b.c"),
            (".a // .b", "a b"),
            ("\"\\(.first) \\(.last)\"", "first last"),
            ("[.items[].price] | add", "items.price"),
            (".items | map(.price)", "items.price"),
            (
                ".items | map(select(.main)) | first | .address",
                "items.address items.main",
            ),
            (
                "first(.items[] | select(.kind == \"home\") | .number)",
                "items.kind items.number",
            ),
            (".a as $x | $x.b + .c", "a.b c"),
            (".a as {b: $x} | $x", "a.b"),
            ("if .ok then .yes else .no end", "no ok yes"),
            ("{a: .b, c}", "b c"),
            ("reduce .items[] as $i (0; . + $i.price)", "items.price"),
            ("try .a.b catch \"none\"", "a.b"),
            (".note | capture(\"(?<year>[0-9]+)\") | .year", "note"),
            (".a | to_entries | map(.key)", "a"),
            (
                ".emails | sort_by(.rank) | .[0].address",
                "emails.address emails.rank",
            ),
            (".items[0:2] | map(.x)", "items.x"),
            ("def name: .person.name; name", "person.name"),
            (".name | sub(\"(?<x>a)\"; .x)", "name"),
            ("[.tags[] | ascii_downcase]", "tags"),
            ("1 + 1", ""),
            (".", ""),
        ];
        for (jq, expected) in cases {
            let paths: Vec<String> = mapping(jq)
                .unwrap_or_else(|error| panic!("{error}"))
                .paths()
                .into_iter()
                .map(|(_, path)| path)
                .collect();
            assert_eq!(paths.join(" "), expected, "{jq}");
        }
    }

    #[test]
    fn mappings_are_shared_between_tasks() {
        fn shared<T: Send + Sync>() {}
        shared::<Mapping>();
        shared::<crate::mapping::Predicate>();
    }

    proptest::proptest! {
        #[test]
        fn no_payload_and_no_expression_panics(jq in "[.a-c\\[\\]\\(\\)|,:/+*\"{}$ 0-9-]{0,24}", payload in "[{}\\[\\]\",:abc0-9\\\\ud-]{0,24}") {
            if let Ok(mapping) = mapping(&jq) {
                let _ = mapping.apply(r#"{"a":{"b":[1,{"c":"x"}]},"b":2.5}"#);
                let _ = mapping.apply(&payload);
            }
        }
    }
}
