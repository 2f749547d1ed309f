-- Production: entity tables are created from contracts; here stands who is who.
create schema prod;

-- Which entity a record is, decided how, by whom, and the row it last gave (the base of the merge).
create table prod.identities (
    source     text not null,
    module     text not null,
    source_id  text not null,
    entity     text not null,
    entity_id  text not null,
    method     text not null,
    score      double precision,
    evidence   jsonb not null default '{}',
    author     text not null,
    base       jsonb not null default '{}',
    leads      boolean not null default true,
    gone       boolean not null default false,
    promotion  bigint not null,
    valid_from timestamptz not null default now(),
    valid_to   timestamptz,
    primary key (source_id, module, source, valid_from)
);
-- The most selective column leads every index: statistics lag behind the transaction that fills a table, and
-- a scan of a whole module must never look cheaper than a look-up.
create unique index identities_current on prod.identities (source_id, module, source) where valid_to is null;
create index identities_of_entity on prod.identities (entity_id, entity) where valid_to is null;

-- Exact strong keys of entities, as digests of their normal form, so that a batch of fifty records
-- against a million entities touches only its candidates.
create table prod.match_keys (
    entity    text not null,
    label     text not null,
    value     bytea not null,
    entity_id text not null,
    primary key (value, label, entity, entity_id)
);
create index match_keys_of_entity on prod.match_keys (entity_id, entity);
