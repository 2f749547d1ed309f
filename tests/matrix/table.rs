//! The rows: a fault, how it is injected, and what is promised.

use serde_json::{Value, json};

use super::wire::Wire;

/// How a fault comes about.
pub enum Inject {
    /// Switches of the stand-in.
    Switch(Value),
    /// The wire, for so many connections.
    Break(Wire, u32),
    /// Another configuration: this text for that one.
    Configure(fn(&str) -> String),
}

/// One row.
pub struct Row {
    /// As in the fault matrix.
    pub name: &'static str,
    pub what: &'static str,
    pub inject: Inject,
    /// The exit code promised, and the state.
    pub exit: i32,
    pub state: &'static str,
    /// What the operator reads, among other words.
    pub says: &'static str,
}

fn row(
    name: &'static str,
    what: &'static str,
    inject: Inject,
    exit: i32,
    state: &'static str,
    says: &'static str,
) -> Row {
    Row {
        name,
        what,
        inject,
        exit,
        state,
        says,
    }
}

fn switch(fault: Value) -> Inject {
    Inject::Switch(fault)
}

const MANY: u32 = 1000;

/// Faults of the wire and of HTTP.
#[rustfmt::skip]
pub fn network() -> Vec<Row> {
    use Inject::{Break, Configure};
    vec![
        row("N1", "no such name", Configure(|text| elsewhere(text, "http://nowhere.invalid/", true)), 75, "WAITING", "could not be reached"),
        row("N2", "refused", Break(Wire::Closed, MANY), 75, "WAITING", "could not be reached"),
        row("N2", "swallowed twice", Break(Wire::Hole, 2), 0, "OK", ""),
        row("N4", "closed at first", Break(Wire::Closed, 1), 0, "OK", ""),
        row("N4", "cut in the headers", Break(Wire::Cut(40), 2), 0, "OK", ""),
        row("N4", "cut in the body", Break(Wire::Cut(1500), 2), 0, "OK", ""),
        row("N4", "cut for ever", Break(Wire::Cut(1500), MANY), 75, "WAITING", "connection broke"),
        row("N5", "a byte now and then", Break(Wire::Drip(40), MANY), 75, "WAITING", "bytes a second"),
        row("N8", "a name with an address nobody answers at", Configure(|text| text.replace("127.0.0.1", "localhost")), 0, "OK", ""),
        row("H1", "a burst of 503", switch(json!({ "name": "server_error", "times": 2 })), 0, "OK", ""),
        row("H1", "502 for ever", switch(json!({ "name": "server_error", "value": 502 })), 75, "WAITING", "HTTP 502"),
        row("H2", "maintenance", switch(json!({ "name": "maintenance_page" })), 75, "WAITING", "web page"),
        row("H3", "half an answer", switch(json!({ "name": "truncated_body", "times": 2 })), 0, "OK", ""),
        row("H4", "sent elsewhere", switch(json!({ "name": "redirect" })), 5, "FAILED", "redirects"),
        row("H5", "pages of ten at most, by 400", switch(json!({ "name": "page_too_large" })), 0, "OK", ""),
        row("H5", "pages of one at most, by 413", switch(json!({ "name": "page_too_large", "value": { "above": 1, "status": 413 } })), 0, "OK", ""),
        row("H5", "no page at all", switch(json!({ "name": "page_too_large", "value": { "above": 0, "status": 414 } })), 5, "FAILED", "HTTP 414"),
        row("H6", "no trailing slash", Configure(|text| text.replace("/graphql/private/", "/graphql/private")), 5, "FAILED", "Check the endpoint"),
        row("H7", "a bomb", switch(json!({ "name": "gzip_bomb" })), 5, "FAILED", "times its size"),
        row("H8", "a mark before UTF-8", switch(json!({ "name": "charset", "value": "bom" })), 0, "OK", ""),
        row("H8", "UTF-16", switch(json!({ "name": "charset", "value": "utf-16" })), 0, "OK", ""),
        row("H8", "UTF-16 without a mark", switch(json!({ "name": "charset", "value": "utf-16be" })), 0, "OK", ""),
        row("H8", "a charset that lies", switch(json!({ "name": "charset", "value": "lies" })), 0, "OK", ""),
        row("H9", "a clock an hour ahead", switch(json!({ "name": "clock_skew" })), 0, "OK", ""),
        row("M6", "an address of metadata", Configure(|text| elsewhere(text, "http://169.254.169.254/", true)), 2, "", "private network"),
    ]
}

