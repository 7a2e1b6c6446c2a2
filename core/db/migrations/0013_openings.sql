-- compatible_from: 1
--
-- Openings of regions: nobody is let in before, and then all who are there in an order that is drawn from the seed.
-- A binary that does not know of them lets players in before: schedule one only once no such binary serves.

create table openings (
  region_id text not null,
  scheduled_at timestamptz not null,
  opens_at timestamptz not null,
  -- Under the master key: whoever knew it before the opening could try players until one draws well.
  seed_sealed bytea not null,
  commitment bytea not null,
  primary key (region_id, scheduled_at)
);

grant select, insert, update, delete on openings to meridian_core;
