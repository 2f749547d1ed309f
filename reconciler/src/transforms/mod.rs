//! From a record's payload to a row: a jq mapping from the module's folder, or a typed transform.
