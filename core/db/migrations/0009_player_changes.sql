-- compatible_from: 1
--
-- Who was made, renamed or deleted of late: every core process reads it to know which profiles changed and
-- which ids exist. Rows are kept for an hour (housekeeping).

-- `xid` is what makes a reader miss nothing: a transaction that commits late can't hide behind one that
-- began after it, because readers ask again for everything from the oldest transaction that was open.
-- Names are not here: they are in the player's row, and go with it.
create table player_changes (
  xid xid8 not null default pg_current_xact_id(),
  player_id uuid not null,
  made boolean not null,
  changed_at timestamptz not null default now(),
  primary key (xid, player_id)
);

create function note_player_change() returns trigger language plpgsql set search_path = meridian as $$
begin
  insert into player_changes (player_id, made)
  values (case tg_op when 'DELETE' then old.id else new.id end, tg_op = 'INSERT')
  -- One transaction made the player and named it: nobody has seen it otherwise.
  on conflict do nothing;
  return null;
end
$$;
-- Whichever way a player's row comes, changes or goes. But what housekeeping deletes by the thousands, guests of
-- stock clients whose last session was a week ago, would push everything else out of the regions' feed.
create trigger players_made after insert on players
  for each row execute function note_player_change();
create trigger players_gone after delete on players
  for each row when (not old.ephemeral or old.created_at > now() - interval '7 days')
  execute function note_player_change();
create trigger players_renamed after update of name on players
  for each row when (old.name is distinct from new.name) execute function note_player_change();

-- Names are not unique. Players that were made for one session of a stock client are not found by name.
create index players_name on players (name, id) where not ephemeral;

grant select, insert, delete on player_changes to meridian_core;
