/** Accounts through the client SDK, in a world: what a guest has is kept under an address. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ArenaState } from "../../region/games/arena/arena-state.ts";
import { Meridian } from "../../shared/client/meridian.ts";
import { isFailure } from "../../shared/errors.ts";
import { worldForTests } from "../world.ts";

const world = worldForTests({ regions: 1 });
const password = "correct horse";
const newClient = () => new Meridian({ url: world().core.url });

test("a guest links an address while at play, and is the same player on another device", async (t) => {
  const phone = newClient();
  const guest = await phone.logIn({ name: "Ada" });
  const play = await phone.join<ArenaState>("arena");
  t.after(() => play.leave());
  await phone.linkEmail("ada@example.org", password);
  assert.equal(play.connection.phase, "playing", "nobody is thrown out of the room");
  await assert.rejects(phone.linkEmail("other@example.org", password), (error) =>
    isFailure(error, "conflict"),
  );

  const laptop = newClient();
  await assert.rejects(laptop.logInWithEmail("ada@example.org", "wrong horse"), (error) =>
    isFailure(error, "unauthorized"),
  );
  const same = await laptop.logInWithEmail("Ada@Example.org", password);
  assert.equal(same.playerId, guest.playerId);
  assert.deepEqual(await laptop.possessions(), { wallets: [], items: [] });
  await assert.rejects(laptop.linkEmail("ada@example.org", password), (error) =>
    isFailure(error, "unauthorized"),
  );
});
