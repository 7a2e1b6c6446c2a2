-- compatible_from: 1
--
-- Every claim that was granted, with its whole body, for as long as its room's row is kept: so that a
-- claim sent again gets its first answer and never another room, nor one that has ended since.

create table claims (
  claim_id text primary key,
  room_id text not null references rooms (room_id) on delete cascade,
  game text not null,
  node_id text not null
);
create index claims_room on claims (room_id);

insert into claims (claim_id, room_id, game, node_id)
  select claim_id, room_id, game, node_id from rooms
  on conflict do nothing;

grant select, insert on claims to meridian_core;
