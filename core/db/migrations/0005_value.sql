-- compatible_from: 1
--
-- What is worth money: operations, a double-entry ledger with wallets, items with one owner.

-- Numbers a room's operations in the order of their commits. Whoever raises it holds the room's row, so a
-- claim of the room waits for the operation, and the operation for the claim: neither misses the other.
alter table rooms add column op_seq bigint not null default 0;

-- One row for each operation that was decided, for good. Its id is global: whoever sends it again, from
-- whichever room, gets what was decided the first time.
create table ops (
  op_id text primary key,
  body jsonb not null,
  -- Null when it was committed.
  refusal text,
  room_id text not null,
  op_seq bigint not null,
  decided_at timestamptz not null,
  unique (room_id, op_seq)
);

create table wallets (
  player_id uuid not null,
  currency text not null,
  balance bigint not null check (balance >= 0),
  primary key (player_id, currency)
) partition by hash (player_id);

-- Each operation's amounts sum to zero by currency. The nil UUID is the games' side of it.
create table ledger (
  player_id uuid not null,
  currency text not null,
  amount bigint not null check (amount <> 0),
  op_id text not null,
  booked_at timestamptz not null
) partition by hash (player_id);

do $$
begin
  for part in 0..15 loop
    execute format('create table wallets_%s partition of wallets for values with (modulus 16, remainder %s)', part, part);
    execute format('create table ledger_%s partition of ledger for values with (modulus 16, remainder %s)', part, part);
  end loop;
end
$$;
create index ledger_player on ledger (player_id, currency);

create table items (
  item_id text primary key,
  kind text not null,
  owner_id uuid not null,
  changed_by text not null
);
create index items_owner on items (owner_id);

-- Whichever way a player's row goes, the ledger still sums to zero, and no item is nobody's.
create function book_out() returns trigger language plpgsql set search_path = meridian as $$
begin
  insert into ledger (player_id, currency, amount, op_id, booked_at)
  select side.player_id, w.currency, side.amount, 'account-deleted/' || old.id, now()
  from wallets w,
    lateral (values (old.id, -w.balance),
                    ('00000000-0000-0000-0000-000000000000'::uuid, w.balance)) side (player_id, amount)
  where w.player_id = old.id and w.balance > 0;
  delete from wallets where player_id = old.id;
  delete from items where owner_id = old.id;
  return old;
end
$$;
create trigger players_book_out before delete on players for each row execute function book_out();

grant select, insert, update, delete on wallets, items to meridian_core;
grant select, insert on ops, ledger to meridian_core;
