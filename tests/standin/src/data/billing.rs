//! Invoices and estimates in cents, and the short lists of the account.

use serde_json::{Value, json};

use super::{
    Map, World, day,
    dice::Dice,
    events::Links,
    instant,
    names::{CLIENT_TAG, PIANO_TAG},
    object,
    people::localization,
};

const SERVICES: &[(&str, &str, i64, i64)] = &[
    ("Accord", "Tuning", 15_500, 90),
    ("Harmonisation", "Voicing", 22_000, 120),
    ("Remplacement de corde", "String replacement", 6_500, 30),
    ("Réglage de la mécanique", "Regulation", 48_000, 300),
];
const TAXES: &[(&str, i64)] = &[("TPS", 5_000), ("TVQ", 9_975)];

/// The tax on an amount of cents, at a rate in thousandths of a percent.
fn tax(amount: i64, rate: i64) -> i64 {
    (amount * rate + 50_000) / 100_000
}

fn taxes(world: &World, amount: i64) -> (Vec<Value>, i64) {
    let lines: Vec<Value> = TAXES
        .iter()
        .enumerate()
        .map(|(index, (name, rate))| json!({"id": tax_id(world, index), "taxId": tax_id(world, index), "name": name, "rate": rate, "total": tax(amount, *rate)}))
        .collect();
    (
        lines,
        TAXES.iter().map(|(_, rate)| tax(amount, *rate)).sum(),
    )
}

fn tax_id(world: &World, index: usize) -> String {
    Dice::new(world.seed, "tax", index as u64).ident("tax_")
}

fn service_id(world: &World, index: usize) -> String {
    Dice::new(world.seed, "service", index as u64).ident("mit_")
}

/// Invoices, newest first.
pub(super) fn invoices(world: &World, links: &Links<'_>) -> Vec<Map> {
    let total = world.volumes.invoices;
    (0..total)
        .map(|back| invoice(world, links, total - 1 - back, total))
        .collect()
}

fn invoice(world: &World, links: &Links<'_>, index: usize, of: usize) -> Map {
    let mut dice = Dice::new(world.seed, "invoice", index as u64);
    let created = world.now - (of - index) as i64 * (2_000 * 86_400 / of as i64).max(1);
    let piano = dice.below(links.pianos.len());
    let items: Vec<Value> = (0..1 + dice.below(3))
        .map(|line| invoice_item(world, links, &mut dice, piano, line))
        .collect();
    let sum = |field: &str| {
        items
            .iter()
            .filter_map(|item| item[field].as_i64())
            .sum::<i64>()
    };
    let (sub_total, tax_total, total) = (sum("subTotal"), sum("taxTotal"), sum("total"));
    let status = dice.pick(&[
        "PAID", "PAID", "PAID", "PAID", "OPEN", "OVERDUE", "DRAFT", "CANCELED",
    ]);
    let paid = if status == "PAID" { total } else { 0 };
    let payments: Vec<Value> = (paid > 0)
        .then(|| json!({"id": dice.ident("ipy_"), "amount": paid, "tipTotal": 0, "type": dice.pick(&["CREDIT_CARD", "CHECK", "CASH", "ELECTRONIC_FUNDS_TRANSFER"]),
                        "status": "SUCCEEDED", "paidAt": instant(created + 86_400), "isStripePayment": false}))
        .into_iter()
        .collect();
    object(json!({
        "id": dice.ident("inv_"), "number": 1_000 + index, "status": status, "client": links.clients[links.owners[piano] as usize],
        "assignedTo": links.users[dice.below(7)], "createdBy": links.users[dice.below(7)], "createdAt": instant(created),
        "updatedAt": instant((created + 5 * 86_400).min(world.now)), "dueOn": day(created + 30 * 86_400), "netDays": 30,
        "notes": dice.chance(150).then_some("Merci de votre confiance!"), "tags": if dice.chance(100) { json!(["contrat"]) } else { json!([]) },
        "archived": false, "currency": {"code": "CAD", "symbol": "$", "label": "CAD"}, "subTotal": sub_total, "taxTotal": tax_total, "tipTotal": 0,
        "total": total, "paidTotal": paid, "dueTotal": total - paid, "allInvoiceItems": items, "allInvoicePayments": payments,
    }))
}

fn invoice_item(
    world: &World,
    links: &Links<'_>,
    dice: &mut Dice,
    piano: usize,
    line: usize,
) -> Value {
    let service = dice.below(SERVICES.len());
    let (name, _, amount, _) = SERVICES[service];
    let (lines, tax_total) = taxes(world, amount);
    json!({
        "id": dice.ident("iit_"), "description": name, "type": "LABOR_FIXED_RATE", "quantity": 100, "amount": amount, "subTotal": amount,
        "taxTotal": tax_total, "total": amount + tax_total, "billable": true, "taxable": true, "sequenceNumber": line,
        "piano": links.pianos[piano], "masterServiceItem": master_item(world, service), "taxes": lines,
    })
}

/// Estimates, newest first, each with two tiers.
pub(super) fn estimates(world: &World, links: &Links<'_>) -> Vec<Map> {
    let total = world.volumes.estimates;
    (0..total)
        .map(|back| estimate(world, links, total - 1 - back, total))
        .collect()
}

