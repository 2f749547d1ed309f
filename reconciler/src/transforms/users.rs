//! Users: the people of the account, and its pseudo-users.

use super::payload::{self, CoreDateTime, Origin, source_query};
use crate::{Rejection, Row};
use list_users::{AccessLevel, ListUsersAllUsers as Node, UserStatus};
use serde::Serialize;
use validator::Validate;

source_query!(ListUsers, "../fetcher/modules/gazelle/users/query.graphql");

#[derive(Serialize, Validate)]
struct User {
    #[validate(length(
        min = 1,
        code = "id_empty",
        message = "The record has an empty id; report it to the source."
    ))]
    id: String,
    name: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    email: Option<String>,
    status: Option<UserStatus>,
    access_level: Option<AccessLevel>,
    is_schedulable: Option<bool>,
    color: Option<String>,
    timezone: Option<String>,
    source_created_at: Option<CoreDateTime>,
    source_updated_at: Option<CoreDateTime>,
}

const ORIGINS: &[Origin] = &[
    ("name", &["fullName", "firstName", "lastName"]),
    ("source_created_at", &["createdAt"]),
    ("source_updated_at", &["updatedAt"]),
];

pub(super) fn transform(payload: &str) -> Result<Row, Rejection> {
    let object = payload::object(payload)?;
    let node: Node = payload::node(&object)?;
    let user = User {
        name: payload::full_name(&[node.full_name.as_deref()]).or_else(|| {
            payload::full_name(&[node.first_name.as_deref(), node.last_name.as_deref()])
        }),
        id: node.id,
        first_name: node.first_name,
        last_name: node.last_name,
        email: node.email,
        status: node.status,
        access_level: node.access_level,
        is_schedulable: node.is_schedulable,
        color: node.color,
        timezone: node.timezone,
        source_created_at: node.created_at,
        source_updated_at: node.updated_at,
    };
    payload::row(&user, &object, ORIGINS)
}
