-- Every row PostGraphile serves, in the shape of the production tables, as (relation, line) in a
-- fixed order. Equal to canonical_export_production.sql, line for line, once all four modules ran.
-- Numbers and instants are text, so that 1.5 and 1.50 differ and no session setting matters.
with canonical as (
    select 'staff' as relation, jsonb_build_object(
        'id', id::text,
        'name', name,
        'email', email,
        'languages', languages::text[],
        'is_active', is_active,
        'hourly_rate', hourly_rate::text,
        'hired_on', to_char(hired_on, 'YYYY-MM-DD'),
        'skills', skills) as line
    from workshop.staff
    union all
    select 'customers', jsonb_build_object(
        'id', id::text,
        'public_reference', public_reference::text,
        'kind', kind::text,
        'name', name,
        'email', email,
        'phone', phone,
        'language', language::text,
        'city', address ->> 'city',
        'address', address,
        'tags', tags,
        'is_active', is_active,
        'balance', balance::text,
        'customer_since', to_char(customer_since, 'YYYY-MM-DD'),
        'preferred_staff_id', preferred_staff_id::text,
        'notes', notes,
        'source_created_at', to_char(created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
    from workshop.customers
    union all
    select 'assets', jsonb_build_object(
        'id', id::text,
        'customer_id', customer_id::text,
        'make', make,
        'model', model,
        'serial_number', serial_number,
        'built_in', built_in::text,
        'finish', attributes ->> 'finish',
        'attributes', attributes,
        'is_rental', is_rental,
        'appraised_value', appraised_value::text,
        'acquired_on', to_char(acquired_on, 'YYYY-MM-DD'),
        'visit_ids', array(
            select visits.id::text from workshop.visits
            where visits.asset_id = assets.id order by visits.id),
        'source_created_at', to_char(created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
    from workshop.assets
    union all
    select 'visits', jsonb_build_object(
        'id', id::text,
        'asset_id', asset_id::text,
        'staff_id', staff_id::text,
        'invoice_number', invoice_number::text,
        'state', state::text,
        'starts_at', to_char(starts_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'duration_minutes', (extract(epoch from duration) / 60)::integer::text,
        'temperature', temperature::text,
        'humidity', humidity::text,
        'price', price::text,
        'work_done', work_done,
        'summary', summary)
    from workshop.visits
)
select relation, line::text as line from canonical
order by relation collate "C", line::text collate "C"
