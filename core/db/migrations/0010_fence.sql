-- compatible_from: 1
--
-- A region can be fenced: its rooms have ended, and its nodes take none. A binary that does not know that
-- sends no players there, but grants rooms to its nodes: fence only once no such binary serves.

alter table regions drop constraint regions_wanted_check;
alter table regions add constraint regions_wanted_check
  check (wanted in ('active', 'draining', 'fenced'));

-- A fence finds the rooms of its region among all that ever were.
create index rooms_region on rooms (region_id) where ended_at is null;
