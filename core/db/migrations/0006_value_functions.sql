-- compatible_from: 1
--
-- What an operation on money locks and books, row by row: each look-up names its row, and so one
-- partition. Joins with the list of what is wanted went wrong in two ways. By one plan they read every
-- wallet there is. By another, a row that somebody changed meanwhile was not found any more, because the
-- list had been grouped and the changed row could not be checked against it: whoever had money was refused
-- for want of it.
--
-- Generic plans, because planning a look-up in 16 partitions takes longer than the look-up: 103 µs for two
-- players and wallets in place of 169, and 96 in place of 184 for booking them.

-- Balances in the order given, null where there is no such wallet; all callers give one order. Players
-- and items are those that there are. The lock on a player keeps the account from being deleted meanwhile.
--
-- A wallet that is not there can't be locked, and of two operations that make two of them in different
-- orders each would wait for the other (that ended 5 of 40 groups, two at a time, which made the same 20). So whoever may make one
-- takes its player, against others who do and not against those who only keep the account, and looks again.
-- That comes after the wallets that are there, because looking for the others before all locks would cost every
-- operation two look-ups more. What is left is a wallet that a third one makes just then: PostgreSQL ends the
-- wait of one of them, which is asked for again.
create function lock_touched(
  in wanted_players uuid[], in wallet_players uuid[], in wallet_currencies text[], in wanted_items text[],
  out players uuid[], out balances bigint[],
  out items text[], out item_kinds text[], out item_owners uuid[]
) language plpgsql set plan_cache_mode = force_generic_plan as $$
declare
  found_balance bigint;
  found_item record;
begin
  players := '{}';
  balances := '{}';
  items := '{}';
  item_kinds := '{}';
  item_owners := '{}';
  for i in 1 .. cardinality(wanted_players) loop
    perform from meridian.players where id = wanted_players[i] for key share;
    if found then players := players || wanted_players[i]; end if;
  end loop;
  for i in 1 .. cardinality(wallet_players) loop
    select w.balance into found_balance from meridian.wallets w
    where w.player_id = wallet_players[i] and w.currency = wallet_currencies[i] for update;
    balances := balances || found_balance;
  end loop;
  for i in 1 .. cardinality(wallet_players) loop
    continue when balances[i] is not null;
    perform from meridian.players where id = wallet_players[i] for no key update;
    select w.balance into found_balance from meridian.wallets w
    where w.player_id = wallet_players[i] and w.currency = wallet_currencies[i] for update;
    balances[i] := found_balance;
  end loop;
  for i in 1 .. cardinality(wanted_items) loop
    select item.kind, item.owner_id into found_item from meridian.items item
    where item.item_id = wanted_items[i] for update;
    continue when not found;
    items := items || wanted_items[i];
    item_kinds := item_kinds || found_item.kind;
    item_owners := item_owners || found_item.owner_id;
  end loop;
end
$$;

-- Balances after it, in the order given. Amounts are differences: two operations that make the same
-- wallet at once both count. The nil UUID is the games' side, which has no wallet.
create function book(
  booked_by text, booked_at timestamptz, entry_players uuid[], currencies text[], amounts bigint[]
) returns bigint[] language plpgsql set plan_cache_mode = force_generic_plan as $$
declare
  balances bigint[] := '{}';
  new_balance bigint;
begin
  insert into meridian.ledger (player_id, currency, amount, op_id, booked_at)
  select player_id, currency, amount, booked_by, booked_at
  from unnest(entry_players, currencies, amounts) as entries (player_id, currency, amount);
  for i in 1 .. cardinality(entry_players) loop
    continue when entry_players[i] = '00000000-0000-0000-0000-000000000000';
    update meridian.wallets w set balance = w.balance + amounts[i]
    where w.player_id = entry_players[i] and w.currency = currencies[i]
    returning w.balance into new_balance;
    if not found then
      insert into meridian.wallets as w (player_id, currency, balance)
      values (entry_players[i], currencies[i], amounts[i])
      on conflict (player_id, currency) do update set balance = w.balance + excluded.balance
      returning w.balance into new_balance;
    end if;
    balances := balances || new_balance;
  end loop;
  return balances;
end
$$;
