-- The ids that sources give are bytes, not words of a language: compared so, they cost less, their order is the same on
-- every server, and no index over them breaks when the system's language rules change.
do $$
declare
    altered record;
begin
    for altered in
        select t.oid::regclass as name,
               string_agg(format('alter column %I type text collate "C"', a.attname), ', ' order by a.attnum) as columns
        from pg_class t join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
        where (t.relnamespace in ('ops'::regnamespace, 'staging'::regnamespace, 'history'::regnamespace)
               or t.oid in ('prod.identities'::regclass, 'prod.links'::regclass))
          and t.relkind in ('r', 'p') and not t.relispartition
          and a.atttypid = 'text'::regtype and a.attname in ('source_id', 'waits_id', 'from_id', 'into_id')
        group by t.oid
    loop
        execute format('alter table %s %s', altered.name, altered.columns);
    end loop;
end $$;

-- With a default that is asked for each row, PostgreSQL copies rows in one by one.
alter table staging.records alter column first_seen set default statement_timestamp(),
                            alter column changed_at set default statement_timestamp();
