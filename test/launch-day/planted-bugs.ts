/** Mistakes that waiting rooms could have. The simulated launch day has to notice each. */
import type { ClassSpec } from "../../core/admission/classes.ts";
import type { RegionQueue } from "../../core/admission/region-queue.ts";
import type { WaitingRooms } from "../../core/admission/waiting-rooms.ts";
import { type Parts, PRODUCTION } from "./day.ts";

interface PlantedBug {
  readonly name: string;
  readonly parts: Parts;
  /** What it misses. */
  readonly misses: string;
  /** How many players it takes; then it is looked for in the soak only. */
  readonly players?: number;
}

export const PLANTED_BUGS: readonly PlantedBug[] = [
  {
    name: "whoever comes later has a lower number",
    misses: "numbers out of turn",
    parts: inQueues((queue) => {
      const number = queue.number.bind(queue);
      queue.number = (leader, nowMs) => 1e15 - number(leader, nowMs);
    }),
  },
  {
    name: "the absent are called",
    misses: "the absent called",
    parts: inQueues((queue) => {
      const setReady = queue.setReady.bind(queue);
      queue.setReady = (place) => setReady(place, true);
    }),
  },
  {
    name: "seats of those who did not come stay held",
    misses: "leaked",
    parts: inQueues((queue) => {
      queue.released = () => {};
    }),
  },
  {
    name: "a seat is not held for whoever is called",
    misses: "called, and then no seat",
    parts: inQueues((queue) => {
      const report = queue.report.bind(queue);
      queue.report = (seats) => report(seats && withMore(seats, queue.held));
    }),
  },
  {
    name: "joins are not limited",
    misses: "joins too fast",
    parts: {
      ...PRODUCTION,
      settings: (settings) => ({ ...settings, rate: { perSecond: 1e6, burst: 1e6 } }),
    },
  },
  {
    name: "weights are reversed",
    misses: "not by weight",
    players: 3_000,
    parts: {
      ...PRODUCTION,
      settings: (settings) => ({ ...settings, classes: reversed(settings.classes) }),
    },
  },
  {
    name: "what may be active in all is not looked at",
    misses: "too many active",
    parts: inRooms((rooms) => {
      const report = rooms.report.bind(rooms);
      rooms.report = (reports) => report(reports);
    }),
  },
  {
    name: "a new core does not wait for those who have places",
    misses: "inversions",
    players: 3_000,
    parts: inRooms((rooms) => {
      rooms.pause = () => {};
    }),
  },
  {
    name: "a new core gives new numbers",
    misses: "another number",
    parts: inRooms((rooms) => {
      const restore = rooms.restore.bind(rooms);
      rooms.restore = (claim, nowMs) => {
        const places = claim.places.map(([id, number]) => [id, number + 1] as [typeof id, number]);
        return restore({ ...claim, places }, nowMs);
      };
    }),
  },
  {
    name: "a party is let in one by one",
    misses: "parties apart",
    parts: inRooms((rooms) => {
      const enter = rooms.enter.bind(rooms);
      rooms.enter = (newcomer, nowMs) => enter({ ...newcomer, party: [] }, nowMs);
    }),
  },
  {
    name: "a party that does not fit is passed for ever",
    misses: "a party passed too often",
    players: 3_000,
    parts: inQueues((queue) => {
      const called = queue.called.bind(queue);
      queue.called = (turn, nowMs) => called({ ...turn, passed: [] }, nowMs);
    }),
  },
];

/** The class with the most weight has the least, and so on. */
function reversed(classes: readonly ClassSpec[]): ClassSpec[] {
  return classes.map((spec, at) => ({ ...spec, weight: classes.at(-1 - at)?.weight ?? 1 }));
}

function inRooms(plant: (rooms: WaitingRooms) => void): Parts {
  return { ...PRODUCTION, plant };
}

function inQueues(plant: (queue: RegionQueue) => void): Parts {
  return inRooms((rooms) => {
    for (const queue of rooms.queues.values()) plant(queue);
  });
}

function withMore<T extends { readonly limited: number; readonly all: number }>(
  seats: T,
  more: number,
): T {
  return { ...seats, limited: seats.limited + more, all: seats.all + more };
}
