//! One column of a contract: its types, constraints and checks.

use regex::Regex;

/// The logical type of a column, as the standard names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogicalType {
    /// Text.
    String,
    /// A calendar day without a zone.
    Date,
    /// An instant.
    Timestamp,
    /// A decimal or floating-point number.
    Number,
    /// A whole number.
    Integer,
    /// Any JSON value.
    Object,
    /// A list.
    Array,
    /// True or false.
    Boolean,
}

/// The PostgreSQL types that a contract may use; no others are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhysicalType {
    /// `text`
    Text,
    /// `varchar(n)`
    Varchar(u32),
    /// `smallint`
    SmallInt,
    /// `integer`
    Integer,
    /// `bigint`
    BigInt,
    /// `numeric`, or `numeric(precision, scale)`
    Numeric(Option<(u32, u32)>),
    /// `double precision`
    Double,
    /// `boolean`
    Boolean,
    /// `date`
    Date,
    /// `timestamptz`
    Timestamptz,
    /// `jsonb`
    Jsonb,
    /// `text[]`
    TextArray,
    /// `integer[]`
    IntegerArray,
}

/// One end of a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// The bound in the column's canonical spelling.
    pub value: String,
    /// Whether the bound itself is outside the range.
    pub exclusive: bool,
}

/// A check on a value, beyond its type.
#[derive(Debug, Clone)]
pub enum Check {
    /// The text contains a match of the pattern.
    Pattern(Regex),
    /// Not less than the bound.
    Minimum(Bound),
    /// Not more than the bound.
    Maximum(Bound),
    /// At least this many characters.
    MinLength(usize),
    /// At most this many characters.
    MaxLength(usize),
    /// One of these, in canonical spelling.
    OneOf(Vec<String>),
}

/// One column of a production table.
#[derive(Debug, Clone)]
pub struct Column {
    /// Its name, an identifier from the allow-list.
    pub name: String,
    /// Its logical type.
    pub logical: LogicalType,
    /// Its type in PostgreSQL.
    pub physical: PhysicalType,
    /// Whether every row must have it, except placeholders and tombstones.
    pub required: bool,
    /// Whether no two living rows may share a value.
    pub unique: bool,
    /// Its classification: `public`, `restricted`, `personal` or an organisation's own term.
    pub classification: Option<String>,
    /// A description; becomes the column's comment.
    pub description: Option<String>,
    /// The checks on its values.
    pub checks: Vec<Check>,
}

impl LogicalType {
    pub(super) fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "string" => Self::String,
            "date" => Self::Date,
            "timestamp" => Self::Timestamp,
            "number" => Self::Number,
            "integer" => Self::Integer,
            "object" => Self::Object,
            "array" => Self::Array,
            "boolean" => Self::Boolean,
            _ => return None,
        })
    }

    /// The default physical type.
    pub(super) fn default_physical(self) -> PhysicalType {
        match self {
            Self::String => PhysicalType::Text,
            Self::Date => PhysicalType::Date,
            Self::Timestamp => PhysicalType::Timestamptz,
            Self::Number => PhysicalType::Numeric(None),
            Self::Integer => PhysicalType::BigInt,
            Self::Object | Self::Array => PhysicalType::Jsonb,
            Self::Boolean => PhysicalType::Boolean,
        }
    }

    pub(super) fn admits(self, physical: PhysicalType) -> bool {
        use PhysicalType as P;
        match self {
            Self::String => matches!(physical, P::Text | P::Varchar(_)),
            Self::Date => physical == P::Date,
            Self::Timestamp => physical == P::Timestamptz,
            Self::Number => matches!(
                physical,
                P::Numeric(_) | P::Double | P::SmallInt | P::Integer | P::BigInt
            ),
            Self::Integer => matches!(
                physical,
                P::SmallInt | P::Integer | P::BigInt | P::Numeric(_)
            ),
            Self::Object => physical == P::Jsonb,
            Self::Array => matches!(physical, P::TextArray | P::IntegerArray | P::Jsonb),
            Self::Boolean => physical == P::Boolean,
        }
    }
}

impl PhysicalType {
    /// The types by name, for messages.
    pub(super) const ALLOWED: &'static str = "text, varchar(n), smallint, integer, bigint, numeric, numeric(p,s), double precision, \
         boolean, date, timestamptz, jsonb, text[], integer[]";

    pub(super) fn parse(word: &str) -> Option<Self> {
        let word = word.trim().to_ascii_lowercase();
        Some(match word.as_str() {
            "text" => Self::Text,
            "smallint" => Self::SmallInt,
            "integer" => Self::Integer,
            "bigint" => Self::BigInt,
            "numeric" => Self::Numeric(None),
            "double precision" => Self::Double,
            "boolean" => Self::Boolean,
            "date" => Self::Date,
            "timestamptz" | "timestamp with time zone" => Self::Timestamptz,
            "jsonb" => Self::Jsonb,
            "text[]" => Self::TextArray,
            "integer[]" => Self::IntegerArray,
            _ => return Self::parse_sized(&word),
        })
    }

