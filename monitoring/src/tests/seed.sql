-- One module in each status, all invented. Ages lie half a unit off the borders, so that a slow test reads the same.
insert into ops.runs (module, source, mode, state, cause, holder, started_at, finished_at, complete, total_count, pages,
    fetched, new, changed, unchanged, superseded, claimed, promoted, same, quarantined, parked, in_review)
select module, 'gazelle', 'full', state, cause, 'host:1', now() - began,
    case when state <> 'RUNNING' then now() - began + took end, complete, 10, 2,
    10, 4, 3, 2, 1, claimed, 5, 0, quarantined, parked, 0
from (values
    ('users', 'FAILED', 'The source answered 500 three times. Try again later.', interval '90 hours 40 minutes', interval '20 seconds', false, 5, 0, 0),
    ('users', 'OK', null, interval '26 hours 40 minutes', interval '60 seconds', true, 5, 0, 0),
    ('users', 'OK', null, interval '2 hours 40 minutes', interval '61 seconds', true, 5, 0, 0),
    ('clients', 'OK_Q', 'Three records were set aside.', interval '3 hours 40 minutes', interval '5 seconds', true, 8, 2, 1),
    ('pianos', 'OK', null, interval '20 hours 40 minutes', interval '5 seconds', true, 5, 0, 0),
    ('pianos', 'FAILED', 'First of two.', interval '9 hours 40 minutes', interval '5 seconds', false, 5, 0, 0),
    ('pianos', 'FAILED', E'<script>alert("1")</script> & \u202Eevil\nSecond line. Mend it.', interval '4 hours 40 minutes', interval '5 seconds', false, 5, 0, 0),
    ('timeline', 'OK', null, interval '10 hours 40 minutes', interval '2 hours', true, 5, 0, 0),
    ('timeline', 'RUNNING', null, interval '5 minutes 30 seconds', null, false, 0, 0, 0),
    ('measurements', 'RUNNING', null, interval '15 minutes 30 seconds', null, false, 0, 0, 0),
    ('appointments', 'BLOCKED', '312 deletions are more than 5 % of 4,000. Approve or reject them.', interval '1 hour 40 minutes', interval '5 seconds', true, 5, 0, 0),
    ('invoices', 'OK', null, interval '72 hours 40 minutes', interval '5 seconds', true, 5, 0, 0),
    ('estimates', 'PARTIAL', 'Page 7 could not be read.', interval '6 hours 40 minutes', interval '5 seconds', false, 5, 0, 0),
    ('contacts', 'WAITING', 'The source allows the next request at 14:02.', interval '30 minutes 30 seconds', interval '5 seconds', false, 5, 0, 0),
    ('photos', 'CANCELLED', 'Stopped by hand.', interval '7 hours 40 minutes', interval '5 seconds', false, 5, 0, 0),
    ('quotes', 'OK', null, interval '8 hours 40 minutes', interval '5 seconds', true, 7, 0, 0)
) as run (module, state, cause, began, took, complete, claimed, quarantined, parked);

insert into ops.leases (module, token, holder, taken_at, expires_at) values
    ('timeline', 1, 'host:1', clock_timestamp(), clock_timestamp() + interval '1 hour'),
    ('measurements', 1, 'host:1', clock_timestamp(), clock_timestamp() - interval '10 minutes 30 seconds');

insert into ops.run_steps (run_id, step, state, detail)
select run_id, 'stage', 'RUNNING', 'page 2' from ops.runs where module = 'timeline' and state = 'RUNNING';
insert into staging.passes (module, strategy) values ('timeline', 'full');
insert into staging.pages (pass_id, page, module, source_ids, fetched, new, changed, unchanged, superseded)
select pass_id, page, 'timeline', '{}', 100, 100, 0, 0, 0 from staging.passes, generate_series(1, 2) as page;

insert into ops.problems (kind, module, source_id, code, why, state, first_seen) values
    ('quarantine', 'clients', 'a', 'email_invalid', 'No.', 'open', clock_timestamp() - interval '5 hours 40 minutes'),
    ('quarantine', 'clients', 'b', 'email_invalid', 'No.', 'open', clock_timestamp() - interval '1 hour'),
    ('quarantine', 'clients', 'c', 'email_invalid', 'No.', 'resolved', clock_timestamp() - interval '9 days'),
    ('parking', 'clients', 'd', 'parent_missing', 'No.', 'open', clock_timestamp()),
    ('conflict', 'clients', 'e', 'both_changed', 'No.', 'open', clock_timestamp()),
    ('task', 'users', 'f', 'placeholder', 'No.', 'open', clock_timestamp()),
    ('approval', 'appointments', 'g', 'too_many_deletions', 'No.', 'open', clock_timestamp() - interval '1 hour 40 minutes'),
    ('quarantine', 'of_another_house', 'h', 'email_invalid', 'No.', 'open', clock_timestamp());

insert into staging.pending (module, source_id, origin)
select 'clients', 'cli_' || number, 'clients' from generate_series(1, 1234) as number;

create table prod.clients (id text primary key, deleted_at timestamptz);
insert into prod.clients select number::text from generate_series(1, 4321) as number;
update prod.clients set deleted_at = now() where id::int <= 21;

-- A key that will end, of which there is much time to warn; a field that came and that no module uses.
insert into ops.sources (source, standing) values ('gazelle', jsonb_build_object(
    'credentials_end', '2301-02-03T04:05:06Z', 'credentials_warning', clock_timestamp() - interval '8 days'));
insert into ops.shapes (module, fingerprint, shape, grown)
values ('clients', 'x', '{}', '{"new field `shoeSize`, not mapped"}');
