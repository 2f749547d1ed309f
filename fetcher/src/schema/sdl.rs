//! A schema as text, written from the answer to an introspection query.

use std::fmt::Write;

use serde::Deserialize;

/// A GraphQL schema in schema definition language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sdl(pub String);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Described {
    query_type: Named,
    mutation_type: Option<Named>,
    subscription_type: Option<Named>,
    types: Vec<Type>,
    #[serde(default)]
    directives: Vec<Directive>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Type {
    kind: String,
    name: String,
    description: Option<String>,
    fields: Option<Vec<Field>>,
    input_fields: Option<Vec<Input>>,
    interfaces: Option<Vec<Named>>,
    enum_values: Option<Vec<EnumValue>>,
    possible_types: Option<Vec<Named>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Field {
    name: String,
    description: Option<String>,
    args: Vec<Input>,
    #[serde(rename = "type")]
    of: TypeRef,
    #[serde(default)]
    is_deprecated: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    name: String,
    description: Option<String>,
    #[serde(rename = "type")]
    of: TypeRef,
    default_value: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EnumValue {
    name: String,
    description: Option<String>,
    #[serde(default)]
    is_deprecated: bool,
}

#[derive(Deserialize)]
struct Directive {
    name: String,
    args: Vec<Input>,
    locations: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TypeRef {
    kind: String,
    name: Option<String>,
    of_type: Option<Box<TypeRef>>,
}

const BUILT_IN: [&str; 10] = [
    "Int",
    "Float",
    "String",
    "Boolean",
    "ID",
    "include",
    "skip",
    "deprecated",
    "specifiedBy",
    "oneOf",
];

impl Described {
    /// How many types it has.
    pub(super) fn size(&self) -> usize {
        self.types.len()
    }

    /// Writes the schema down, in the source's order.
    pub(super) fn to_sdl(&self) -> Sdl {
        let mut out = format!("schema {{\n  query: {}\n", self.query_type.name);
        for (operation, of) in [
            ("mutation", &self.mutation_type),
            ("subscription", &self.subscription_type),
        ] {
            if let Some(of) = of {
                let _ = writeln!(out, "  {operation}: {}", of.name);
            }
        }
        out.push_str("}\n");
        for directive in self
            .directives
            .iter()
            .filter(|d| !BUILT_IN.contains(&d.name.as_str()))
        {
            let arguments = arguments(&directive.args);
            let places = directive.locations.join(" | ");
            let _ = writeln!(
                out,
                "\ndirective @{}{arguments} on {places}",
                directive.name
            );
        }
        let own = |of: &&Type| !of.name.starts_with("__") && !BUILT_IN.contains(&of.name.as_str());
        for of in self.types.iter().filter(own) {
            out.push('\n');
            of.write(&mut out);
        }
        Sdl(out)
    }
}

// Writing into a `String` cannot fail, so the results of `writeln!` are ignored.
impl Type {
    fn write(&self, out: &mut String) {
        describe(out, "", self.description.as_deref());
        let names = |list: &Option<Vec<Named>>| {
            list.iter()
                .flatten()
                .map(|named| named.name.clone())
                .collect::<Vec<_>>()
        };
        match self.kind.as_str() {
            "SCALAR" => {
                let _ = writeln!(out, "scalar {}", self.name);
            }
            "UNION" => {
                let _ = writeln!(
                    out,
                    "union {} = {}",
                    self.name,
                    names(&self.possible_types).join(" | ")
                );
            }
            "ENUM" => {
                let _ = writeln!(out, "enum {} {{", self.name);
                for value in self.enum_values.iter().flatten() {
                    describe(out, "  ", value.description.as_deref());
                    let _ = writeln!(out, "  {}{}", value.name, deprecated(value.is_deprecated));
                }
                out.push_str("}\n");
            }
            "INPUT_OBJECT" => {
                let _ = writeln!(out, "input {} {{", self.name);
                for field in self.input_fields.iter().flatten() {
                    describe(out, "  ", field.description.as_deref());
                    let _ = writeln!(out, "  {}", field.written());
                }
                out.push_str("}\n");
            }
            kind => {
                let word = if kind == "INTERFACE" {
                    "interface"
                } else {
                    "type"
                };
                let interfaces = names(&self.interfaces);
                let implements = match interfaces.is_empty() {
                    true => String::new(),
                    false => format!(" implements {}", interfaces.join(" & ")),
                };
                let _ = writeln!(out, "{word} {}{implements} {{", self.name);
                for field in self.fields.iter().flatten() {
                    describe(out, "  ", field.description.as_deref());
                    let (arguments, of) = (arguments(&field.args), field.of.written());
                    let _ = writeln!(
                        out,
                        "  {}{arguments}: {of}{}",
                        field.name,
                        deprecated(field.is_deprecated)
                    );
                }
                out.push_str("}\n");
            }
        }
    }
}

impl Input {
    fn written(&self) -> String {
        let default = self
            .default_value
            .as_ref()
            .map(|value| format!(" = {value}"));
        format!(
            "{}: {}{}",
            self.name,
            self.of.written(),
            default.unwrap_or_default()
        )
    }
}

impl TypeRef {
    fn written(&self) -> String {
        let inner = || {
            self.of_type
                .as_ref()
                .map(|of| of.written())
                .unwrap_or_default()
        };
        match self.kind.as_str() {
            "NON_NULL" => format!("{}!", inner()),
            "LIST" => format!("[{}]", inner()),
            _ => self.name.clone().unwrap_or_default(),
        }
    }
}

fn arguments(list: &[Input]) -> String {
    match list {
        [] => String::new(),
        _ => format!(
            "({})",
            list.iter()
                .map(Input::written)
                .collect::<Vec<_>>()
                .join(", ")
        ),
    }
}

/// The reason is left out: it is free text, and no check needs it.
fn deprecated(is: bool) -> &'static str {
    if is { " @deprecated" } else { "" }
}

/// A JSON string is a GraphQL string.
fn describe(out: &mut String, indent: &str, text: Option<&str>) {
    if let Some(text) = text.filter(|text| !text.trim().is_empty()) {
        let _ = writeln!(out, "{indent}{}", serde_json::Value::from(text));
    }
}
