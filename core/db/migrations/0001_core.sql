-- compatible_from: 1
--
-- Accounts, signing keys, epochs, rooms, sessions, operators. The core itself works as the role
-- meridian_core, which can change rows but no table, and can only add to the audit log.

do $$
begin
  create role meridian_core nologin;
exception
  -- Roles belong to the cluster: another database of it made this one already, perhaps just now.
  when duplicate_object or unique_violation then null;
end
$$;

do $$
begin
  if not pg_has_role(current_user, 'meridian_core', 'set') then
    execute format('grant meridian_core to %I', current_user);
  end if;
end
$$;

create table core_term (
  one boolean primary key default true check (one),
  term bigint not null check (term >= 1)
);
insert into core_term (term) values (1);

create table players (
  id uuid primary key,
  name text not null check (length(name) between 1 and 24),
  -- Made on the fly for a stock client without a token: nobody can log in as it again.
  ephemeral boolean not null,
  created_at timestamptz not null
);
create index players_ephemeral on players (created_at) where ephemeral;

create table guest_secrets (
  secret_hash bytea primary key,
  player_id uuid not null unique references players (id) on delete cascade
);

create table refresh_tokens (
  token_hash bytea primary key,
  family uuid not null,
  player_id uuid not null references players (id) on delete cascade,
  device text not null,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  -- When its successor was handed out, and which that is.
  used_at timestamptz,
  successor_hash bytea,
  revoked_at timestamptz
);
create index refresh_tokens_family on refresh_tokens (family);
create index refresh_tokens_player on refresh_tokens (player_id);
create index refresh_tokens_expiry on refresh_tokens (expires_at);

create table signing_keys (
  kid text primary key,
  public_jwk jsonb not null,
  -- The private JWK, sealed with AES-256-GCM under a key derived from MASTER_KEY.
  private_sealed bytea not null,
  created_at timestamptz not null
);

create table regions (
  region_id text primary key,
  epoch_term bigint not null,
  epoch_n bigint not null,
  wanted text not null default 'active' check (wanted in ('active', 'draining'))
);

create table rooms (
  room_id text primary key,
  game text not null,
  region_id text not null,
  node_id text not null,
  epoch_term bigint not null,
  epoch_n bigint not null,
  claim_id text not null,
  claimed_at timestamptz not null,
  ended_at timestamptz
);
create index rooms_node on rooms (node_id) where ended_at is null;
create index rooms_ended on rooms (ended_at) where ended_at is not null;

create table sessions (
  player_id uuid primary key references players (id) on delete cascade,
  -- The newest epoch that was granted, also to a join that then found no seat.
  epoch_term bigint not null,
  epoch_n bigint not null,
  -- The newest session that got a seat, and where.
  placed_term bigint not null default 0,
  placed_n bigint not null default 0,
  region_id text,
  node_id text,
  room_id text,
  session_id text,
  game text,
  updated_at timestamptz not null
);

create table operator_tokens (
  id uuid primary key,
  token_hash bytea not null unique,
  name text not null,
  role text not null check (role in ('viewer', 'operator', 'admin')),
  created_at timestamptz not null,
  revoked_at timestamptz
);

create table audit_log (
  id bigint generated always as identity primary key,
  at timestamptz not null,
  operator_id uuid not null,
  operator_name text not null,
  action text not null,
  subject text not null,
  details jsonb not null
);

grant usage on schema meridian to meridian_core;
grant select on schema_migrations, core_term to meridian_core;
grant select, insert, update, delete on
  players, guest_secrets, refresh_tokens, signing_keys, regions, rooms, sessions, operator_tokens
  to meridian_core;
grant select, insert on audit_log to meridian_core;
