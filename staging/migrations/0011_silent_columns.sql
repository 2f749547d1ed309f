-- The columns of which a record spoke once and speaks no more. Their values stay; the guard counts a record when it falls silent,
-- and not again at each later change of it.
alter table prod.identities add column silent jsonb not null default '[]';
