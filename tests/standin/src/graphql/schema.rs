//! The schema: read from `schema/*.graphql`, completed with what every connection has, changed by the drift
//! switches, and built for async-graphql, which parses, validates and introspects.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use async_graphql::{
    dynamic::{Enum, Field, FieldFuture, InputObject, InputValue, Object, Scalar, Schema, TypeRef},
    parser::{
        parse_schema,
        types::{
            BaseType, FieldDefinition, InputValueDefinition, ServiceDocument, Type, TypeDefinition,
            TypeKind, TypeSystemDefinition,
        },
    },
};
use serde_json::Value;

use crate::faults::drift::Drift;

const SDL: [&str; 2] = [
    include_str!("../../schema/records.graphql"),
    include_str!("../../schema/queries.graphql"),
];
const PAGING: &[(&str, &str)] = &[
    ("first", "Int"),
    ("last", "Int"),
    ("after", "String"),
    ("before", "String"),
];

/// A field as the executor sees it.
#[derive(Debug, Clone)]
pub(crate) struct FieldInfo {
    /// The name of the field's type without list and null marks.
    pub(crate) named: String,
    pub(crate) list: bool,
    pub(crate) nullable: bool,
    /// The name under which records hold the value.
    pub(crate) source: String,
    /// The scalar into which a retyped field is turned.
    pub(crate) retyped: Option<String>,
    /// The value of a field that drift added.
    pub(crate) added: Option<Value>,
    /// The types of its arguments.
    pub(crate) arguments: Arc<HashMap<String, String>>,
}

/// A built schema and the tables that execution needs.
pub(crate) struct Graph {
    pub(crate) schema: Schema,
    fields: HashMap<String, HashMap<String, FieldInfo>>,
    enums: BTreeSet<String>,
}

impl Graph {
    /// The schema with the given changes; the error says which change does not fit.
    pub(crate) fn build(drift: &[Drift]) -> Result<Graph, String> {
        let document = parse_schema(SDL.join("\n")).map_err(|error| error.to_string())?;
        let mut fields = HashMap::new();
        let mut enums = BTreeSet::new();
        let mut builder = Schema::build("PrivateQuery", Some("PrivateMutation"), None);
        for definition in definitions(document) {
            let name = definition.name.node.to_string();
            match definition.kind {
                TypeKind::Object(object) => {
                    let (built, infos) = build_object(
                        &name,
                        object.fields.into_iter().map(|field| field.node).collect(),
                        drift,
                    )?;
                    builder = builder.register(built);
                    for info in infos.values().filter(|info| is_connection(&info.named)) {
                        fields
                            .entry(info.named.clone())
                            .or_insert_with(|| connection_fields(&info.named));
                    }
                    fields.insert(name, infos);
                }
                TypeKind::InputObject(input) => {
                    let built = input
                        .fields
                        .into_iter()
                        .fold(InputObject::new(name), |built, field| {
                            built.field(input_value(&field.node))
                        });
                    builder = builder.register(built);
                }
                TypeKind::Enum(values) => {
                    let expand: &[&str] = if name.ends_with("Sort") {
                        &["_ASC", "_DESC"]
                    } else {
                        &[""]
                    };
                    let items = values.values.iter().flat_map(|value| {
                        expand
                            .iter()
                            .map(move |end| format!("{}{end}", value.node.value.node))
                    });
                    builder = builder
                        .register(items.fold(Enum::new(&name), |built, item| built.item(item)));
                    enums.insert(name);
                }
                TypeKind::Scalar => builder = builder.register(Scalar::new(name)),
                TypeKind::Interface(_) | TypeKind::Union(_) => {}
            }
        }
        for connection in fields
            .keys()
            .filter(|name| is_connection(name))
            .cloned()
            .collect::<Vec<_>>()
        {
            let [object, edge] = connection_objects(&connection);
            builder = builder.register(object).register(edge);
            fields.insert(edge_type(&connection), edge_fields(&connection));
        }
        let schema = builder
            .disable_suggestions()
            .finish()
            .map_err(|error| error.to_string())?;
        Ok(Graph {
            schema,
            fields,
            enums,
        })
    }

    /// A field of a type.
    pub(crate) fn field(&self, parent: &str, name: &str) -> Option<&FieldInfo> {
        self.fields.get(parent)?.get(name)
    }

    /// True for the name of an enum.
    pub(crate) fn is_enum(&self, name: &str) -> bool {
        self.enums.contains(name)
    }
}

fn definitions(document: ServiceDocument) -> impl Iterator<Item = TypeDefinition> {
    document
        .definitions
        .into_iter()
        .filter_map(|definition| match definition {
            TypeSystemDefinition::Type(definition) => Some(definition.node),
            _ => None,
        })
}

/// True for the name of a Relay connection type.
pub(crate) fn is_connection(name: &str) -> bool {
    name.ends_with("Connection")
}

fn node_type(connection: &str) -> &str {
    connection.trim_end_matches("Connection")
}

fn edge_type(connection: &str) -> String {
    format!("{}Edge", node_type(connection))
}

