//! Prometheus' text format, version 0.0.4.

use std::fmt::Write;

/// The kinds of metrics we expose.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// A text under construction: families, each with its samples.
#[derive(Default)]
pub(super) struct Exposition {
    text: String,
    family: &'static str,
}

impl Exposition {
    /// Begins a family of samples.
    pub(super) fn family(&mut self, name: &'static str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        self.family = name;
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        self.text
            .push_str(&format!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }

    /// Adds a sample to the family.
    pub(super) fn sample(&mut self, suffix: &str, labels: &[(&str, &str)], value: f64) {
        let labels: Vec<String> = labels
            .iter()
            .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
            .collect();
        let labels = if labels.is_empty() {
            String::new()
        } else {
            format!("{{{}}}", labels.join(","))
        };
        let value = match value {
            f64::INFINITY => "+Inf".to_owned(),
            f64::NEG_INFINITY => "-Inf".to_owned(),
            value => value.to_string(),
        };
        let written = writeln!(self.text, "{}{suffix}{labels} {value}", self.family);
        debug_assert!(written.is_ok(), "a String takes every write");
    }

    /// The finished text.
    pub(super) fn finish(self) -> String {
        self.text
    }
}

fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_help_and_values_are_written_by_the_rules() {
        let mut text = Exposition::default();
        text.family("a_total", Kind::Counter, "One\ntwo \\ three.");
        text.sample("", &[], 3.0);
        text.sample(
            "_sum",
            &[("module", "a\"b\\c\nd"), ("le", "+Inf")],
            f64::INFINITY,
        );
        text.sample("", &[], f64::NAN);
        text.sample("", &[], 0.25);
        let expected = "# HELP a_total One\\ntwo \\\\ three.\n# TYPE a_total counter\na_total 3\n\
                        a_total_sum{module=\"a\\\"b\\\\c\\nd\",le=\"+Inf\"} +Inf\na_total NaN\na_total 0.25\n";
        assert_eq!(text.finish(), expected);
    }
}
