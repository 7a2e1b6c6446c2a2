/**
 * Random histories of batches, loads, closes and repetitions, from several outboxes at once, end as a
 * model in memory says that does the same one after the other with the same step.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import fc from "fast-check";
import { cases, testSeed } from "../../shared/chance.testkit.ts";
import type { PlayerId } from "../../shared/ids.ts";
import { someItem } from "../../shared/player-state/player-state.testkit.ts";
import type { BatchRequest, OutboxItem } from "../../shared/protocol/player-state.ts";
import {
  applyBatch,
  type Checkpoint,
  type DocumentRow,
  documentKey,
  type OwnedPlayer,
} from "./applier-step.ts";
import { startTestStates } from "./test-states.ts";

const world = await startTestStates();
after(() => world.drop());
const { database } = world;
const seed = testSeed();
const names = ["a", "b", "c"] as PlayerId[];

interface Sent {
  readonly outbox: number;
  /** How far from the next in sequence it begins; most begin there. */
  readonly off: number;
  readonly length: number;
  readonly items: OutboxItem[];
  /** Sent once more at the same time. */
  readonly twice: boolean;
}

const sent: fc.Arbitrary<Sent> = fc.record({
  outbox: fc.integer({ min: 0, max: 2 }),
  off: fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, fc.constantFrom(-1, 1)),
  length: fc.integer({ min: 1, max: 3 }),
  items: fc.array(someItem(names), { minLength: 1, maxLength: 12 }),
  twice: fc.boolean(),
});

class Model {
  readonly players: ReadonlySet<PlayerId>;
  readonly checkpoints = new Map<string, Checkpoint>();
  readonly owners = new Map<PlayerId, OwnedPlayer>();
  readonly documents = new Map<string, DocumentRow>();
  readonly refused: string[] = [];

  constructor(players: Iterable<PlayerId>) {
    this.players = new Set(players);
  }

  apply(batch: BatchRequest) {
    const { players, owners, documents } = this;
    const checkpoint = this.checkpoints.get(batch.producerId);
    const decision = applyBatch({ checkpoint, players, owners, documents, coreTerm: 1 }, batch);
    if (decision.outcome !== "applied") return decision;
    this.checkpoints.set(batch.producerId, { lastSeq: decision.lastSeq, closed: false });
    for (const [playerId, owned] of decision.owners) owners.set(playerId, owned);
    for (const { text: _, ...row } of decision.documents) {
      documents.set(documentKey(row.playerId, row.collection), row);
    }
    for (const { item, reason } of decision.refused) this.refused.push(refusedKey(item, reason));
    return decision;
  }
}

function refusedKey(item: { playerId: string; collection: string }, reason: string): string {
  return `${item.playerId}/${item.collection}/${reason}`;
}

async function requireSame(model: Model): Promise<void> {
  const ids = [...model.players];
  const owners = await database.rows<Record<string, unknown>>(
    `select player_id, epoch_term, epoch_n, standing from player_owners
     where player_id = any($1::uuid[])`,
    [ids],
  );
  assert.deepEqual(
    new Map(
      owners.map((row) => [
        row.player_id,
        { stateEpoch: [row.epoch_term, row.epoch_n], standing: row.standing },
      ]),
    ),
    model.owners,
  );
  const rows = await database.rows<DocumentRow & Record<string, unknown>>(
    `select player_id as "playerId", collection, format, version, fields from player_documents
     where player_id = any($1::uuid[])`,
    [ids],
  );
  assert.deepEqual(
    new Map(rows.map((row) => [documentKey(row.playerId, row.collection), row])),
    model.documents,
  );
  const refused = await database.rows<{ player_id: string; collection: string; reason: string }>(
    "select player_id, collection, reason from refused_changes where player_id = any($1::uuid[])",
    [ids],
  );
  const keys = refused.map((row) => refusedKey({ ...row, playerId: row.player_id }, row.reason));
  assert.deepEqual(keys.sort(), [...model.refused].sort());
}

let histories = 0;

test("any history ends as the model says", async (t) => {
  t.diagnostic(`seed ${seed}`);
  await fc.assert(
    fc.asyncProperty(fc.array(sent, { maxLength: 12 }), async (history) => {
      histories += 1;
      const ids = new Map<PlayerId, PlayerId>();
      for (const name of names) ids.set(name, await world.newPlayer());
      const model = new Model(ids.values());
      for (const { outbox, off, length, items, twice } of history) {
        const producer = `beijing-1/${outbox}/${histories}`;
        const lastSeq = model.checkpoints.get(producer)?.lastSeq ?? 0;
        const fromSeq = Math.max(1, lastSeq + 1 + off);
        const cut = [fromSeq, fromSeq + length - 1] as const;
        const own = items.map((item) => ({
          ...item,
          playerId: ids.get(item.playerId) as PlayerId,
        }));
        const request = { producerId: producer, fromSeq, toSeq: cut[1], items: own };
        const expected = model.apply(request as BatchRequest);
        const answers = await Promise.all(
          Array.from({ length: twice ? 2 : 1 }, () => world.batch(producer, cut, own)),
        );
        const outcomes = answers.map(({ outcome }) => outcome).sort();
        const again = twice ? ["out_of_sequence"] : [];
        assert.deepEqual(outcomes, [expected.outcome, ...again].sort());
        for (const { lastSeq: told } of answers) assert.equal(told, expected.lastSeq);
      }
      await requireSame(model);
    }),
    { seed, numRuns: cases(25, 2_000) },
  );
});

test("outboxes of different players don't disturb each other, however they interleave", async (t) => {
  t.diagnostic(`seed ${seed}`);
  const three = fc.tuple(...names.map(() => fc.array(sent, { maxLength: 5 })));
  await fc.assert(
    fc.asyncProperty(three, async (lists) => {
      histories += 1;
      const ids = await Promise.all(names.map(() => world.newPlayer()));
      const model = new Model(ids);
      await Promise.all(
        lists.map(async (list, n) => {
          const producer = `beijing-1/${n}/${histories}`;
          for (const [at, { items }] of list.entries()) {
            const own = items.map((item) => ({ ...item, playerId: ids[n] as PlayerId }));
            const seq = at + 1;
            const request = { producerId: producer, fromSeq: seq, toSeq: seq, items: own };
            model.apply(request as BatchRequest);
            await world.batch(producer, [seq, seq], own);
          }
        }),
      );
      await requireSame(model);
    }),
    { seed, numRuns: cases(20, 500) },
  );
});