fn build_object(
    name: &str,
    definitions: Vec<FieldDefinition>,
    drift: &[Drift],
) -> Result<(Object, HashMap<String, FieldInfo>), String> {
    let mut object = Object::new(name);
    let mut infos = HashMap::new();
    let mut pending: Vec<&Drift> = drift
        .iter()
        .filter(|change| change.parent() == name)
        .collect();
    for definition in definitions {
        let own = definition.name.node.as_str();
        let changes: Vec<&Drift> = pending
            .extract_if(.., |change| change.field() == own)
            .collect();
        if let Some((field, ty, info)) = drifted(&definition, &changes) {
            let paging = if is_connection(&info.named) {
                PAGING
            } else {
                &[]
            };
            let arguments = definition
                .arguments
                .iter()
                .map(|argument| input_value(&argument.node));
            let arguments = arguments.chain(
                paging
                    .iter()
                    .map(|(name, ty)| InputValue::new(*name, TypeRef::named(*ty))),
            );
            object = object.field(arguments.fold(empty_field(&field, ty), Field::argument));
            infos.insert(field, info);
        }
    }
    for change in pending {
        let Drift::Added {
            field,
            named,
            value,
            ..
        } = change
        else {
            return Err(format!(
                "type {name} has no field {}; name a field it has",
                change.field()
            ));
        };
        object = object.field(empty_field(field, TypeRef::named(named)));
        let (_, info) = plain_field((field, named, false));
        infos.insert(
            field.clone(),
            FieldInfo {
                added: Some(value.clone()),
                ..info
            },
        );
    }
    Ok((object, infos))
}

/// Name, type and information of a field after its changes; none when it was removed.
fn drifted(
    definition: &FieldDefinition,
    changes: &[&Drift],
) -> Option<(String, TypeRef, FieldInfo)> {
    let mut field = definition.name.node.to_string();
    let mut ty = type_ref(&definition.ty.node);
    let mut info = FieldInfo {
        named: ty.type_name().to_owned(),
        list: is_list(&definition.ty.node),
        nullable: definition.ty.node.nullable,
        source: field.clone(),
        retyped: None,
        added: None,
        arguments: argument_types(definition),
    };
    for change in changes {
        match change {
            Drift::Removed { .. } => return None,
            Drift::Renamed { to, .. } => field.clone_from(to),
            Drift::Retyped { to, .. } => {
                ty = TypeRef::named(to);
                info = FieldInfo {
                    named: to.clone(),
                    list: false,
                    nullable: true,
                    retyped: Some(to.clone()),
                    ..info
                };
            }
            Drift::Added { .. } => {}
        }
    }
    Some((field, ty, info))
}

/// async-graphql never resolves our fields: validation is its part, execution is ours.
fn empty_field(name: &str, ty: TypeRef) -> Field {
    Field::new(name, ty, |_| FieldFuture::from_value(None))
}

fn input_value(definition: &InputValueDefinition) -> InputValue {
    InputValue::new(
        definition.name.node.to_string(),
        type_ref(&definition.ty.node),
    )
}

fn argument_types(definition: &FieldDefinition) -> Arc<HashMap<String, String>> {
    let arguments = definition.arguments.iter();
    let types = arguments.map(|argument| {
        (
            argument.node.name.node.to_string(),
            argument.node.ty.node.to_string(),
        )
    });
    let paging = PAGING
        .iter()
        .map(|(name, ty)| ((*name).to_owned(), (*ty).to_owned()));
    Arc::new(paging.chain(types).collect())
}

fn type_ref(ty: &Type) -> TypeRef {
    let inner = match &ty.base {
        BaseType::Named(name) => TypeRef::named(name.to_string()),
        BaseType::List(item) => TypeRef::List(Box::new(type_ref(item))),
    };
    if ty.nullable {
        inner
    } else {
        TypeRef::NonNull(Box::new(inner))
    }
}

fn is_list(ty: &Type) -> bool {
    matches!(ty.base, BaseType::List(_))
}

fn connection_objects(connection: &str) -> [Object; 2] {
    let list = |name: &str| TypeRef::named_list(name);
    let edge = edge_type(connection);
    [
        Object::new(connection)
            .field(empty_field("edges", list(&edge)))
            .field(empty_field("nodes", list(node_type(connection))))
            .field(empty_field("pageInfo", TypeRef::named_nn("PageInfo")))
            .field(empty_field("totalCount", TypeRef::named_nn(TypeRef::INT))),
        Object::new(edge)
            .field(empty_field("cursor", TypeRef::named_nn(TypeRef::STRING)))
            .field(empty_field("node", TypeRef::named(node_type(connection)))),
    ]
}

fn connection_fields(connection: &str) -> HashMap<String, FieldInfo> {
    let edge = edge_type(connection);
    [
        ("edges", edge.as_str(), true),
        ("nodes", node_type(connection), true),
        ("pageInfo", "PageInfo", false),
        ("totalCount", "Int", false),
    ]
    .into_iter()
    .map(plain_field)
    .collect()
}

fn edge_fields(connection: &str) -> HashMap<String, FieldInfo> {
    [
        ("cursor", "String", false),
        ("node", node_type(connection), false),
    ]
    .into_iter()
    .map(plain_field)
    .collect()
}

fn plain_field((name, named, list): (&str, &str, bool)) -> (String, FieldInfo) {
    let info = FieldInfo {
        named: named.to_owned(),
        list,
        nullable: true,
        source: name.to_owned(),
        retyped: None,
        added: None,
        arguments: Arc::default(),
    };
    (name.to_owned(), info)
}

/// The schema without drift, in GraphQL's own language.
pub fn sdl() -> String {
    Graph::build(&[])
        .map(|graph| graph.schema.sdl())
        .unwrap_or_default()
}
