-- Matching by score: stored blocking keys, and what people decided.

-- Blocking keys of living rows, as digests. They are found by hash, so that a batch of fifty records against a
-- million entities touches only its candidates. The digest covers the specification it was computed by: keys of
-- another one never meet these. There are a dozen to a row, so the indexes hold no more than they must.
create table prod.blocking_keys (
    hash      bigint not null,
    entity    text not null,
    entity_id text not null
);
create index blocking_keys_hash on prod.blocking_keys (hash);
create index blocking_keys_of_entity on prod.blocking_keys (entity_id);

-- Up to where a module has seen its table: `version` names the definitions that keys were computed by, and rows
-- written by `seen` or later may be new to it. Whoever writes a row by hand tells nobody, but leaves his transaction on it.
create table prod.blocking_seen (
    module  text primary key,
    version text not null,
    seen    xid not null
);

-- What people decided: a record is an entity, or is not. No model overturns it. A later word ends an earlier one.
create table prod.links (
    link_id   bigint generated always as identity primary key,
    source    text not null,
    module    text not null,
    source_id text not null,
    entity    text not null,
    entity_id text not null,
    is_same   boolean not null,
    author    text not null,
    reason    text not null,
    said_at   timestamptz not null default clock_timestamp(),
    ended_at  timestamptz
);
create unique index links_current on prod.links (source_id, module, source, entity_id) where ended_at is null;
create unique index links_one_entity on prod.links (source_id, module, source) where ended_at is null and is_same;

-- A record taken out of an entity again is a promotion of its own.
alter table history.promotions drop constraint promotions_kind_known;
alter table history.promotions add constraint promotions_kind_known
    check (kind in ('sync', 'rollback', 'evolve', 'unmerge'));
