-- compatible_from: 1
--
-- Which of the core's processes leads (docs/adr/0009-one-leader.md). A lease bounds how long a lost leader
-- misleads others; what keeps it from deciding is `require_leader`, which each of its transactions calls before it
-- commits. A binary that does not know of this leads without asking: end the last one before the first that knows.

create table leader (
  one boolean primary key default true check (one),
  -- The core's name; empty before the first.
  holder text not null,
  -- One more for each that came to lead.
  term bigint not null check (term >= 0),
  -- The `core_term` under which it leads; once that is raised it commits nothing more.
  core_term bigint not null,
  taken_at timestamptz not null,
  expires_at timestamptz not null
);
insert into leader (holder, term, core_term, taken_at, expires_at) values ('', 0, 0, '-infinity', '-infinity');

-- The last statement of a transaction of that leader. From then on until its end nobody else comes to lead.
create function require_leader(own_term bigint, own_core_term bigint) returns void
language plpgsql as $$
begin
  perform pg_advisory_xact_lock_shared(7300007);
  -- A statement of its own: it sees what was committed while the lock was waited for.
  perform from meridian.leader l join meridian.core_term c on c.term = l.core_term
  where l.term = own_term and l.core_term = own_core_term;
  if not found then
    raise exception 'this core does not lead' using errcode = 'MR001';
  end if;
end
$$;

grant select, update on leader to meridian_core;