    fn parse_sized(word: &str) -> Option<Self> {
        let (name, sizes) = word.strip_suffix(')')?.split_once('(')?;
        let sizes: Vec<u32> = sizes
            .split(',')
            .map(|n| n.trim().parse().ok())
            .collect::<Option<_>>()?;
        match (name.trim(), sizes.as_slice()) {
            ("varchar" | "character varying", &[n]) if (1..=10_485_760).contains(&n) => {
                Some(Self::Varchar(n))
            }
            ("numeric", &[p]) if (1..=1000).contains(&p) => Some(Self::Numeric(Some((p, 0)))),
            ("numeric", &[p, s]) if (1..=1000).contains(&p) && s <= p => {
                Some(Self::Numeric(Some((p, s))))
            }
            _ => None,
        }
    }

    /// The logical type of a column that declares only a physical one.
    pub(super) fn default_logical(self) -> LogicalType {
        match self {
            Self::Text | Self::Varchar(_) => LogicalType::String,
            Self::SmallInt | Self::Integer | Self::BigInt => LogicalType::Integer,
            Self::Numeric(_) | Self::Double => LogicalType::Number,
            Self::Boolean => LogicalType::Boolean,
            Self::Date => LogicalType::Date,
            Self::Timestamptz => LogicalType::Timestamp,
            Self::Jsonb => LogicalType::Object,
            Self::TextArray | Self::IntegerArray => LogicalType::Array,
        }
    }

    /// Whether `self` can be widened to `wider`: every value fits and keeps its meaning.
    pub(super) fn widens_to(self, wider: Self) -> bool {
        match (self, wider) {
            (Self::Varchar(n), Self::Varchar(m)) => m > n,
            (Self::Varchar(_), Self::Text)
            | (Self::SmallInt, Self::Integer | Self::BigInt)
            | (Self::Integer, Self::BigInt)
            | (Self::Numeric(Some(_)), Self::Numeric(None)) => true,
            (Self::Numeric(Some((p, s))), Self::Numeric(Some((q, t)))) => {
                t >= s && q - t >= p - s && (p, s) != (q, t)
            }
            _ => false,
        }
    }
}

/// The SQL spelling of a type, also the one that contracts use.
impl std::fmt::Display for PhysicalType {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            Self::Text => f.write_str("text"),
            Self::Varchar(n) => write!(f, "varchar({n})"),
            Self::SmallInt => f.write_str("smallint"),
            Self::Integer => f.write_str("integer"),
            Self::BigInt => f.write_str("bigint"),
            Self::Numeric(None) => f.write_str("numeric"),
            Self::Numeric(Some((p, s))) => write!(f, "numeric({p},{s})"),
            Self::Double => f.write_str("double precision"),
            Self::Boolean => f.write_str("boolean"),
            Self::Date => f.write_str("date"),
            Self::Timestamptz => f.write_str("timestamptz"),
            Self::Jsonb => f.write_str("jsonb"),
            Self::TextArray => f.write_str("text[]"),
            Self::IntegerArray => f.write_str("integer[]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_read_back_as_they_are_written() {
        for word in PhysicalType::ALLOWED
            .replace("(n)", "(12)")
            .replace("(p,s)", "(10;2)")
            .split(", ")
        {
            let word = word.trim().replace(';', ",");
            assert_eq!(
                PhysicalType::parse(&word).map(|t| t.to_string()),
                Some(word)
            );
        }
        for word in [
            "varchar",
            "varchar(0)",
            "numeric(2,3)",
            "timestamp",
            "json",
            "text; drop table x",
            "serial",
            "int4",
            "",
        ] {
            assert_eq!(PhysicalType::parse(word), None, "{word}");
        }
    }

    #[test]
    fn only_lossless_changes_widen() {
        let cases = [
            ("varchar(5)", "varchar(9)", true),
            ("varchar(9)", "varchar(5)", false),
            ("varchar(9)", "text", true),
            ("text", "varchar(9)", false),
            ("integer", "bigint", true),
            ("bigint", "integer", false),
            ("numeric(4,2)", "numeric(6,2)", true),
            ("numeric(4,2)", "numeric(4,3)", false),
            ("numeric(4,2)", "numeric", true),
            ("integer", "text", false),
            ("date", "timestamptz", false),
        ];
        for (from, to, expected) in cases {
            let parse = |word| PhysicalType::parse(word).expect(word);
            assert_eq!(parse(from).widens_to(parse(to)), expected, "{from} -> {to}");
        }
    }
}
