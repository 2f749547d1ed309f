-- What sources said, losslessly.
create schema staging;

-- One traversal of a source's stream. A pass may take several runs (it resumes at its checkpoint);
-- only a complete pass can prove that something is gone.
create table staging.passes (
    pass_id     bigint generated always as identity primary key,
    module      text not null,
    strategy    text not null,
    selection   jsonb not null default '{}',
    state       text not null default 'open',
    total_count bigint,
    started_at  timestamptz not null default clock_timestamp(),
    finished_at timestamptz,
    constraint passes_state_known check (state in ('open', 'complete', 'incomplete'))
);
create index passes_by_module on staging.passes (module, pass_id desc);
create unique index passes_one_open on staging.passes (module) where state = 'open';

-- The cursor that is safe to resume from. Written only in the transaction that stages its page.
create table staging.checkpoints (
    module     text primary key,
    pass_id    bigint not null references staging.passes,
    page       integer not null,
    cursor     text,
    updated_at timestamptz not null default clock_timestamp()
);

-- One answer of a source: which ids it held, and what they meant for staging. Seeing a record again
-- appends its id here and touches nothing else, so an unchanged read rewrites no record.
create table staging.pages (
    pass_id     bigint not null references staging.passes,
    page        integer not null,
    module      text not null,
    run_id      bigint,
    cursor      text,
    source_ids  text[] not null,
    fetched     integer not null,
    new         integer not null,
    changed     integer not null,
    unchanged   integer not null,
    superseded  integer not null,
    holes       jsonb not null default '[]',
    fetched_at  timestamptz not null default clock_timestamp(),
    primary key (pass_id, page),
    constraint pages_balance check (fetched = new + changed + unchanged + superseded)
);

-- The latest version of every record. `payload` is for use; `raw` holds the bytes as received wherever
-- jsonb cannot hold them faithfully, and then `payload` is null and `defect` says why.
create table staging.records (
    module     text not null,
    source_id  text not null,
    hash       bytea not null,
    payload    jsonb,
    raw        bytea,
    defect     text,
    pass_id    bigint not null,
    page       integer not null,
    first_seen timestamptz not null default clock_timestamp(),
    changed_at timestamptz not null default clock_timestamp(),
    gone_in    bigint,
    primary key (source_id, module),
    constraint records_hold_something check (payload is not null or raw is not null)
) partition by list (module);

-- Versions that a later one replaced.
create table staging.superseded (
    module     text not null,
    source_id  text not null,
    hash       bytea not null,
    payload    jsonb,
    raw        bytea,
    pass_id    bigint not null,
    page       integer not null,
    changed_at timestamptz not null
);
create index superseded_by_record on staging.superseded (source_id, module);

-- Records that wait for the reconciler. `origin` is the module whose staged record it is: another
-- module's where a module derives rows from it.
create table staging.pending (
    module    text not null,
    source_id text not null,
    origin    text not null,
    primary key (module, source_id, origin)
);
