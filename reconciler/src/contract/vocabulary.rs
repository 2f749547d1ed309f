//! The keys of the Open Data Contract Standard, 3.0 to 3.2; any other key is a typo. Keys of the standard
//! that are not supported here are accepted and ignored.

/// Keys of the document.
pub(super) const DOCUMENT: &[&str] = &[
    "apiVersion",
    "kind",
    "id",
    "version",
    "status",
    "name",
    "description",
    "schema",
    "tenant",
    "tags",
    "servers",
    "dataProduct",
    "domain",
    "support",
    "price",
    "team",
    "roles",
    "slaDefaultElement",
    "slaProperties",
    "authoritativeDefinitions",
    "customProperties",
    "contractCreatedTs",
    "context",
];

/// Keys of `description`, if it is a mapping.
pub(super) const DESCRIPTION: &[&str] = &[
    "usage",
    "purpose",
    "limitations",
    "authoritativeDefinitions",
    "customProperties",
];

/// Keys of a table.
pub(super) const TABLE: &[&str] = &[
    "name",
    "physicalName",
    "description",
    "properties",
    "quality",
    "id",
    "physicalType",
    "businessName",
    "authoritativeDefinitions",
    "tags",
    "customProperties",
    "logicalType",
    "dataGranularityDescription",
    "relationships",
    "deprecated",
    "synonyms",
    "context",
];

/// Keys of a column.
pub(super) const COLUMN: &[&str] = &[
    "name",
    "logicalType",
    "logicalTypeOptions",
    "physicalType",
    "required",
    "unique",
    "primaryKey",
    "classification",
    "description",
    "examples",
    "quality",
    "id",
    "businessName",
    "authoritativeDefinitions",
    "tags",
    "customProperties",
    "primaryKeyPosition",
    "physicalName",
    "partitioned",
    "partitionKeyPosition",
    "encryptedName",
    "transformSourceObjects",
    "transformLogic",
    "transformDescription",
    "criticalDataElement",
    "relationships",
    "items",
    "properties",
    "deprecated",
    "synonyms",
    "semanticType",
    "enum",
    "map",
];

/// Keys of `logicalTypeOptions`, for all logical types. `enum` is an addition of this engine.
pub(super) const OPTIONS: &[&str] = &[
    "minLength",
    "maxLength",
    "pattern",
    "format",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "timezone",
    "defaultTimezone",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
    "required",
    "dimensions",
    "elementType",
    "distanceMetric",
    "embeddingModel",
    "embeddingModelVersion",
    "normalized",
    "enum",
];

/// Keys of a quality rule.
pub(super) const QUALITY: &[&str] = &[
    "type",
    "metric",
    "rule",
    "arguments",
    "severity",
    "description",
    "name",
    "id",
    "authoritativeDefinitions",
    "businessImpact",
    "customProperties",
    "dimension",
    "method",
    "schedule",
    "scheduler",
    "tags",
    "unit",
    "query",
    "engine",
    "implementation",
    "mustBe",
    "mustNotBe",
    "mustBeGreaterThan",
    "mustBeGreaterOrEqualTo",
    "mustBeLessThan",
    "mustBeLessOrEqualTo",
    "mustBeBetween",
    "mustNotBeBetween",
];

/// Keys of the arguments of `invalidValues` that a single record can be checked against.
pub(super) const ARGUMENTS: &[&str] = &[
    "validValues",
    "pattern",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minLength",
    "maxLength",
];

/// The known key most similar to a wrong one, if any is similar enough.
pub(super) fn nearest<'w>(wrong: &str, words: &[&'w str]) -> Option<&'w str> {
    words
        .iter()
        .map(|word| {
            (
                strsim::jaro_winkler(&wrong.to_lowercase(), &word.to_lowercase()),
                *word,
            )
        })
        .filter(|(likeness, _)| *likeness > 0.85)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, word)| word)
}