/// Faults of GraphQL.
#[rustfmt::skip]
pub fn graphql() -> Vec<Row> {
    let clients = |fault: Value| {
        let mut fault = fault;
        fault["operation"] = "allClients".into();
        switch(fault)
    };
    vec![
        row("G1", "errors without data", clients(json!({ "name": "errors_without_data" })), 75, "WAITING", "Something went wrong"),
        row("G1", "a crash that passes", clients(json!({ "name": "server_crash", "times": 2 })), 0, "OK", ""),
        row("G2", "data and errors", clients(json!({ "name": "errors_with_data" })), 3, "PARTIAL", "holes"),
        row("G3", "null for a record", clients(json!({ "name": "null_node" })), 3, "PARTIAL", "null in place of a record"),
        row("G4", "the same cursor again", clients(json!({ "name": "same_cursor" })), 5, "FAILED", "leads back"),
        row("G5", "an empty page with more to come", clients(json!({ "name": "empty_page", "times": 2 })), 0, "OK", ""),
        row("G6", "rows shift once", clients(json!({ "name": "shift_rows", "times": 1 })), 0, "OK", ""),
        row("G6", "a row comes twice, once", clients(json!({ "name": "repeat_rows", "times": 1 })), 0, "OK", ""),
        row("G6", "rows come twice in every read", clients(json!({ "name": "repeat_rows" })), 0, "OK", ""),
        row("G6", "rows shift in every read", clients(json!({ "name": "shift_rows" })), 3, "PARTIAL", "different ones came"),
        row("G7", "a count that is wrong once", clients(json!({ "name": "total_count", "times": 4 })), 0, "OK", ""),
        row("G7", "a count that is always wrong", clients(json!({ "name": "total_count" })), 3, "PARTIAL", "different ones came"),
        row("G8", "a cursor refused once", clients(json!({ "name": "cursor_refused", "times": 1 })), 0, "OK", ""),
        row("G8", "no cursor is taken", clients(json!({ "name": "cursor_refused" })), 3, "PARTIAL", "does not take the cursor"),
        row("G9", "a field gone", switch(json!({ "name": "field_removed", "value": "PrivateClient.personalNotes" })), 4, "BLOCKED", "personalNotes"),
        row("G9", "a field renamed", switch(json!({ "name": "field_renamed", "value": "PrivateClient.companyName:corporateName" })), 4, "BLOCKED", "companyName"),
        row("G9", "a field of another type", switch(json!({ "name": "field_retyped", "value": "PrivateClient.referenceId:Int" })), 4, "BLOCKED", "was String and is Int"),
        row("G10", "a field more", switch(json!({ "name": "field_added", "value": "PrivateClient.shoeSize:Int" })), 0, "OK", ""),
        row("G12", "too complex", clients(json!({ "name": "page_too_large", "value": { "above": 4, "status": 200 } })), 0, "OK", ""),
        row("N6", "the page before once more", clients(json!({ "name": "stale_answer", "after": 1, "times": 1 })), 0, "OK", ""),
        row("G14", "no introspection", switch(json!({ "name": "introspection_off" })), 0, "OK", ""),
    ]
}

/// Faults of limits and credentials.
#[rustfmt::skip]
pub fn limits() -> Vec<Row> {
    vec![
        row("R1", "come back in a second", switch(json!({ "name": "too_many_requests", "value": 1, "times": 1 })), 0, "OK", ""),
        row("R1", "come back in a day", switch(json!({ "name": "too_many_requests", "value": 86400 })), 75, "WAITING", "slow down"),
        row("R1", "come back a thousand years hence", switch(json!({ "name": "too_many_requests", "value": "Fri, 01 Jan 3026 00:00:00 GMT" })), 75, "WAITING", "slow down"),
        row("R2", "429 without a word", switch(json!({ "name": "too_many_requests", "times": 2 })), 0, "OK", ""),
        row("R3", "429 for ever", switch(json!({ "name": "too_many_requests" })), 75, "WAITING", "slow down"),
        row("R", "a fixed window that tells", switch(json!({ "name": "rate_limit", "value": { "limit": 2, "window_seconds": 0.5, "says": "ietf" } })), 0, "OK", ""),
        row("R", "a sliding window that tells", switch(json!({ "name": "rate_limit", "value": { "kind": "sliding", "limit": 2, "window_seconds": 0.5, "says": "x_ratelimit" } })), 0, "OK", ""),
        row("R", "costs", switch(json!({ "name": "rate_limit", "value": { "kind": "cost", "limit": 100, "window_seconds": 1, "cost": 60 } })), 0, "OK", ""),
        row("O1", "refused for ever", switch(json!({ "name": "unauthorized" })), 75, "WAITING", "refused the credentials"),
    ]
}

/// The endpoint of another server.
fn elsewhere(text: &str, url: &str, http: bool) -> String {
    let lines = text.lines().map(|line| match line.starts_with("endpoint") {
        true => format!("endpoint = \"{url}\"\nallow_http = {http}\n"),
        false => format!("{line}\n"),
    });
    lines.collect()
}
