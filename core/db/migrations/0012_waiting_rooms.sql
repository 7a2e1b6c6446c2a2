-- compatible_from: 1
--
-- For which regions players waited, and when last: what a core knows of the queue when it starts and its Redis
-- can't be trusted. One row a region, whatever the number of players.

create table waiting_rooms (
  region_id text primary key,
  waited_at timestamptz not null
);

grant select, insert, update on waiting_rooms to meridian_core;
