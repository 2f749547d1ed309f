//! Pianos: the instruments that are serviced.

use super::payload::{self, CoreDate, CoreDateTime, Origin, source_query};
use crate::{Rejection, Row};
use list_pianos::{ListPianosAllPianosNodes as Node, PianoStatus, PianoType};
use serde::Serialize;
use validator::Validate;

source_query!(
    ListPianos,
    "../fetcher/modules/gazelle/pianos/query.graphql"
);

#[derive(Serialize, Validate)]
struct Piano {
    #[validate(length(
        min = 1,
        code = "id_empty",
        message = "The record has an empty id; report it to the source."
    ))]
    id: String,
    client_id: Option<String>,
    make: Option<String>,
    model: Option<String>,
    serial_number: Option<String>,
    r#type: Option<PianoType>,
    year: Option<i64>,
    location: Option<String>,
    notes: Option<String>,
    status: Option<PianoStatus>,
    tags: Option<Vec<String>>,
    case_color: Option<String>,
    case_finish: Option<String>,
    has_ivory: Option<bool>,
    use_type: Option<String>,
    reference_id: Option<String>,
    rental: Option<bool>,
    rental_contract_ends_on: Option<CoreDate>,
    consignment: Option<bool>,
    total_loss: Option<bool>,
    needs_repair_or_rebuilding: Option<bool>,
    service_interval_months: Option<i64>,
    lifecycle_state: Option<String>,
    dampp_chaser_installed: Option<bool>,
    dampp_chaser_humidistat_model: Option<String>,
    dampp_chaser_mfg_date: Option<CoreDate>,
    player_installed: Option<bool>,
    player_make: Option<String>,
    player_model: Option<String>,
    player_serial_number: Option<String>,
    manual_last_service: Option<CoreDate>,
    event_last_service: Option<CoreDate>,
    calculated_last_service: Option<CoreDate>,
    calculated_next_service: Option<CoreDate>,
    next_service_override: Option<CoreDate>,
    source_created_at: Option<CoreDateTime>,
    source_updated_at: Option<CoreDateTime>,
}

const ORIGINS: &[Origin] = &[
    ("client_id", &["client.id"]),
    ("source_created_at", &["createdAt"]),
    ("source_updated_at", &["updatedAt"]),
];

pub(super) fn transform(payload: &str) -> Result<Row, Rejection> {
    let object = payload::object(payload)?;
    let node: Node = payload::node(&object)?;
    payload::row(&piano(node), &object, ORIGINS)
}

fn piano(node: Node) -> Piano {
    Piano {
        id: node.id,
        client_id: node.client.map(|client| client.id),
        make: node.make,
        model: node.model,
        serial_number: node.serial_number,
        r#type: node.type_,
        year: node.year,
        location: node.location,
        notes: node.notes,
        status: node.status,
        tags: payload::present(node.tags),
        case_color: node.case_color,
        case_finish: node.case_finish,
        has_ivory: node.has_ivory,
        use_type: node.use_type,
        reference_id: node.reference_id,
        rental: node.rental,
        rental_contract_ends_on: node.rental_contract_ends_on,
        consignment: node.consignment,
        total_loss: node.total_loss,
        needs_repair_or_rebuilding: node.needs_repair_or_rebuilding,
        service_interval_months: node.service_interval_months,
        lifecycle_state: node.lifecycle_state,
        dampp_chaser_installed: node.dampp_chaser_installed,
        dampp_chaser_humidistat_model: node.dampp_chaser_humidistat_model,
        dampp_chaser_mfg_date: node.dampp_chaser_mfg_date,
        player_installed: node.player_installed,
        player_make: node.player_make,
        player_model: node.player_model,
        player_serial_number: node.player_serial_number,
        manual_last_service: node.manual_last_service,
        event_last_service: node.event_last_service,
        calculated_last_service: node.calculated_last_service,
        calculated_next_service: node.calculated_next_service,
        next_service_override: node.next_service_override,
        source_created_at: node.created_at,
        source_updated_at: node.updated_at,
    }
}
