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
import type { Sql } from "../db/database.ts";
import { bearerOf } from "../http/bearer.ts";
import { failures } from "../http/failures.ts";
import type { Operators } from "./operators.ts";

export interface PlayerOpsRouteDeps {
  readonly operators: Operators;
  readonly accounts: Accounts;
  readonly bans: Bans;
  readonly data: AccountsData;
  readonly database: Sql;
  readonly classes: readonly ClassSpec[];
}

const Params = z.object({ playerId: PlayerId });
const refusals = failures("unauthorized", "forbidden", "not_found");

export function addPlayerOpsRoutes(server: HttpServer, deps: PlayerOpsRouteDeps): void {
  const { operators, accounts, bans, data, database, classes } = deps;
  // The others are given by what the core knows of the player at that moment.
  const given = classes.map(({ name }) => name).filter((name) => !BUILT_IN.includes(name));

  /** Authorises and records; what could not be recorded is not done. */
  async function audited(
    request: FastifyRequest,
    what: { action: string; role: "operator" | "admin"; playerId: PlayerId; details?: object },
  ): Promise<void> {
    const { action, role, playerId, details = {} } = what;
    const operator = operators.authorise(bearerOf(request.headers.authorization), action, role);
    if (!(await accounts.exists(playerId))) throw noPlayer();
    await operators.audit(operator, action, playerId, { ...details });
  }

  server.post(
    "/ops/players/:playerId/ban",
    { schema: { params: Params, body: BanRequest, response: { 200: BanAnswer, ...refusals } } },
    async (request) => {
      const { playerId } = request.params;
      const ban = request.body;
      await audited(request, { action: "ban", role: "operator", playerId, details: ban });
      return { session: await bans.ban(playerId, ban) };
    },
  );
  server.delete(
    "/ops/players/:playerId/ban",
    { schema: { params: Params, response: { 200: Done, ...refusals } } },
    async (request) => {
      const { playerId } = request.params;
      await audited(request, { action: "unban", role: "operator", playerId });
      await bans.unban(playerId);
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
      await audited(request, { action: "class player", role: "operator", playerId, details });
      if (name !== null && !given.includes(name)) {
        const message = `There is no class "${name}" to be given; there are ${given.join(", ") || "none"}.`;
        throw new MeridianError("bad_request", { message });
      }
      await setAdmissionClass(database, playerId, name);
      return { class: name };
    },
  );
  server.get(
    "/ops/players/:playerId",
    { schema: { params: Params, response: { 200: AccountData, ...refusals } } },
    async (request) => {
      const { playerId } = request.params;
      await audited(request, { action: "export player", role: "admin", playerId });
      return await data.export(playerId);
    },
  );
  server.delete(
    "/ops/players/:playerId",
    { schema: { params: Params, response: { 200: Done, ...refusals } } },
    async (request) => {
      const { playerId } = request.params;
      await audited(request, { action: "delete player", role: "admin", playerId });
      await data.delete(playerId);
      return { ok: true as const };
    },
  );
}
