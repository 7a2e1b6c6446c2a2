-- compatible_from: 1
--
-- How many players one node of a region takes, as a load test found it. Rows are kept: the newest measurement of a
-- build counts for it. A binary that does not know of them admits as many as the nodes themselves say.

create table capacity_limits (
  id bigint generated always as identity primary key,
  region_id text not null,
  players_per_node integer not null check (players_per_node > 0),
  build text not null,
  measured_at timestamptz not null,
  hardware text not null,
  service_level text not null,
  evidence text,
  stored_at timestamptz not null,
  stored_by text not null
);

create index capacity_limits_region on capacity_limits (region_id, measured_at desc, id desc);

grant select, insert on capacity_limits to meridian_core;
