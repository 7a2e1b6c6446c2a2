-- compatible_from: 1
--
-- Operations without a room (purchases), what the reconciler needs, and purchases themselves.

alter table ops
  alter column room_id drop not null,
  alter column op_seq drop not null,
  add constraint ops_place check (room_id is not null or op_seq is null),
  -- Given after the rows that the operation touches are locked, and those of all that share its
  -- transaction: of two that name one item the later has the higher number, which clocks can't promise.
  add column n bigint generated always as identity;
create index ops_decided on ops (decided_at);
create index ledger_booked on ledger (booked_at);

-- How far the reconciler has come; the one row is made at its first round.
create table reconciliation (
  one boolean primary key default true check (one),
  -- Operations that were booked before are looked at.
  booked_to timestamptz not null,
  -- The last player and the last item that were looked at in this turn.
  player_id uuid not null,
  item_id text not null
);

-- The whole ledger is summed up one partition a statement.
do $$
begin
  for part in 0..15 loop
    execute format('grant select on ledger_%s to meridian_core', part);
  end loop;
end
$$;

-- Each transaction of a store that was granted, for good. No reference to players: when the account is
-- gone, its receipts still are used.
create table purchases (
  store text not null,
  transaction_id text not null,
  product_id text not null,
  player_id uuid not null,
  op_id text not null,
  granted_at timestamptz not null,
  primary key (store, transaction_id)
);
create index purchases_player on purchases (player_id);

grant select, insert on purchases to meridian_core;
grant select, insert, update on reconciliation to meridian_core;
