-- How sources stand with us, and what their schemas looked like when their modules last read.

-- One row per source: its breaker and pace at the end of the last run, and its schema as last shown.
create table ops.sources (
    source         text primary key,
    standing       jsonb not null default '{}',
    standing_at    timestamptz not null default clock_timestamp(),
    schema         text,
    schema_seen_at timestamptz,
    -- The account whose data production holds; another one is not read before a person agrees.
    account        text
);

-- The types a module's queries read by. Replaced when nothing breaking changed, when the module itself is another,
-- or when a person approved the change; a breaking change stops the module before it reads.
create table ops.shapes (
    module      text primary key,
    fingerprint text not null,
    shape       jsonb not null,
    seen_at     timestamptz not null default clock_timestamp()
);
