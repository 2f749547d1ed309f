//! The closed list of switches, each with the sentence that `--help` shows.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! switches {
    ($($variant:ident $name:literal $help:literal;)*) => {
        /// A switch that makes the stand-in misbehave.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum FaultName {
            $(#[doc = $help] #[serde(rename = $name)] $variant,)*
        }

        impl FaultName {
            /// Every switch.
            pub const ALL: &'static [FaultName] = &[$(FaultName::$variant),*];

            /// The name used on the command line and in JSON.
            pub fn as_str(self) -> &'static str {
                match self { $(FaultName::$variant => $name),* }
            }

            /// What the switch does, in one sentence.
            pub fn help(self) -> &'static str {
                match self { $(FaultName::$variant => $help),* }
            }
        }
    };
}

switches! {
    TokenExpired "token_expired" "Every access token issued so far expires now; refreshing works.";
    TokenRevoked "token_revoked" "Every access and refresh token issued so far dies now; only a new login works.";
    TokenRotation "token_rotation" "What a refresh does to the refresh token: keep (default), omit, rotate, grace (the old one works once more).";
    TokenTtl "token_ttl" "Seconds until new access tokens expire (default 2592000).";
    ClientCredentials "client_credentials" "The client-credentials grant is accepted.";
    UnsupportedGrant "unsupported_grant" "Every grant answers 400 unsupported_grant_type.";
    Unauthorized "unauthorized" "Answers 401 whatever the credential; with times=1 it is 401, then ok.";
    TooManyRequests "too_many_requests" "Answers 429; the value is Retry-After in seconds or a date, null leaves the header out.";
    RateLimit "rate_limit" "At most this many requests in each second, then 429; {kind: fixed, sliding or cost, limit, window_seconds, says: nothing, x_ratelimit or ietf, cost, retry_after: false}.";
    ServerError "server_error" "Answers this status (default 503) with an empty body.";
    SlowBytes "slow_bytes" "Sends the answer in 16 pieces with this many milliseconds before each (default 20).";
    TruncatedBody "truncated_body" "Announces the whole length and closes the connection after half of it.";
    WrongContentType "wrong_content_type" "Sends the right answer as this content type (default text/plain).";
    MaintenancePage "maintenance_page" "Answers an HTML page with this status (default 200).";
    Redirect "redirect" "Answers 307 to this address (default another origin that must never be asked).";
    GzipBomb "gzip_bomb" "Answers this many megabytes (default 512) of spaces, compressed a thousandfold.";
    Charset "charset" "Sends the answer as bom, utf-16 (with a mark), utf-16be (told by its header alone), latin1 (truly) or lies (UTF-8 that says it is latin1).";
    PageTooLarge "page_too_large" "Refuses pages of more than `above` records (default 10) with `status`: 400 (default), 413, 414, or 200 for a complaint about complexity.";
    CursorRefused "cursor_refused" "Takes no cursor any more.";
    StaleAnswer "stale_answer" "Answers with the last answer to the same root field once more, as a cache on the way does.";
    IntrospectionOff "introspection_off" "Answers no question about its schema.";
    ClockSkew "clock_skew" "The Date header is this many seconds off (default 3600).";
    ErrorsWithoutData "errors_without_data" "Answers 200 with errors and no data.";
    ErrorsWithData "errors_with_data" "Answers 200 with errors and the data.";
    ValidationFrench "validation_french" "Answers 200 with a French validation message.";
    ServerCrash "server_crash" "Answers 200 with a Ruby-style crash message.";
    NullNode "null_node" "The node at this place of the page (default 0) is null.";
    SameCursor "same_cursor" "hasNextPage is true and endCursor is the cursor that was asked for.";
    EmptyPage "empty_page" "The page is empty, hasNextPage is true and the cursor stays.";
    TotalCount "total_count" "totalCount is off by this much (default 7).";
    RepeatRows "repeat_rows" "Pages after the first begin this many rows too early (default 1).";
    ShiftRows "shift_rows" "Pages after the first begin this many rows too late (default 1).";
    OffsetCursors "offset_cursors" "Cursors hold positions, so that inserted and deleted rows shift the pages.";
    PageCap "page_cap" "Largest page served.";
    FieldAbsent "field_absent" "These fields (Type.field or a list; default PrivateClient.tags) are left out although asked for.";
    FieldNull "field_null" "These fields are null.";
    FieldEmpty "field_empty" "These fields are empty: [], \"\", 0 or false.";
    UnknownEnum "unknown_enum" "Every fifth value of an enum, from the first, is one the schema does not know: Enum:VALUE (default TimelineEntryType:CONTACT_CARRIER_PIGEON).";
    FieldAdded "field_added" "The schema gains a field: Type.field:Scalar.";
    FieldRenamed "field_renamed" "A field has a new name: Type.field:newName.";
    FieldRemoved "field_removed" "The schema loses a field: Type.field.";
    FieldRetyped "field_retyped" "A field becomes a scalar of another type: Type.field:Scalar.";
    EventVanish "event_vanish" "These events (id, list of ids, or the first n; default 1) leave the lists and event() is null; clearing brings them back.";
    EventVanishFromLists "event_vanish_from_lists" "As event_vanish, but event() still answers the last state.";
    EventReassigned "event_reassigned" "An event has another technician: {event, user}; null takes the first appointment and the last listed user.";
    ClientMerge "client_merge" "One client is merged into another: {source, target}; null merges the second into the first. Undone by reset only.";
    IdReuse "id_reuse" "A record's id passes to another record of its kind: {kind, from, to}; from is removed. Undone by reset only.";
    OldRowEdited "old_row_edited" "The oldest record of a kind (client, piano or timeline; default client) is edited today. Undone by reset only.";
    PropagationDelay "propagation_delay" "The newest n timeline entries (default 3) are seen by piano only, not by client and not in the whole list.";
}

impl FaultName {
    /// True for switches of which several may be on with different values.
    pub(crate) fn is_repeatable(self) -> bool {
        use FaultName::*;
        matches!(
            self,
            FieldAdded
                | FieldRenamed
                | FieldRemoved
                | FieldRetyped
                | FieldAbsent
                | FieldNull
                | FieldEmpty
                | EventReassigned
        )
    }

    /// True for switches that speak of the token endpoint without being told so.
    pub(crate) fn is_about_tokens(self) -> bool {
        use FaultName::*;
        matches!(
            self,
            TokenRotation | TokenTtl | ClientCredentials | UnsupportedGrant
        )
    }

    /// True for switches that act once, when they are set, and leave nothing on.
    pub(crate) fn is_event(self) -> bool {
        use FaultName::*;
        matches!(
            self,
            TokenExpired | TokenRevoked | ClientMerge | IdReuse | OldRowEdited
        )
    }
}

impl FromStr for FaultName {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        FaultName::ALL
            .iter()
            .copied()
            .find(|fault| fault.as_str() == name)
            .ok_or_else(|| {
                format!("there is no switch `{name}`; see `standin --help` for the names")
            })
    }
}
