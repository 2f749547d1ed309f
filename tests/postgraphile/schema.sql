-- The database PostGraphile serves as a source: a workshop with customers, staff, assets and visits.
-- Everything in it is invented. `\i schema.sql` then `\i seed.sql` give the same rows on every
-- machine and every PostgreSQL from 14 on; both are plain SQL, so a driver can send them as they are.

create schema workshop;

create type workshop.customer_kind as enum ('person', 'household', 'institution');
create type workshop.language as enum ('fr', 'en');
create type workshop.visit_state as enum ('planned', 'done', 'cancelled', 'no_show');

create table workshop.staff (
    id bigint primary key,
    name text not null,
    email text not null constraint staff_email_is_unique unique,
    languages workshop.language[] not null,
    is_active boolean not null,
    hourly_rate numeric(8, 2) not null,
    hired_on date not null,
    skills jsonb not null
);

create table workshop.customers (
    id uuid primary key,
    public_reference uuid not null constraint customers_have_one_reference unique,
    kind workshop.customer_kind not null,
    name text not null,
    email text,
    phone text,
    language workshop.language not null,
    address jsonb not null,
    tags text[] not null,
    is_active boolean not null,
    balance numeric(12, 2) not null,
    customer_since date not null,
    preferred_staff_id bigint constraint customers_prefer_staff references workshop.staff (id),
    notes text,
    created_at timestamptz not null
);

create table workshop.assets (
    id bigint primary key,
    -- An asset in stock belongs to nobody.
    customer_id uuid constraint assets_belong_to_customers references workshop.customers (id),
    make text not null,
    model text,
    serial_number text,
    built_in integer,
    attributes jsonb not null,
    is_rental boolean not null,
    appraised_value numeric(12, 2),
    acquired_on date,
    created_at timestamptz not null
);

create table workshop.visits (
    -- Beyond 2^53, where a number read as a double is no longer the number that was sent.
    id bigint primary key,
    asset_id bigint not null constraint visits_happen_to_assets references workshop.assets (id),
    -- No foreign key: people leave, their rows are removed, and their visits stay.
    staff_id bigint,
    invoice_number bigint,
    state workshop.visit_state not null,
    starts_at timestamptz not null,
    duration interval,
    temperature numeric(5, 2),
    humidity numeric(5, 2),
    price numeric(10, 2),
    work_done text[] not null,
    summary text
);

create index assets_by_customer on workshop.assets (customer_id);
create index visits_by_asset on workshop.visits (asset_id);
create index customers_by_staff on workshop.customers (preferred_staff_id);
