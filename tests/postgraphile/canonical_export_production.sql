-- What the four modules put into production, as (relation, line) in a fixed order: the twin of
-- canonical_export_source.sql. Placeholders stand for staff whom the source has no row for, and
-- tombstones for rows it has no longer, so neither is in the export.
with canonical as (
    select 'staff' as relation, jsonb_build_object(
        'id', id,
        'name', name,
        'email', email,
        'languages', languages,
        'is_active', is_active,
        'hourly_rate', hourly_rate::text,
        'hired_on', to_char(hired_on, 'YYYY-MM-DD'),
        'skills', skills) as line
    from prod.staff
    where not is_placeholder and deleted_at is null
    union all
    select 'customers', jsonb_build_object(
        'id', id,
        'public_reference', public_reference,
        'kind', kind,
        'name', name,
        'email', email,
        'phone', phone,
        'language', language,
        'city', city,
        'address', address,
        'tags', tags,
        'is_active', is_active,
        'balance', balance::text,
        'customer_since', to_char(customer_since, 'YYYY-MM-DD'),
        'preferred_staff_id', preferred_staff_id,
        'notes', notes,
        'source_created_at', to_char(source_created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
    from prod.customers
    where not is_placeholder and deleted_at is null
    union all
    select 'assets', jsonb_build_object(
        'id', id,
        'customer_id', customer_id,
        'make', make,
        'model', model,
        'serial_number', serial_number,
        'built_in', built_in::text,
        'finish', finish,
        'attributes', attributes,
        'is_rental', is_rental,
        'appraised_value', appraised_value::text,
        'acquired_on', to_char(acquired_on, 'YYYY-MM-DD'),
        'visit_ids', visit_ids,
        'source_created_at', to_char(source_created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
    from prod.assets
    where not is_placeholder and deleted_at is null
    union all
    select 'visits', jsonb_build_object(
        'id', id,
        'asset_id', asset_id,
        'staff_id', staff_id,
        'invoice_number', invoice_number::text,
        'state', state,
        'starts_at', to_char(starts_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'duration_minutes', duration_minutes::text,
        'temperature', temperature::text,
        'humidity', humidity::text,
        'price', price::text,
        'work_done', work_done,
        'summary', summary)
    from prod.visits
    where not is_placeholder and deleted_at is null
)
select relation, line::text as line from canonical
order by relation collate "C", line::text collate "C"
