-- compatible_from: 1
--
-- E-mail addresses with passwords, identities of studios, bans, and sessions that are to be ended.

alter table players
  add column banned_at timestamptz,
  -- Null in a banned player's row: the ban does not end by itself.
  add column ban_ends_at timestamptz,
  add column ban_reason text check (length(ban_reason) between 1 and 200),
  add constraint players_ban check ((banned_at is null) = (ban_reason is null));

-- The fence of a ban, in the row that every join writes: whichever of the two comes first, the other
-- sees it.
alter table sessions add column closed_until timestamptz;

create table emails (
  player_id uuid primary key references players (id) on delete cascade,
  -- Normalised: see EmailAddress in shared/protocol/emails.ts.
  address text not null unique check (length(address) between 3 and 254),
  password_hash text not null,
  created_at timestamptz not null,
  password_changed_at timestamptz not null
);

create table password_resets (
  token_hash bytea primary key,
  player_id uuid not null references emails (player_id) on delete cascade,
  expires_at timestamptz not null
);
create index password_resets_player on password_resets (player_id);
create index password_resets_expiry on password_resets (expires_at);

-- Networks from which an account logged in; only a MAC of the address prefix is kept.
create table known_prefixes (
  player_id uuid not null references players (id) on delete cascade,
  prefix_mac bytea not null,
  seen_at timestamptz not null,
  primary key (player_id, prefix_mac)
);

-- Accounts whose log-in is a studio's own.
create table identities (
  issuer text not null,
  subject text not null,
  player_id uuid not null references players (id) on delete cascade,
  created_at timestamptz not null,
  primary key (issuer, subject)
);
create index identities_player on identities (player_id);

-- Sessions that their node has still to be told to end. No reference to players: the account may be
-- gone by then.
create table evictions (
  session_id text primary key,
  node_id text not null,
  room_id text not null,
  kind text not null,
  tries integer not null default 0,
  created_at timestamptz not null
);

-- Bans that outlive a deleted account, under a MAC of its address or identity.
create table barred_identities (
  identity_mac bytea primary key,
  ban_reason text not null,
  ban_ends_at timestamptz
);

-- What operators did to a player is part of the player's own data.
create index audit_log_subject on audit_log (subject);

grant select, insert, update, delete on
  emails, password_resets, known_prefixes, identities, evictions, barred_identities
  to meridian_core;
