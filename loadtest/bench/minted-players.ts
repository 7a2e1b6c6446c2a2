/**
 * Players with an account and an access token, made in bulk: rows in the core's database, and tokens signed with
 * the core's own key, as if each had logged in a while ago.
 */
import { createPrivateKey, type KeyObject, randomBytes, randomUUID, sign } from "node:crypto";
import pg from "pg";
import { Vault } from "../../core/tickets/master-key.ts";
import { ACCESS_TYP, TOKEN_ALG, TOKEN_ISSUER } from "../../shared/protocol/ticket.ts";

const TTL_S = 3_600;
const BATCH = 10_000;

export interface MintedPlayer {
  readonly playerId: string;
  readonly accessToken: string;
}

export class PlayerMint {
  readonly #client: pg.Client;
  readonly #key: KeyObject;
  readonly #header: string;

  private constructor(client: pg.Client, kid: string, key: KeyObject) {
    this.#client = client;
    this.#key = key;
    this.#header = encoded({ alg: TOKEN_ALG, typ: ACCESS_TYP, kid });
  }

  /**
   * @param databaseUrl of the schema's owner
   * @param masterKey of the core, which must have started once
   */
  static async open(databaseUrl: string, masterKey: Buffer): Promise<PlayerMint> {
    const client = new pg.Client({
      connectionString: databaseUrl,
      options: "-c search_path=meridian",
    });
    // Whoever asks next is told.
    client.on("error", () => {});
    await client.connect();
    const { rows } = await client.query<{ kid: string; private_sealed: Buffer }>(
      "select kid, private_sealed from signing_keys order by created_at desc, kid desc limit 1",
    );
    const [row] = rows;
    const jwk = row && new Vault(masterKey, randomBytes).open(row.private_sealed, row.kid);
    if (!row || jwk === undefined) throw new Error("the core's signing key can't be read");
    const key = createPrivateKey({ key: JSON.parse(jwk), format: "jwk" });
    return new PlayerMint(client, row.kid, key);
  }

  async make(count: number): Promise<MintedPlayer[]> {
    const players: MintedPlayer[] = [];
    for (let made = 0; made < count; made += BATCH) {
      const ids = Array.from({ length: Math.min(BATCH, count - made) }, () => randomUUID());
      await this.#client.query(
        `insert into players (id, name, ephemeral, created_at)
         select id, 'Ada', false, now() from unnest($1::uuid[]) id`,
        [ids],
      );
      for (const playerId of ids) players.push({ playerId, accessToken: this.#sign(playerId) });
    }
    // As the server does by itself after a while: it would fall into the measuring.
    await this.#client.query("analyze players");
    return players;
  }

  async close(): Promise<void> {
    await this.#client.end();
  }

  #sign(sub: string): string {
    const iat = Math.floor(Date.now() / 1_000);
    const claims = { sub, iss: TOKEN_ISSUER, iat, exp: iat + TTL_S };
    const signed = `${this.#header}.${encoded(claims)}`;
    return `${signed}.${sign(null, Buffer.from(signed), this.#key).toString("base64url")}`;
  }
}

function encoded(part: unknown): string {
  return Buffer.from(JSON.stringify(part)).toString("base64url");
}
