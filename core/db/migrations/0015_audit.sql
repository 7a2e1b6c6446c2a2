-- compatible_from: 1
--
-- The audit log as a chain: each row holds SHA-256 over its content and the hash of the row before it. Whoever
-- changes, takes out or puts in a row has to make all later ones anew, and then the last hash is another one than
-- the core has logged. The database makes the chain itself, also of what a binary writes that does not know of it.

alter table audit_log
  -- Nobody, where a call came without a token that is known.
  alter column operator_id drop not null,
  -- `begun`: written before it was done, as all rows of before were.
  add column outcome text not null default 'begun' check (outcome in ('begun', 'done', 'failed', 'refused')),
  -- Of one that failed or was refused.
  add column reason text,
  add column dry_run boolean not null default false,
  -- 1 is the first; none is left out.
  add column place bigint unique,
  add column previous_hash bytea,
  add column hash bytea;

-- What is hashed of a row: all of it but the hashes.
create function audit_content(entry audit_log) returns text
language sql stable set search_path = meridian as $$
  select jsonb_build_object(
    'place', entry.place,
    'atMicros', (extract(epoch from entry.at) * 1000000)::bigint,
    'operatorId', entry.operator_id,
    'operator', entry.operator_name,
    'action', entry.action,
    'subject', entry.subject,
    'details', entry.details,
    'dryRun', entry.dry_run,
    'outcome', entry.outcome,
    'reason', entry.reason
  )::text
$$;

-- One row at a time, until its transaction ends: write it last there. What the writer says of place and hashes
-- does not count.
create function audit_chain() returns trigger language plpgsql set search_path = meridian as $$
declare
  last record;
begin
  perform pg_advisory_xact_lock(7300003);
  select place, hash into last from audit_log where place is not null order by place desc limit 1;
  new.place := coalesce(last.place, 0) + 1;
  new.previous_hash := coalesce(last.hash, decode(repeat('00', 32), 'hex'));
  new.hash := sha256(new.previous_hash || convert_to(audit_content(new), 'UTF8'));
  return new;
end
$$;

do $$
declare
  entry audit_log;
  last_place bigint := 0;
  last_hash bytea := decode(repeat('00', 32), 'hex');
begin
  for entry in select * from audit_log order by id loop
    last_place := last_place + 1;
    entry.place := last_place;
    entry.previous_hash := last_hash;
    last_hash := sha256(last_hash || convert_to(audit_content(entry), 'UTF8'));
    update audit_log set place = last_place, previous_hash = entry.previous_hash, hash = last_hash
    where id = entry.id;
  end loop;
end
$$;

alter table audit_log
  alter column place set not null,
  alter column previous_hash set not null,
  alter column hash set not null;

create trigger audit_log_chain before insert on audit_log for each row execute function audit_chain();