fn estimate(world: &World, links: &Links<'_>, index: usize, of: usize) -> Map {
    let mut dice = Dice::new(world.seed, "estimate", index as u64);
    let created = world.now - (of - index) as i64 * (1_500 * 86_400 / of as i64).max(1);
    let piano = dice.below(links.pianos.len());
    let tiers: Vec<Value> = (0..2)
        .map(|number| tier(world, &mut dice, number))
        .collect();
    object(json!({
        "id": dice.ident("est_"), "number": 500 + index, "client": links.clients[links.owners[piano] as usize], "piano": links.pianos[piano],
        "estimatedOn": day(created), "expiresOn": day(created + 90 * 86_400), "locale": "fr_CA", "isArchived": dice.chance(100),
        "notes": dice.chance(300).then_some("Valide 90 jours."), "tags": [], "recommendedTierTotal": tiers[0]["total"],
        "assignedTo": links.users[dice.below(7)], "createdBy": links.users[dice.below(7)], "createdAt": instant(created),
        "updatedAt": instant(created), "clientUrl": format!("https://client.example/estimates/{index}"), "allEstimateTiers": tiers,
    }))
}

fn tier(world: &World, dice: &mut Dice, number: usize) -> Value {
    let items: Vec<Value> = (0..1 + dice.below(2))
        .map(|line| {
            let service = dice.below(SERVICES.len());
            let (name, _, amount, duration) = SERVICES[service];
            let (lines, tax_total) = taxes(world, amount);
            json!({"id": dice.ident("eti_"), "name": name, "amount": amount, "quantity": 100, "duration": duration, "type": "LABOR_FIXED_RATE",
                   "isTaxable": true, "isTuning": service == 0, "sequenceNumber": line, "subtotal": amount, "taxTotal": tax_total,
                   "total": amount + tax_total, "taxes": lines, "masterServiceItem": master_item(world, service)})
        })
        .collect();
    let sum = |field: &str| {
        items
            .iter()
            .filter_map(|item| item[field].as_i64())
            .sum::<i64>()
    };
    json!({
        "id": dice.ident("eti_"), "sequenceNumber": number, "isPrimary": number == 0, "subtotal": sum("subtotal"), "taxTotal": sum("taxTotal"),
        "total": sum("total"), "allowSelfSchedule": false, "allUngroupedEstimateTierItems": [],
        "allEstimateTierGroups": [{"id": dice.ident("etg_"), "name": "Travaux", "sequenceNumber": 0, "allEstimateTierItems": items}],
    })
}

fn master_item(world: &World, index: usize) -> Value {
    let (french, english, amount, duration) = SERVICES[index];
    let created = instant(world.now - 3_000 * 86_400);
    json!({
        "id": service_id(world, index), "name": {"fr_CA": french, "en_US": english}, "description": {"fr_CA": french, "en_US": english},
        "educationDescription": {}, "amount": amount, "duration": duration, "isTaxable": true, "isTuning": index == 0, "isArchived": false,
        "isDefault": index == 0, "isSelfSchedulable": index == 0, "isAnyUser": true, "order": index, "type": "LABOR_FIXED_RATE",
        "masterServiceGroup": group(world), "createdAt": created, "updatedAt": created,
    })
}

fn group(world: &World) -> Value {
    json!({"id": Dice::new(world.seed, "group", 0).ident("msg_"), "name": {"fr_CA": "Entretien", "en_US": "Maintenance"}, "isArchived": false, "isMultiChoice": true, "order": 0})
}

/// The lists that are short and never paged.
pub(super) fn lists(world: &World) -> Vec<(&'static str, Vec<Map>)> {
    let tags = |names: &[&str]| {
        names
            .iter()
            .map(|name| object(json!({"id": format!("tag_{name}"), "name": name})))
            .collect::<Vec<_>>()
    };
    let taxes: Vec<Map> = TAXES
        .iter()
        .enumerate()
        .map(|(index, (name, rate))| {
            object(json!({"id": tax_id(world, index), "name": name, "rate": rate, "default": true}))
        })
        .collect();
    vec![
        (
            "allMasterServiceItems",
            (0..SERVICES.len())
                .map(|index| object(master_item(world, index)))
                .collect(),
        ),
        ("allMasterServiceGroups", vec![object(group(world))]),
        ("allTaxes", taxes.clone()),
        ("allPastAndPresentTaxes", taxes),
        ("allClientTags", tags(CLIENT_TAG)),
        ("allPianoTags", tags(PIANO_TAG)),
        ("allInvoiceTags", tags(&["contrat"])),
        ("allEstimateTags", Vec::new()),
        (
            "allLocalizations",
            ["fr_CA", "en_US"]
                .map(|locale| object(localization(locale)))
                .to_vec(),
        ),
        (
            "allCurrencies",
            vec![object(
                json!({"code": "CAD", "symbol": "$", "label": "Dollar canadien"}),
            )],
        ),
        (
            "allLocations",
            vec![object(
                json!({"id": "loc_Atelier000000001", "name": "Atelier", "municipality": "Montclair"}),
            )],
        ),
        ("allErrorLogs", Vec::new()),
        ("allSystemNotifications", Vec::new()),
        (
            "company",
            vec![object(
                json!({"id": "com_Standin000000001", "name": "Atelier Standin", "billablePianoCount": world.volumes.pianos,
            "billablePianoLimit": 1_000, "isOverBillablePianoLimit": world.volumes.pianos > 1_000, "isParked": false}),
            )],
        ),
    ]
}
