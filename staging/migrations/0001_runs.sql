-- Who runs, what came of it, and what waits for a person.
create schema ops;

-- One execution for one module. The counts are columns, not a document, so that the balance
-- equations can be checked by the database as well as by the program.
create table ops.runs (
    run_id       bigint generated always as identity primary key,
    module       text not null,
    source       text not null,
    mode         text not null,
    state        text not null default 'RUNNING',
    resumed      boolean not null default false,
    cause        text,
    strategy     text,
    selection    jsonb,
    holder       text not null,
    started_at   timestamptz not null default clock_timestamp(),
    finished_at  timestamptz,
    complete     boolean not null default false,
    total_count  bigint,
    pages        bigint not null default 0,
    fetched      bigint not null default 0,
    new          bigint not null default 0,
    changed      bigint not null default 0,
    unchanged    bigint not null default 0,
    superseded   bigint not null default 0,
    claimed      bigint not null default 0,
    promoted     bigint not null default 0,
    same         bigint not null default 0,
    quarantined  bigint not null default 0,
    parked       bigint not null default 0,
    in_review    bigint not null default 0,
    inserted     bigint not null default 0,
    updated      bigint not null default 0,
    tombstoned   bigint not null default 0,
    conflicts    bigint not null default 0,
    promotion    bigint,
    constraint runs_state_known check (state in
        ('RUNNING', 'OK', 'OK_Q', 'PARTIAL', 'BLOCKED', 'WAITING', 'FAILED', 'CANCELLED'))
);
create index runs_by_module on ops.runs (module, run_id desc);

-- The steps of a run, so that "where did it stop" has an answer.
create table ops.run_steps (
    run_id      bigint not null references ops.runs on delete cascade,
    step        text not null,
    state       text not null,
    detail      text,
    started_at  timestamptz not null default clock_timestamp(),
    finished_at timestamptz,
    primary key (run_id, step)
);

-- One run per module across hosts. Expiry is judged by the database's clock, and every write of a
-- run carries its token, so a holder that slept through its lease can change nothing.
create table ops.leases (
    module     text primary key,
    token      bigint not null,
    holder     text not null,
    run_id     bigint,
    taken_at   timestamptz not null,
    expires_at timestamptz not null
);

-- Quarantine, parking, review, approvals, conflicts and tasks: everything that waits.
create table ops.problems (
    problem_id   bigint generated always as identity primary key,
    kind         text not null,
    module       text not null,
    source_id    text not null,
    code         text not null,
    why          text not null,
    place        text,
    detail       jsonb not null default '{}',
    waits_module text,
    waits_id     text,
    state        text not null default 'open',
    author       text,
    reason       text,
    attempts     integer not null default 1,
    run_id       bigint,
    first_seen   timestamptz not null default clock_timestamp(),
    last_seen    timestamptz not null default clock_timestamp(),
    resolved_at  timestamptz,
    constraint problems_kind_known check (kind in
        ('quarantine', 'parking', 'review', 'approval', 'conflict', 'task')),
    constraint problems_state_known check (state in ('open', 'resolved', 'approved', 'rejected'))
);
-- The same fault of the same record is one problem however often it is met.
create unique index problems_open_once on ops.problems (source_id, module, kind, code) where state = 'open';
create index problems_waiting on ops.problems (waits_id, waits_module) where state = 'open' and waits_id is not null;

-- The definition of a module that production was last built with; another one replays its records.
create table ops.modules (
    module      text primary key,
    source      text not null,
    entity      text not null,
    fingerprint text not null,
    seen_at     timestamptz not null default clock_timestamp()
);
