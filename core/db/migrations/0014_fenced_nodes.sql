-- compatible_from: 1
--
-- Nodes whose life the core ended: their rooms are others' or gone, and nothing that they ask for counts. A
-- binary that does not know of them grants rooms to such a node again once it has started anew: fail over only
-- when no such binary serves.

create table fenced_nodes (
  node_id text primary key,
  region_id text not null,
  fenced_at timestamptz not null,
  because text not null
);

-- Old rows are deleted, the oldest first.
create index fenced_nodes_fenced_at on fenced_nodes (fenced_at);

-- What a core that has just started finds on its way to a next owner.
create index rooms_released on rooms (node_id) where released_at is not null;

grant select, insert, delete on fenced_nodes to meridian_core;
