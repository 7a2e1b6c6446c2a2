-- compatible_from: 1
--
-- Players' state (class B): who owns a player, the documents, how far each outbox was applied, and the
-- changes that were refused.

create table player_owners (
  player_id uuid not null primary key,
  -- The newest that was granted, or that a change proved to have been granted.
  epoch_term bigint not null,
  epoch_n bigint not null,
  standing text not null check (standing in ('held', 'freed', 'released')),
  -- Null when it was granted by a core of which this database knows nothing.
  load_id text,
  session_term bigint not null,
  session_n bigint not null,
  node_id text not null,
  region_id text not null,
  updated_at timestamptz not null
) partition by hash (player_id);

create table player_documents (
  player_id uuid not null,
  collection text collate "C" not null,
  format integer not null,
  version bigint not null,
  fields jsonb not null,
  updated_at timestamptz not null,
  primary key (player_id, collection)
) partition by hash (player_id);

-- Pages keep room for the next version of their rows, which then needs no new entry in an index.
do $$
begin
  for part in 0..15 loop
    execute format('create table player_owners_%s partition of player_owners for values with (modulus 16, remainder %s) with (fillfactor = 70)', part, part);
    execute format('create table player_documents_%s partition of player_documents for values with (modulus 16, remainder %s) with (fillfactor = 70)', part, part);
  end loop;
end
$$;
-- For a node that is gone, or a region that is fenced.
create index player_owners_held on player_owners (region_id, node_id) where standing = 'held';

create table producers (
  producer_id text primary key,
  -- The id is `outbox/incarnation`.
  outbox text collate "C" not null generated always as (regexp_replace(producer_id, '/[0-9]+$', '')) stored,
  incarnation integer not null
    generated always as (substring(producer_id from '[0-9]+$')::integer) stored,
  region_id text not null,
  last_seq bigint not null,
  closed_at timestamptz,
  updated_at timestamptz not null
) with (fillfactor = 50);
create index producers_outbox on producers (outbox, incarnation);
create index producers_closed on producers (closed_at) where closed_at is not null;

create table refused_changes (
  id bigint generated always as identity primary key,
  producer_id text not null,
  to_seq bigint not null,
  player_id uuid not null,
  collection text not null,
  item jsonb not null,
  reason text not null,
  refused_at timestamptz not null,
  resolved_at timestamptz,
  resolved_by text,
  resolution text check (resolution in ('applied', 'dropped')),
  check ((resolved_at is null) = (resolution is null))
);
create index refused_changes_player on refused_changes (player_id);
create index refused_changes_open on refused_changes (id) where resolved_at is null;
create index refused_changes_resolved on refused_changes (resolved_at) where resolved_at is not null;

-- A trigger and no foreign keys: a batch then need not look at the players' rows. It holds the owners' rows,
-- which are deleted first here, so that a batch under way is waited for and its documents are found.
create function forget_state() returns trigger
language plpgsql security definer set search_path = meridian, pg_temp as $$
begin
  delete from player_owners where player_id = old.id;
  delete from player_documents where player_id = old.id;
  delete from refused_changes where player_id = old.id;
  return old;
end
$$;
create trigger players_forget_state before delete on players
  for each row execute function forget_state();

-- Rows of players go by the trigger alone.
grant select, insert, update on player_owners, player_documents to meridian_core;
grant select, insert, update, delete on producers, refused_changes to meridian_core;
