//! Clients: people and institutions, each with its default contact.

use super::payload::{self, CoreDate, CoreDateTime, Origin, source_query};
use crate::{Rejection, Row};
use list_clients::{ClientStatus, ListClientsAllClientsNodes as Node};
use serde::Serialize;
use validator::Validate;

source_query!(
    ListClients,
    "../fetcher/modules/gazelle/clients/query.graphql"
);

#[derive(Serialize, Validate)]
struct Client {
    #[validate(length(
        min = 1,
        code = "id_empty",
        message = "The record has an empty id; report it to the source."
    ))]
    id: String,
    kind: Option<&'static str>,
    name: Option<String>,
    company_name: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    title: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    phone_extension: Option<String>,
    wants_email: Option<bool>,
    wants_phone: Option<bool>,
    wants_text: Option<bool>,
    street: Option<String>,
    municipality: Option<String>,
    region: Option<String>,
    postal_code: Option<String>,
    country_code: Option<String>,
    locale: Option<String>,
    status: Option<ClientStatus>,
    client_type: Option<String>,
    lifecycle_state: Option<String>,
    tags: Option<Vec<String>>,
    personal_notes: Option<String>,
    preference_notes: Option<String>,
    reference_id: Option<String>,
    referred_by: Option<String>,
    no_contact_until: Option<CoreDate>,
    technician_id: Option<String>,
    source_created_at: Option<CoreDateTime>,
    source_updated_at: Option<CoreDateTime>,
}

const ORIGINS: &[Origin] = &[
    (
        "kind",
        &[
            "companyName",
            "defaultContact.firstName",
            "defaultContact.lastName",
        ],
    ),
    (
        "name",
        &[
            "companyName",
            "defaultContact.firstName",
            "defaultContact.lastName",
        ],
    ),
    ("first_name", &["defaultContact.firstName"]),
    ("last_name", &["defaultContact.lastName"]),
    ("title", &["defaultContact.title"]),
    ("email", &["defaultContact.defaultEmail.email"]),
    ("phone", &["defaultContact.defaultPhone.phoneNumber"]),
    (
        "phone_extension",
        &["defaultContact.defaultPhone.extension"],
    ),
    ("wants_email", &["defaultContact.wantsEmail"]),
    ("wants_phone", &["defaultContact.wantsPhone"]),
    ("wants_text", &["defaultContact.wantsText"]),
    (
        "street",
        &[
            "defaultContact.defaultLocation.street1",
            "defaultContact.defaultLocation.street2",
        ],
    ),
    (
        "municipality",
        &["defaultContact.defaultLocation.municipality"],
    ),
    ("region", &["defaultContact.defaultLocation.region"]),
    (
        "postal_code",
        &["defaultContact.defaultLocation.postalCode"],
    ),
    (
        "country_code",
        &["defaultContact.defaultLocation.countryCode"],
    ),
    ("locale", &["defaultClientLocalization.locale"]),
    ("technician_id", &["preferredTechnician.id"]),
    ("source_created_at", &["createdAt"]),
    ("source_updated_at", &["updatedAt"]),
];

pub(super) fn transform(payload: &str) -> Result<Row, Rejection> {
    let object = payload::object(payload)?;
    let node: Node = payload::node(&object)?;
    payload::row(&client(node), &object, ORIGINS)
}

fn client(node: Node) -> Client {
    let contact = node.default_contact;
    let contact = contact.as_ref();
    let phone = contact.and_then(|c| c.default_phone.as_ref());
    let place = contact.and_then(|c| c.default_location.as_ref());
    let company = payload::full_name(&[node.company_name.as_deref()]);
    let person = contact
        .and_then(|c| payload::full_name(&[c.first_name.as_deref(), c.last_name.as_deref()]));
    Client {
        kind: kind(company.is_some(), person.is_some()),
        name: company.or(person),
        id: node.id,
        company_name: node.company_name,
        first_name: contact.and_then(|c| c.first_name.clone()),
        last_name: contact.and_then(|c| c.last_name.clone()),
        title: contact.and_then(|c| c.title.clone()),
        email: contact.and_then(|c| c.default_email.as_ref()?.email.clone()),
        phone: phone.and_then(|p| p.phone_number.clone()),
        phone_extension: phone.and_then(|p| p.extension.clone()),
        wants_email: contact.and_then(|c| c.wants_email),
        wants_phone: contact.and_then(|c| c.wants_phone),
        wants_text: contact.and_then(|c| c.wants_text),
        street: place
            .and_then(|p| payload::full_name(&[p.street1.as_deref(), p.street2.as_deref()])),
        municipality: place.and_then(|p| p.municipality.clone()),
        region: place.and_then(|p| p.region.clone()),
        postal_code: place.and_then(|p| p.postal_code.clone()),
        country_code: place.and_then(|p| p.country_code.clone()),
        locale: node.default_client_localization.and_then(|l| l.locale),
        status: node.status,
        client_type: node.client_type,
        lifecycle_state: node.lifecycle_state,
        tags: payload::present(node.tags),
        personal_notes: node.personal_notes,
        preference_notes: node.preference_notes,
        reference_id: node.reference_id,
        referred_by: node.referred_by,
        no_contact_until: node.no_contact_until,
        technician_id: node.preferred_technician.map(|user| user.id),
        source_created_at: node.created_at,
        source_updated_at: node.updated_at,
    }
}

/// A client with a company name is an institution; one with only a contact's name is a person; otherwise the
/// kind is unknown.
fn kind(company: bool, person: bool) -> Option<&'static str> {
    match (company, person) {
        (true, _) => Some("institution"),
        (false, true) => Some("person"),
        (false, false) => None,
    }
}
