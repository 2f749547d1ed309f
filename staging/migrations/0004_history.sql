-- Every promotion, what it changed, and the rows as they were and became.
create schema history;

-- Numbered without gaps in commit order: the number comes from the locked head, not from a sequence.
create table history.promotions (
    number     bigint primary key,
    kind       text not null,
    module     text,
    run_id     bigint,
    target     bigint,
    actor      text not null,
    reason     text not null,
    changes    bigint not null,
    changes_hash bytea not null,
    state_hash bytea not null,
    prev_hash  bytea not null,
    hash       bytea not null,
    created_at timestamptz not null,
    constraint promotions_kind_known check (kind in ('sync', 'rollback', 'evolve'))
);

-- The head of the chain; locking it makes promotions one after the other.
create table history.head (
    one        boolean primary key default true,
    number     bigint not null,
    hash       bytea not null,
    state_hash bytea not null,
    constraint head_is_one check (one)
);
insert into history.head (number, hash, state_hash)
values (0, decode(repeat('00', 32), 'hex'), decode(repeat('00', 32), 'hex'));

-- Rows as they stood, addressed by the SHA-256 of their canonical text: storage grows with change.
create table history.objects (
    hash  bytea primary key,
    image jsonb not null
);

-- `part` 0 is an edit by hand that the promotion found, 1 what the promotion did.
create table history.changes (
    number      bigint not null,
    entity      text not null,
    entity_id   text not null,
    part        smallint not null default 1,
    operation   text not null,
    before      bytea,
    after       bytea,
    module      text,
    source_id   text,
    record_hash bytea,
    pass_id     bigint,
    page        integer,
    primary key (number, entity, entity_id, part),
    constraint changes_operation_known check (operation in
        ('insert', 'update', 'tombstone', 'delete', 'local'))
);
create index changes_of_entity on history.changes (entity_id, entity, number desc, part desc);

-- The digest of a row image as it enters the set hashes below.
create function history.element(entity text, object bytea) returns bytea
language sql immutable parallel safe
return sha256(convert_to(entity, 'UTF8') || object);

-- One 64-bit lane of a digest. Set hashes are sums of lanes modulo 2^64 (the additive multiset hash
-- of Clarke et al., 2003): a promotion updates them from its own changes alone.
create function history.lane(digest bytea, lane integer) returns numeric
language sql immutable parallel safe
return ('x' || encode(substring(digest from lane * 8 + 1 for 8), 'hex'))::bit(64)::bigint::numeric;
