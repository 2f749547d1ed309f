-- What records say and what people decided, kept apart: a row of production is what its claims and overrides resolve to.

-- What one record says about its entity, column by column. `kept` names the columns of which the record says nothing
-- any more, although its last value still counts. `origin` is the module whose staged record it is: another module's
-- where this module derives rows from it.
alter table prod.identities rename column base to claim;
alter table prod.identities rename column silent to kept;
alter table prod.identities add column origin text;
update prod.identities i set origin = i.module where i.leads or i.method = 'merged'
    or exists (select from staging.records r where r.source_id = i.source_id and r.module = i.module);
update prod.identities i set origin = (
    select r.module from staging.records r where r.source_id = i.source_id and r.module <> i.module limit 1)
where origin is null;
update prod.identities set origin = module where origin is null;
alter table prod.identities alter column origin set not null;
-- Which record comes first is computed from the records, so nothing of it is stored.
alter table prod.identities drop column leads;

-- What a person or a restore decided for one cell of a row. The cell '' is whether the row is there: "live",
-- "placeholder", "deleted" or "absent". `against` is what the claims came to when it was set (null: no claim said anything).
create table prod.overrides (
    override_id bigint generated always as identity primary key,
    entity      text not null,
    entity_id   text not null,
    cell        text not null,
    value       jsonb not null,
    against     jsonb,
    kind        text not null,
    author      text not null,
    reason      text not null,
    set_at      timestamptz not null default clock_timestamp(),
    state       text not null default 'holds',
    -- The promotion it was set with, or the last one before; and the one it was released with.
    promotion   bigint not null,
    released_in bigint,
    released_by text,
    released_at timestamptz,
    -- The entity it was set on, where that one was absorbed since.
    carried_from text,
    constraint overrides_kind_known check (kind in ('manual', 'restore')),
    constraint overrides_state_known check (state in ('holds', 'conflict', 'released')),
    constraint overrides_released check ((state = 'released') = (released_in is not null))
);
create unique index overrides_current on prod.overrides (entity_id, entity, cell) where state <> 'released';
create index overrides_of_entity on prod.overrides (entity_id, entity);

-- The production tables as the engine left them, by object and column numbers: one that was dropped, renamed or made
-- anew is noticed before anything is decided.
create table ops.tables (
    entity  text primary key,
    oid     oid not null,
    columns jsonb not null,
    seen_at timestamptz not null default clock_timestamp()
);

-- Writes to production by anybody but the engine: who, when and what. `taken` once a run has made overrides of them.
create table history.edits (
    edit_id     bigint generated always as identity primary key,
    entity      text not null,
    entity_id   text not null,
    operation   text not null,
    cells       text[] not null default '{}',
    author      text not null,
    application text not null,
    edited_at   timestamptz not null default clock_timestamp(),
    -- The image that was replaced; none where a row was inserted.
    before      bytea,
    taken       boolean not null default false
);
create index edits_not_taken on history.edits (entity, entity_id) where not taken;

-- Keeps the row that somebody else than the engine replaces, so that every image of the history can be had, and
-- remembers who replaced it. The engine says that it writes with the setting `concord.writer`.
create function history.keep_edit() returns trigger
language plpgsql security definer set timezone = 'UTC' set search_path = pg_catalog as $$
declare
    before jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) end;
    after  jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) end;
    replaced bytea := sha256(convert_to(before::text, 'UTF8'));
    changed text[];
begin
    if before is not null and before is distinct from after then
        insert into history.objects (hash, image) values (replaced, before) on conflict do nothing;
    end if;
    if before is not null and after is not null then
        select coalesce(array_agg(n.key order by n.key), '{}') into changed
        from jsonb_each(after) n where n.value is distinct from before -> n.key;
        if changed = '{}' then return null; end if;
    end if;
    if before ->> 'id' is distinct from after ->> 'id' and before is not null and after is not null then
        insert into history.edits (entity, entity_id, operation, author, application, before)
        values (tg_table_name, before ->> 'id', 'delete', session_user, current_setting('application_name'), replaced);
    end if;
    insert into history.edits (entity, entity_id, operation, cells, author, application, before)
    values (tg_table_name, coalesce(after, before) ->> 'id', lower(tg_op), coalesce(changed, '{}'), session_user,
            current_setting('application_name'), replaced);
    return null;
end $$;

create function history.keep_truncated() returns trigger
language plpgsql security definer set timezone = 'UTC' set search_path = pg_catalog as $$
begin
    execute format(
        'with stood as (
             select t.id, to_jsonb(t) as image, sha256(convert_to(to_jsonb(t)::text, ''UTF8'')) as hash from %I.%I t),
         kept as (insert into history.objects (hash, image) select hash, image from stood on conflict do nothing)
         insert into history.edits (entity, entity_id, operation, author, application, before)
         select $1, id, ''truncate'', session_user, current_setting(''application_name''), hash from stood',
        tg_table_schema, tg_table_name) using tg_table_name;
    return null;
end $$;

-- A table is filled again from claims and overrides by a promotion of its own, and an override is released by one.
alter table history.promotions drop constraint promotions_kind_known;
alter table history.promotions add constraint promotions_kind_known
    check (kind in ('sync', 'rollback', 'evolve', 'unmerge', 'rebuild', 'release'));

-- The image of a row by its hash: kept since it left production, or the row that stands. Null where neither has it.
create function history.image(entity text, entity_id text, wanted bytea) returns jsonb
language plpgsql stable set timezone = 'UTC' as $$
declare
    found jsonb;
begin
    if wanted is null then return null; end if;
    select o.image into found from history.objects o where o.hash = wanted;
    if found is not null then return found; end if;
    if to_regclass(format('prod.%I', entity)) is null then return null; end if;
    execute format('select to_jsonb(t) from prod.%I t where t.id = $1', entity) into found using entity_id;
    if sha256(convert_to(found::text, 'UTF8')) = wanted then return found; end if;
    return null;
end $$;
