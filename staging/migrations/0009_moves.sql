-- Children that their source gave to another parent, and when: where the parent then vanishes from complete readings, they
-- tell whether it was merged into another one. The parent's new entity replaces an earlier one, and a child that comes back is
-- forgotten here.
create table staging.moves (
    entity    text not null,
    from_id   text not null,
    into_id   text not null,
    module    text not null,
    source_id text not null,
    moved_at  timestamptz not null default clock_timestamp(),
    primary key (from_id, entity, source_id, module)
);

-- Records that their source merged into others are looked through at every run: are they back?
create index identities_merged on prod.identities (module) where method = 'merged' and valid_to is null;
