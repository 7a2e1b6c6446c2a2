-- compatible_from: 1
-- small: core_term
--
-- Where the database goes on. Each promotion of a standby and each restore to a point in time begins a new timeline,
-- and a dump that is read elsewhere is in another system. Whoever finds another lineage than the one beside
-- the term raises the term, before anything is granted under the former one again. A binary that does not know of
-- this relies on whoever promotes or restores to raise it.

alter table core_term add column lineage text;

-- An error on a standby, where nobody may grant anything.
create function lineage() returns text
language sql volatile set search_path = pg_catalog as $$
  select system_identifier::text || '/' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)
  from pg_control_system()
$$;

update core_term set lineage = lineage();

-- Each core calls it on each new connection: none of a former primary outlives it, so nothing is done on another
-- timeline before the term has risen. Costs a look at one row when nothing has changed.
create function follow_lineage(out lineage text, out before bigint, out term bigint)
language plpgsql security definer set search_path = meridian, pg_temp as $$
declare
  was text;
begin
  lineage := meridian.lineage();
  select c.lineage, c.term, c.term into was, before, term from core_term c;
  if was = lineage then
    return;
  end if;
  -- Another may do the same at this moment: it is waited for, and then there is nothing left to do.
  update core_term c
  set term = greatest(c.term + 1, extract(epoch from clock_timestamp())::bigint),
      lineage = follow_lineage.lineage
  where c.lineage is distinct from follow_lineage.lineage
  returning c.term into term;
  if not found then
    select c.term into term from core_term c;
  end if;
end
$$;

revoke execute on function follow_lineage() from public;
grant execute on function follow_lineage() to meridian_core;
