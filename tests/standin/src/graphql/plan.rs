//! A query turned into steps once per request: fragments merged, variables filled in, drift and masks looked
//! up.

use std::{cell::RefCell, collections::HashMap, convert::Infallible, sync::Arc};

use async_graphql::{
    Name, Value as Literal,
    parser::types::{ExecutableDocument, Field, OperationType, Selection, SelectionSet},
};
use serde_json::Value;

use super::{
    literal::{to_json, to_literal},
    schema::{FieldInfo, Graph, is_connection},
};
use crate::{
    data::Map,
    faults::drift::{Mask, Variant},
};

/// What to write for one object.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) type_name: String,
    pub(crate) steps: Vec<Step>,
}

/// What to write for one field.
#[derive(Debug)]
pub(crate) struct Step {
    /// The response key, quoted and with its colon.
    pub(crate) label: String,
    pub(crate) field: String,
    pub(crate) arguments: Map,
    pub(crate) info: FieldInfo,
    pub(crate) is_enum: bool,
    pub(crate) is_connection: bool,
    pub(crate) variant: Option<Variant>,
    pub(crate) inner: Option<Plan>,
}

impl Plan {
    /// The step of a field, under whatever alias.
    pub(crate) fn step(&self, field: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.field == field)
    }
}

/// The parts of a request that a plan is made of.
pub(crate) struct Compiler<'a> {
    pub(crate) graph: &'a Graph,
    pub(crate) document: &'a ExecutableDocument,
    pub(crate) variables: Map,
    pub(crate) masks: &'a [Mask],
    /// Variables whose type does not fit where they are used; async-graphql does not look.
    pub(crate) mismatches: RefCell<Vec<String>>,
    pub(crate) variable_types: HashMap<String, String>,
}

