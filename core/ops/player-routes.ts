/** `/ops/players/*` on the private port: bans, a player's data, deletion. All audited. */
import type { FastifyRequest } from "fastify";
import { z } from "zod";
import { MeridianError } from "../../shared/errors.ts";
import type { HttpServer } from "../../shared/http-server.ts";
import { PlayerId } from "../../shared/ids.ts";
import { AccountData } from "../../shared/protocol/account-data.ts";
import { Done } from "../../shared/protocol/link.ts";
import {
  AdmissionClassAnswer,
  AdmissionClassRequest,
  BanAnswer,
  BanRequest,
} from "../../shared/protocol/ops.ts";
import type { AccountsData } from "../accounts/account-data.ts";
import type { Accounts } from "../accounts/accounts.ts";
import { type Bans, noPlayer } from "../accounts/bans.ts";
import { BUILT_IN, type ClassSpec } from "../admission/classes.ts";
import { setAdmissionClass } from "../admission/player-standing.ts";
import type { Connections } from "../db/database.ts";
import { bearerOf } from "../http/bearer.ts";
import { failures } from "../http/failures.ts";
import type { AuditedAction } from "./audit-log.ts";
import type { Operators } from "./operators.ts";

export interface PlayerOpsRouteDeps {
  readonly operators: Operators;
  readonly accounts: Accounts;
  readonly bans: Bans;
  readonly data: AccountsData;
  readonly database: Connections;
  readonly classes: readonly ClassSpec[];
}

const Params = z.object({ playerId: PlayerId });
const refusals = failures("unauthorized", "forbidden", "not_found");

export function addPlayerOpsRoutes(server: HttpServer, deps: PlayerOpsRouteDeps): void {
  const { operators, accounts, bans, data, database, classes } = deps;
  // The others are given by what the core knows of the player at that moment.
  const given = classes.map(({ name }) => name).filter((name) => !BUILT_IN.includes(name));

  async function audited(
    request: FastifyRequest,
    what: { action: string; role: "operator" | "admin"; playerId: PlayerId; details?: object },
  ): Promise<AuditedAction> {
    const { action, role, playerId, details = {} } = what;
    const token = bearerOf(request.headers.authorization);
    const operator = await operators.authorise(token, action, role, playerId);
    if (!(await accounts.exists(playerId))) throw noPlayer();
    return { operator, action, subject: playerId, details: { ...details } };
  }

  server.post(
    "/ops/players/:playerId/ban",
    { schema: { params: Params, body: BanRequest, response: { 200: BanAnswer, ...refusals } } },
    async (request) => {
      const { playerId } = request.params;
      const ban = request.body;
      const what = { action: "ban", role: "operator", playerId, details: ban } as const;
      const action = await audited(request, what);
      const session = await operators.audit.once(action, (record) =>
        bans.ban(playerId, ban, record),
      );
      return { session };
    },
  );
  server.delete(
    "/ops/players/:playerId/ban",
    { schema: { params: Params, response: { 200: Done, ...refusals } } },
    async (request) => {
      const { playerId } = request.params;
      const action = await audited(request, { action: "unban", role: "operator", playerId });
      await operators.audit.once(action, (record) => bans.unban(playerId, record));
      return { ok: true as const };
    },
  );
  server.put(
    "/ops/players/:playerId/admission-class",
    {
      schema: {
        params: Params,
        body: AdmissionClassRequest,
        response: { 200: AdmissionClassAnswer, ...refusals, ...failures("bad_request") },
      },
    },
    async (request) => {
      const { playerId } = request.params;
      const { class: name } = request.body;
      const details = { class: name };
      const what = { action: "class player", role: "operator", playerId, details } as const;
      const action = await audited(request, what);
      if (name !== null && !given.includes(name)) {
        const message = `There is no class "${name}" to be given; there are ${given.join(", ") || "none"}.`;
        throw new MeridianError("bad_request", { message });
      }
      await operators.audit.once(action, (record) =>
        database.transaction(async (tx) => {
          await setAdmissionClass(tx, playerId, name);
          await record(tx);
        }),
      );
      return { class: name };
    },
  );
  server.get(
    "/ops/players/:playerId",
    { schema: { params: Params, response: { 200: AccountData, ...refusals } } },
    async (request) => {
      const { playerId } = request.params;
      const action = await audited(request, { action: "export player", role: "admin", playerId });
      const exported = await data.export(playerId);
      await operators.audit.note(action);
      return exported;
    },
  );
  server.delete(
    "/ops/players/:playerId",
    { schema: { params: Params, response: { 200: Done, ...refusals } } },
    async (request) => {
      const { playerId } = request.params;
      const action = await audited(request, { action: "delete player", role: "admin", playerId });
      await operators.audit.once(action, (record) => data.delete(playerId, record));
      return { ok: true as const };
    },
  );
}
