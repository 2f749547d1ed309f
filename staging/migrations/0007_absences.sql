-- In how many complete readings of everything in a row a record was absent, and which was the last. What is seen again
-- is forgotten here.
create table staging.absences (
    module    text not null,
    source_id text not null,
    passes    integer not null default 1,
    pass_id   bigint not null,
    primary key (source_id, module)
);
