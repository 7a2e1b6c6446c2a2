/** What the world may do between two steps of an admission; so exactly in time only parts that are made up for it do. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { isFailure, MeridianError } from "../../shared/errors.ts";
import { GameName, PlayerId, RegionId, uuidV7 } from "../../shared/ids.ts";
import type { Newcomer } from "../admission/entering.ts";
import type { PlayerClass } from "../admission/player-standing.ts";
import { EntryDesk, type EntryDeskDeps } from "./entry-desk.ts";
import type { Join, Places } from "./seat-finder.ts";

const playerId = PlayerId.parse(uuidV7(0, Buffer.alloc(10)));
const regionId = RegionId.parse("shanghai");
const join: Join = {
  game: GameName.parse("arena"),
  mode: "joinOrCreate",
  options: {},
  protocol: 1,
  mayQueue: true,
};
const places = { choices: [{ regionId, roundTripMs: 1 }], ranking: [] } as unknown as Places;
const who = {
  playerId,
  comesBack: true,
  caller: { address: "127.0.0.1", gone: new AbortController().signal },
};

function deskOf(options: { open: boolean[]; classOf: () => Promise<PlayerClass> }) {
  const did: string[] = [];
  const entered: Newcomer[] = [];
  const deps = {
    spillMs: 0,
    ways: { mayJoinFor: () => false },
    finder: { placesQuickly: async () => places, placesFor: async () => places },
    admission: {
      rooms: { find: () => undefined },
      hear: () => did.push("hear"),
      isOpen: () => options.open.shift() ?? false,
      classOf() {
        did.push("classOf");
        return options.classOf();
      },
      sharedClass: ([one]: readonly string[]) => one,
      enter: (newcomer: Newcomer) => {
        entered.push(newcomer);
      },
    },
  };
  return { desk: new EntryDesk(deps as unknown as EntryDeskDeps), did, entered };
}

test("a player who tries to join is heard of, also when the database is away", async () => {
  const classOf = async () => {
    throw new MeridianError("unavailable");
  };
  const { desk, did } = deskOf({ open: [], classOf });
  await assert.rejects(desk.admit(join, who), (error) => isFailure(error, "unavailable"));
  assert.deepEqual(did, ["hear", "classOf"]);
});

test("when the seats go while the database is asked, the player waits in their own class", async () => {
  const classOf = async () => ({ plays: false, class: "reconnect" }) as const;
  const { desk, entered } = deskOf({ open: [true, false], classOf });
  await assert.rejects(desk.admit(join, who), (error) => isFailure(error, "region_full"));
  assert.deepEqual(
    entered.map((newcomer) => newcomer.class),
    ["reconnect"],
  );
});
