/**
 * The login that a core works with: a member of `meridian_core`, and owner of nothing.
 *
 * A session that logs in as the owner and only works under another role gets the owner's rights back with
 * `set role none`, whoever slips that statement in. A login of its own has nothing to go back to.
 */
import pg from "pg";

export interface WorkingLogin {
  readonly name: string;
  readonly password: string;
}

/**
 * Makes the login, or gives it this password. Its role is the one that migration 0001 makes; whichever
 * comes first.
 * @param owner connected as a user that may create roles
 */
export async function ensureWorkingLogin(
  owner: pg.Client,
  { name, password }: WorkingLogin,
): Promise<void> {
  await owner.query(`
    do $$ begin
      create role meridian_core nologin;
    exception when duplicate_object or unique_violation then null;
    end $$`);
  const login = pg.escapeIdentifier(name);
  const { rowCount } = await owner.query("select from pg_roles where rolname = $1", [name]);
  if (rowCount === 0) await owner.query(`create role ${login} in role meridian_core`);
  await owner.query(`alter role ${login} login password ${pg.escapeLiteral(password)}`);
}

/** The same database, entered with that login. */
export function urlOfLogin(ownerUrl: string, { name, password }: WorkingLogin): string {
  return Object.assign(new URL(ownerUrl), { username: name, password }).href;
}
