/** A player's own data: `POST /v1/me/export`, `POST /v1/me/delete`; `POST /v1/tokens/exchange`. */
import { z } from "zod";
import { PlayerId } from "../ids.ts";
import { Device } from "./device.ts";
import { OwnerProof, Password } from "./emails.ts";
import { StateChange, StoredDocument } from "./player-state.ts";
import { Possessions } from "./value.ts";

/** A JWT of an issuer that the core trusts. */
const IdentityToken = z.string().min(1).max(8_192);

/** `POST /v1/tokens/exchange`: logs in whom the studio's own token names. */
export const ExchangeRequest = z.object({ token: IdentityToken, device: Device });
export type ExchangeRequest = z.input<typeof ExchangeRequest>;

/** Who holds an access token shows once more who they are, in the way in which they log in. */
export const Proof = z.union([z.object({ password: Password }), ...OwnerProof.options]);
export type Proof = z.input<typeof Proof>;

export const ProofRequest = z.object({ proof: Proof });

const time = z.string().describe("ISO 8601");

/** All that is stored of a player. Hashes of secrets are left out: they say nothing of a person. */
export const AccountData = z.object({
  playerId: PlayerId,
  name: z.string(),
  createdAt: time,
  email: z.object({ address: z.string(), since: time, passwordChangedAt: time }).nullable(),
  identities: z.array(z.object({ issuer: z.string(), subject: z.string(), since: time })),
  guestSecret: z.boolean().describe("Whether a guest's secret opens the account."),
  admissionClass: z
    .string()
    .nullable()
    .describe("In which the player waits, if operators said so."),
  knownNetworks: z.array(time).describe("When each remembered network was last seen."),
  logIns: z.array(
    z.object({ device: z.string(), lastRefreshedAt: time, expiresAt: time, ended: z.boolean() }),
  ),
  session: z
    .object({
      regionId: z.string().nullable(),
      roomId: z.string().nullable(),
      game: z.string().nullable(),
      updatedAt: time,
    })
    .nullable(),
  ban: z.object({ since: time, endsAt: time.nullable(), reason: z.string() }).nullable(),
  possessions: Possessions,
  /** What games keep of the player, such as statistics and quests. */
  documents: z.array(StoredDocument),
  /** Changes of those that came too late or could not be made. */
  refusedChanges: z.array(z.object({ change: StateChange, reason: z.string(), at: time })),
  purchases: z
    .array(
      z.object({
        store: z.string(),
        transactionId: z.string(),
        productId: z.string(),
        grantedAt: time,
      }),
    )
    .describe("Kept when the account is deleted: a receipt grants once."),
  /** What operators did to the account; kept when it is deleted. */
  operatorActions: z.array(z.object({ at: time, action: z.string() })),
});
export type AccountData = z.infer<typeof AccountData>;
