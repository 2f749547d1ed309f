-- Hosts that ask one source at the same time: who they are, which part of its limits each may use, and until when
-- nobody should ask. And what a source has gained that no module uses.

-- A part is an interval of the whole. Those of one source never overlap, because a host takes only what no other host
-- holds, with the source's row of ops.sources locked; and a host that no longer says it is there holds nothing.
create table ops.shares (
    source     text not null,
    host       text not null,
    from_part  integer not null,
    to_part    integer not null,
    joined_at  timestamptz not null default clock_timestamp(),
    expires_at timestamptz not null,
    primary key (source, host),
    constraint shares_part check (0 <= from_part and from_part <= to_part)
);

-- What one host has learnt, for all: the pause the source asked for, and that it fails and is left alone.
alter table ops.sources
    add column held_until       timestamptz,
    add column left_alone_since timestamptz,
    add column left_alone_until timestamptz,
    add column left_alone_cause text;

-- What a source's schema has gained since the module was written as it is now: kept until the module changes.
alter table ops.shapes add column grown text[] not null default '{}';

-- How many records came with two contents in one read is asked at the end of every run.
create index superseded_by_pass on staging.superseded (pass_id);