impl Compiler<'_> {
    /// The plan of the named operation, or of the only one.
    pub(crate) fn operation(&mut self, name: Option<&str>) -> Option<(OperationType, Plan)> {
        let (_, operation) = self
            .document
            .operations
            .iter()
            .find(|(own, _)| name.is_none_or(|name| own.is_some_and(|own| own == name)))?;
        for definition in &operation.node.variable_definitions {
            let name = definition.node.name.node.to_string();
            let firm = if definition.node.default_value.is_some() {
                "!"
            } else {
                ""
            };
            let ty = definition.node.var_type.node.to_string();
            self.variable_types.insert(
                name,
                ty.trim_end_matches('!').to_owned() + if ty.ends_with('!') { "!" } else { firm },
            );
            let default = definition.node.default_value.as_ref();
            if let (Some(default), false) = (
                default,
                self.variables
                    .contains_key(definition.node.name.node.as_str()),
            ) {
                let value = to_json(&default.node);
                self.variables
                    .insert(definition.node.name.node.to_string(), value);
            }
        }
        let root = match operation.node.ty {
            OperationType::Mutation => "PrivateMutation",
            _ => "PrivateQuery",
        };
        Some((
            operation.node.ty,
            self.plan(root, &[&operation.node.selection_set.node]),
        ))
    }

    fn plan(&self, type_name: &str, selections: &[&SelectionSet]) -> Plan {
        let mut fields: Vec<(&Name, &Field, Vec<&SelectionSet>)> = Vec::new();
        for selection in selections {
            self.collect(selection, &mut fields);
        }
        let steps = fields
            .into_iter()
            .filter_map(|(key, field, inner)| self.step(type_name, key, field, &inner))
            .collect();
        Plan {
            type_name: type_name.to_owned(),
            steps,
        }
    }

    fn step(
        &self,
        parent: &str,
        key: &Name,
        field: &Field,
        inner: &[&SelectionSet],
    ) -> Option<Step> {
        let name = field.name.node.as_str();
        let typename = FieldInfo {
            named: "String".into(),
            list: false,
            nullable: false,
            source: "__typename".into(),
            retyped: None,
            added: Some(parent.into()),
            arguments: Arc::default(),
        };
        let info = if name == "__typename" {
            &typename
        } else {
            self.graph.field(parent, name)?
        };
        self.check_variables(field, info);
        let leaf = inner.iter().all(|set| set.items.is_empty());
        let arguments = field.arguments.iter().filter_map(|(name, value)| {
            // An argument whose variable is not given counts as not given; inside an argument it is null.
            if let Some(bare) = value.node.to_string().strip_prefix('$') {
                self.variables.get(bare)?;
            }
            let filled = |variable: Name| Ok(self.variable(&variable).unwrap_or(Literal::Null));
            let value = value.node.clone().into_const_with(filled);
            let value = value.unwrap_or_else(|never: Infallible| match never {});
            Some((name.node.to_string(), to_json(&value)))
        });
        Some(Step {
            label: format!("{}:", Value::from(key.as_str())),
            field: name.to_owned(),
            arguments: arguments.collect(),
            is_enum: self.graph.is_enum(&info.named),
            is_connection: is_connection(&info.named),
            variant: self
                .masks
                .iter()
                .find(|mask| mask.covers(parent, name))
                .map(|mask| mask.variant),
            inner: (!leaf).then(|| self.plan(&info.named, inner)),
            info: info.clone(),
        })
    }

    fn check_variables(&self, field: &Field, info: &FieldInfo) {
        for (name, value) in &field.arguments {
            let text = value.node.to_string();
            let Some(variable) = text
                .strip_prefix('$')
                .and_then(|variable| self.variable_types.get(variable))
            else {
                continue;
            };
            let Some(wanted) = info.arguments.get(name.node.as_str()) else {
                continue;
            };
            if !fits(wanted, variable) {
                self.mismatches.borrow_mut().push(format!(
                    "Type mismatch on variable {text} and argument {} ({variable} / {wanted})",
                    name.node
                ));
            }
        }
    }

    fn collect<'d>(
        &'d self,
        selection: &'d SelectionSet,
        fields: &mut Vec<(&'d Name, &'d Field, Vec<&'d SelectionSet>)>,
    ) {
        for item in &selection.items {
            if self.is_skipped(&item.node) {
                continue;
            }
            match &item.node {
                Selection::Field(field) => {
                    let key = &field.node.response_key().node;
                    match fields.iter_mut().find(|(own, _, _)| *own == key) {
                        Some((_, _, inner)) => inner.push(&field.node.selection_set.node),
                        None => {
                            fields.push((key, &field.node, vec![&field.node.selection_set.node]))
                        }
                    }
                }
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) =
                        self.document.fragments.get(&spread.node.fragment_name.node)
                    {
                        self.collect(&fragment.node.selection_set.node, fields);
                    }
                }
                Selection::InlineFragment(fragment) => {
                    self.collect(&fragment.node.selection_set.node, fields)
                }
            }
        }
    }

    fn is_skipped(&self, item: &Selection) -> bool {
        item.directives().iter().any(|directive| {
            let condition = directive
                .node
                .get_argument("if")
                .map(|value| value.node.clone());
            let condition = condition.and_then(|value| {
                value
                    .into_const_with(|variable| self.variable(&variable))
                    .ok()
            });
            match directive.node.name.node.as_str() {
                "skip" => condition == Some(Literal::Boolean(true)),
                "include" => condition == Some(Literal::Boolean(false)),
                _ => false,
            }
        })
    }

    /// The value of a variable, if it is given.
    fn variable(&self, name: &Name) -> Result<Literal, ()> {
        self.variables.get(name.as_str()).map(to_literal).ok_or(())
    }
}

/// True when a variable of type `given` may stand where `wanted` is asked for.
fn fits(wanted: &str, given: &str) -> bool {
    if wanted.ends_with('!') && !given.ends_with('!') {
        return false;
    }
    let inner = |text: &str| {
        text.strip_prefix('[')
            .and_then(|text| text.strip_suffix(']'))
            .map(str::to_owned)
    };
    let (wanted, given) = (wanted.trim_end_matches('!'), given.trim_end_matches('!'));
    match (inner(wanted), inner(given)) {
        (Some(wanted), Some(given)) => fits(&wanted, &given),
        _ => wanted == given,
    }
}
