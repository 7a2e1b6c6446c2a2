/** `npm run ops -- failover`: what it asks before, says after, and leaves in the audit log. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, test } from "node:test";
import { systemClock } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import { createHttpServer } from "../../shared/http-server.ts";
import { NodeId } from "../../shared/ids.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics } from "../../shared/metrics.ts";
import type { FailoverPlan } from "../../shared/protocol/ops-failover.ts";
import { startTestDatabase } from "../db/test-database.ts";
import type { ByHand } from "../failover/by-hand.ts";
import { OPERATOR_TOKEN } from "../test-core.ts";
import { AuditLog } from "./audit-log.ts";
import { addAuditRoutes } from "./audit-routes.ts";
import { requireConfirmed } from "./cli-confirm.ts";
import { addFailoverRoutes } from "./failover-routes.ts";
import { Operators } from "./operators.ts";
import { opsCommand } from "./test-ops.ts";

const created = await startTestDatabase();
const { database } = created;
const log = createLog("core", "silent");
const common = { database, clock: systemClock, log, metrics: createMetrics({}) };
const audit = new AuditLog(common);
const operators = new Operators({
  ...common,
  audit,
  random: randomBytes,
  bootstrapToken: OPERATOR_TOKEN,
});
await operators.start();
const asked: Parameters<ByHand["failover"]>[] = [];
const failovers: ByHand = {
  async failover(target, { dryRun }): Promise<FailoverPlan> {
    asked.push([target, { dryRun }]);
    if (target.nodeId === "beijing-9") {
      throw new MeridianError("not_found", { message: "beijing-9 is not known." });
    }
    const [nodes, to] = [[NodeId.parse("beijing-1")], NodeId.parse("tianjin-1")];
    const rooms = { rooms: 3, players: 7, protectedRooms: 2, unprotectedRooms: 1 };
    return { nodes, ...rooms, targets: [{ nodeId: to, rooms: 2 }], done: !dryRun };
  },
};
const server = createHttpServer({ log, bodyBytesMax: 65_536, requestTimeoutMs: 5_000 });
addFailoverRoutes(server, { operators, failovers });
addAuditRoutes(server, operators);
const privateUrl = await server.listen({ host: "127.0.0.1", port: 0 });
after(async () => {
  await server.close();
  await operators.stop();
  await created.drop();
});
const ops = opsCommand({ privateUrl });

test("a failover says in numbers what it would do, needs a yes, and is recorded before and after", async () => {
  const dry = await ops(["failover", "beijing", "--dry-run"]);
  assert.equal(
    dry.out,
    "dry run: 1 node of beijing would be fenced for good (beijing-1), whatever runs there.\n" +
      "  3 rooms with 7 players: 2 go on elsewhere\n  1 room without a copy: they END\n" +
      "  2 rooms to tianjin-1\n",
  );
  assert.match((await ops(["failover", "beijing"])).err, /say --yes where nobody can be asked/);
  assert.deepEqual(asked, [[{ regionId: "beijing" }, { dryRun: true }]], "nothing was done");
  const done = await ops(["failover", "beijing", "--node", "beijing-1", "--yes"]);
  assert.match(done.out, /^beijing-1 was failed over: 1 node fenced \(beijing-1\)\.\n/);
  assert.deepEqual(asked.at(-1), [{ nodeId: "beijing-1" }, { dryRun: false }]);
  const unknown = await ops(["failover", "beijing", "--node", "beijing-9", "--yes"]);
  assert.deepEqual([unknown.code, unknown.err], [1, "ops: beijing-9 is not known.\n"]);
  const rows = (await ops(["audit", "--json"])).out
    .trim()
    .split("\n")
    .map((row) => JSON.parse(row));
  assert.deepEqual(
    rows.map(({ subject, outcome, dryRun }) => [subject, outcome, dryRun]),
    [
      ["beijing", "done", true],
      ["beijing-1", "begun", false],
      ["beijing-1", "done", false],
      ["beijing-9", "begun", false],
      ["beijing-9", "failed", false],
    ],
  );
  assert.equal(rows[2].details.unprotectedRooms, 1);
});

test("only the very name is a yes", async () => {
  const about = { command: "failover", name: "beijing", what: async () => "3 rooms move." };
  const questions: string[] = [];
  const typing = (answer: string) => ({
    yes: false,
    ask: async (question: string) => {
      questions.push(question);
      return answer;
    },
  });
  await requireConfirmed(typing("beijing\n"), about);
  for (const answer of ["y", "yes", "Beijing", ""]) {
    await assert.rejects(requireConfirmed(typing(answer), about), /nothing was done/);
  }
  assert.equal(questions[0], "3 rooms move.\nType beijing to go on: ");
});
