/** Clients, regions and the core's waiting rooms of a launch day, and what is noticed between them. */

import type { WaitingRoomsSettings } from "../../core/admission/entering.ts";
import type { Member } from "../../core/admission/place.ts";
import type { WaitingRooms } from "../../core/admission/waiting-rooms.ts";
import type { Chance } from "../../shared/chance.testkit.ts";
import { MeridianError } from "../../shared/errors.ts";
import type { RegionId } from "../../shared/ids.ts";
import { QUEUE_GRACE_MS, QUEUE_POLL_MS_MAX } from "../../shared/protocol/queue.ts";
import { Books } from "./books.ts";
import { CallWatch } from "./call-watch.ts";
import { type Client, type Doing, newUnit, sessionMs, type Unit } from "./clients.ts";
import { Events } from "./events.ts";
import type { LaunchRegion } from "./regions.ts";

const SLACK_MS = 3_000;
/** How often it happens at a poll that a client that does so at all crashes or vanishes. */
const CRASH_ONCE_IN = 30;
const VANISH_ONCE_IN = 20;
const ACCEPT_ONCE_IN = 40;
const TELL_ONCE_IN = 8;
const DROPPED_ONCE_IN = 25;
const FULL_RETRIES = 3;
const POSITION_MIN = 100;

export interface LaunchWorldOptions {
  readonly clients: readonly Client[];
  readonly regions: readonly LaunchRegion[];
  readonly settings: WaitingRoomsSettings;
  /** A new life of the core. */
  readonly open: (nowMs: number) => WaitingRooms;
  readonly chance: Chance;
  readonly seed: number;
  readonly worldMax: number;
  readonly opensAtMs: number;
  readonly beginMs: number;
}

export class LaunchWorld {
  readonly books = new Books();
  readonly watch: CallWatch;
  readonly #options: LaunchWorldOptions;
  readonly #events = new Events();
  #rooms: WaitingRooms;
  #life = 1;
  #nowMs: number;

  constructor(options: LaunchWorldOptions) {
    this.#options = options;
    this.#nowMs = options.beginMs;
    this.watch = new CallWatch(options, this.books);
    this.#rooms = this.#open();
  }

  /** In words, for whoever watches. */
  get now(): string {
    return `${this.#rooms.players} waiting, ${this.watch.active} playing, ${this.books.polls} polls`;
  }

  /** They come together then. */
  expect(members: readonly Client[], name: string, atMs: number): void {
    const [leader] = members;
    if (!leader) return;
    for (const one of members) this.#leaveUnit(one);
    newUnit([...members], name, atMs);
    this.#next(leader, "arrive", atMs);
  }

  runUntil(untilMs: number): void {
    while (this.#events.nextMs <= untilMs) {
      this.#nowMs = this.#events.nextMs;
      const client = this.#options.clients[this.#events.pop()];
      // Else something else came of it meanwhile.
      if (client && client.atMs === this.#nowMs) this.#act(client);
    }
    this.#nowMs = untilMs;
  }

  /** Seats that were left are heard of, and time passes in the waiting rooms. */
  tick(nowMs: number): void {
    if (this.#rooms.players === 0) return;
    this.#report();
    this.#rooms.advance(nowMs);
    this.#calls();
    this.watch.lapsed(this.#rooms, nowMs);
    this.books.waitingMax = Math.max(this.books.waitingMax, this.#rooms.players);
    this.#rooms.takeChanged();
  }

  /** All that the core knew of places is lost. */
  restart(nowMs: number): void {
    this.#rooms = this.#open();
    this.#life += 1;
    for (const { id } of this.#options.regions) this.#rooms.pause(id, nowMs + QUEUE_POLL_MS_MAX);
    this.watch.restarted();
    for (const client of this.#options.clients) {
      const { doing, unit } = client;
      if (doing === "take" || doing === "seat") this.#soon(client, 5_000);
      if (unit && doing !== "end") unit.disturbed = true;
    }
  }

  lose(region: number, nowMs: number): void {
    const lost = this.#options.regions[region];
    for (const index of lost?.lose() ?? []) {
      const client = this.#options.clients[index];
      if (!client) continue;
      client.seat = -1;
      client.doing = "gone";
      client.atMs = -1;
      if (this.#options.chance.float() > 0.85) continue;
      this.books.failovers += 1;
      this.expect([client], "failover", nowMs + 2_000 + this.#options.chance.below(40_000));
    }
    for (const { unit, doing } of this.#options.clients) {
      if (unit && doing !== "end") unit.disturbed = true;
    }
  }

  recover(region: number): void {
    const lost = this.#options.regions[region];
    if (lost) lost.isLost = false;
  }

  /** Whether nobody waits, or is on the way to. */
  isOver(): boolean {
    const isIdle = ({ doing }: Client) => doing === "gone" || doing === "end";
    return this.#rooms.players === 0 && this.#options.clients.every(isIdle);
  }

  sample(): void {
    for (const region of this.#options.regions) {
      const queue = this.#rooms.queues.get(region.id);
      if (region.isLost || this.#nowMs < this.#options.opensAtMs + 600_000) continue;
      if (!queue || queue.waiting < region.capacity / 20) continue;
      this.books.utilisation.push(region.taken / (region.capacity - region.headroom));
    }
  }

  close(nowMs: number): void {
    const { books } = this;
    for (const client of this.#options.clients) {
      if (client.doing === "poll" || client.doing === "take") books.waitForEver += 1;
    }
    for (const region of this.#options.regions) {
      for (const [seat, index] of region.seats.entries()) {
        const client = index < 0 ? undefined : this.#options.clients[index];
        if (client && (client.seat !== seat || client.region !== region)) books.leaked += 1;
      }
    }
    // Nobody asks any more: what is left then is left for ever.
    for (let ms = 0; ms < 900_000; ms += 1_000) this.#rooms.advance(nowMs + ms);
    books.leaked += this.#rooms.players;
    for (const { held, waiting } of this.#rooms.queues.values()) {
      books.leaked += Math.abs(held) + Math.abs(waiting);
    }
  }

  #act(client: Client): void {
    const { doing } = client;
    if (doing === "arrive") this.#arrive(client);
    else if (doing === "poll" || doing === "back") this.#poll(client);
    else if (doing === "take") this.#take(client);
    else if (doing === "seat") this.#sit(client);
    else if (doing === "end") this.#end(client);
  }

  #arrive(client: Client): void {
    const { unit, home } = client;
    const { regions } = this.#options;
    if (!unit) return;
    const far = (index: number) => (index - home + regions.length) % regions.length;
    const order = [...regions.entries()].sort(([a], [b]) => far(a) - far(b)).map(([, one]) => one);
    const up = order.filter(({ isLost }) => !isLost);
    const wanted = up.slice(0, order[0]?.isLost ? 2 : 1);
    const others = up.slice(wanted.length).map(({ id }, n) => ({ regionId: id, addedMs: 30 * n }));
    try {
      const member = this.#rooms.enter(
        {
          ...{ playerId: client.id, invited: [], others, mayWait: true, class: unit.class },
          party: unit.members.filter((one) => one !== client).map(({ id }) => id),
          regionIds: wanted.map(({ id }) => id),
        },
        this.#nowMs,
      );
      if (!member) return;
      client.toldUntilMs = this.#nowMs + SLACK_MS;
      this.watch.entered(unit, member.entry, this.#nowMs);
      this.#calls();
      for (const one of unit.members) {
        one.seenMs = this.#nowMs;
        one.graceMs = QUEUE_GRACE_MS;
        one.life = this.#life;
        if (one !== client) this.#soon(one, 3_000);
      }
      this.#stand(client, unit, member);
    } catch (error) {
      if (!(error instanceof MeridianError)) throw error;
      this.books.queueFull += 1;
      client.retries += 1;
      if (client.retries > FULL_RETRIES) this.#gone(client);
      else this.#next(client, "arrive", this.#nowMs + this.#between(60_000, 300_000));
    }
  }

  #poll(client: Client): void {
    const { unit } = client;
    if (!unit || this.#losesPatience(client, unit) || this.#isLost(client)) return;
    this.books.polls += 1;
    if (!this.#rooms.find(client.id)) this.#show(client, unit);
    try {
      const member = this.#rooms.poll(client.id, client.manner === "hidden", this.#nowMs);
      client.toldUntilMs = Math.max(client.toldUntilMs, this.#nowMs + SLACK_MS);
      this.watch.heard(unit, this.#nowMs);
      client.seenMs = this.#nowMs;
      client.graceMs = member.graceMs;
      client.life = this.#life;
      this.#calls();
      this.#stand(client, unit, member);
    } catch (error) {
      if (!(error instanceof MeridianError)) throw error;
      if (error.kind === "place_lost") this.#lostPlace(client);
      else this.#soon(client, 5_000);
    }
  }

  /** The token says all that is needed to find the place again. */
  #show(client: Client, unit: Unit): void {
    // A place that the same core gave up is lost, whatever the token says.
    if (client.life === this.#life || unit.numbers.size === 0) return;
    if (this.#nowMs - client.seenMs > client.graceMs) return;
    const party = unit.members.map(({ id }) => id);
    const restored = this.#rooms.restore(
      {
        ...{ playerId: client.id, class: unit.class, life: client.life, party },
        leader: party[0] ?? client.id,
        places: [...unit.numbers],
        seenMs: client.seenMs,
        graceMs: client.graceMs,
      },
      this.#nowMs,
    );
    if (restored) this.books.restored += 1;
  }

  #stand(client: Client, unit: Unit, member: Member): void {
    const { chance } = this.#options;
    const standing = this.#rooms.stand(member, { dice: chance.float() }, this.#nowMs);
    client.presentUntilMs = this.#nowMs + standing.pollAfterMs + SLACK_MS;
    client.toldUntilMs = client.presentUntilMs;
    this.watch.numbers(unit, member.entry);
    const [offer] = standing.offers;
    if (offer && unit.numbers.size === 1 && chance.once(ACCEPT_ONCE_IN)) {
      this.#accept(unit, member, offer.regionId);
    }
    const { eta, position } = standing;
    if (eta && (position ?? 0) >= POSITION_MIN && !unit.wasCalled && chance.once(TELL_ONCE_IN)) {
      unit.told.push(this.#nowMs, eta.ms, eta.lowMs, eta.highMs);
    }
    if (standing.called && client.manner !== "refuses") {
      this.#next(client, "take", this.#nowMs + this.#between(200, 3_000));
      return;
    }
    const lateMs = client.manner === "hidden" && chance.once(2) ? chance.below(60_000) : 0;
    const pollMs = standing.pollAfterMs + this.#between(50, 300) + lateMs;
    this.#next(client, "poll", this.#nowMs + pollMs);
  }

  #accept(unit: Unit, member: Member, regionId: RegionId): void {
    try {
      this.#rooms.accept(member, regionId, this.#nowMs);
    } catch (error) {
      // Its queue is full: the place that there is stays.
      if (error instanceof MeridianError && error.kind === "queue_full") return;
      throw error;
    }
    this.books.offersTaken += 1;
    this.watch.accepted(unit, member.entry);
    this.#calls();
  }

  #take(client: Client): void {
    const regionId = this.#rooms.take(client.id, this.#nowMs);
    client.region = this.#options.regions.find(({ id }) => id === regionId);
    if (!client.region) this.#soon(client, 1_000);
    else this.#next(client, "seat", this.#nowMs + this.#between(50, 200));
  }

  #sit(client: Client): void {
    const { region, unit } = client;
    if (client.seat >= 0) this.books.inTwice += 1;
    const seat = region?.grant(client.index);
    if (!region || seat === undefined || !unit) {
      if (!region?.isLost) this.books.calledThenRefused += 1;
      this.#rooms.untaken(client.id, this.#nowMs);
      this.#soon(client, 2_000);
      return;
    }
    client.seat = seat;
    this.books.seated += 1;
    this.#report();
    this.#rooms.seated(client.id, this.#nowMs);
    this.watch.seated(unit, this.#nowMs);
    this.#leaveUnit(client);
    this.#next(client, "end", this.#nowMs + sessionMs(this.#options.chance));
  }

  #end(client: Client): void {
    client.region?.free(client.seat);
    client.seat = -1;
    this.#gone(client);
    if (!this.#options.chance.once(DROPPED_ONCE_IN)) return;
    this.books.reconnects += 1;
    this.expect([client], "reconnect", this.#nowMs + this.#between(1_000, 60_000));
  }

  #losesPatience(client: Client, unit: Unit): boolean {
    if (client !== unit.members[0] || this.#nowMs < unit.arrivedMs + client.patienceMs)
      return false;
    if (this.#nowMs < this.#options.opensAtMs || unit.calledMs !== undefined) return false;
    this.books.gaveUp += unit.members.length;
    const says = client.manner !== "closes";
    for (const one of [...unit.members]) {
      if (says) this.#rooms.leave(one.id, this.#nowMs);
      if (says) this.#leaveUnit(one);
      this.#gone(one);
    }
    return true;
  }

  /** Crashed, or for a while. @returns whether it asks nothing now */
  #isLost(client: Client): boolean {
    const { chance } = this.#options;
    const { manner, doing } = client;
    if (manner === "crashes" && chance.once(CRASH_ONCE_IN)) {
      this.#gone(client);
      return true;
    }
    if (manner !== "vanishes" || doing === "back" || !chance.once(VANISH_ONCE_IN)) return false;
    if (chance.once(2)) this.#rooms.vanished(client.id, this.#nowMs);
    client.presentUntilMs = this.#nowMs;
    this.#next(client, "back", this.#nowMs + this.#between(20_000, 200_000));
    return true;
  }

  #lostPlace(client: Client): void {
    this.books.placeLost += 1;
    const isKept = this.#nowMs - client.seenMs < client.graceMs - SLACK_MS;
    if (isKept && client.unit?.wasCalled === false) this.books.placesLostWithinGrace += 1;
    if (client.manner === "refuses") this.#gone(client);
    else this.expect([client], client.unit?.class ?? "normal", this.#nowMs + 500);
  }

  #leaveUnit(client: Client): void {
    const { unit } = client;
    client.unit = undefined;
    if (!unit) return;
    const at = unit.members.indexOf(client);
    if (at >= 0) unit.members.splice(at, 1);
    this.watch.left(unit);
  }

  #gone(client: Client): void {
    client.doing = "gone";
    client.atMs = -1;
    client.presentUntilMs = 0;
  }

  #next(client: Client, doing: Doing, atMs: number): void {
    client.doing = doing;
    client.atMs = atMs;
    this.#events.push(atMs, client.index);
  }

  #soon(client: Client, withinMs: number): void {
    this.#next(client, "poll", this.#nowMs + this.#between(500, withinMs));
  }

  #between(fromMs: number, toMs: number): number {
    return fromMs + this.#options.chance.float() * (toMs - fromMs);
  }

  #calls(): void {
    const called = this.#rooms.takeCalled();
    if (called.length > 0) this.watch.called(this.#rooms, called, this.#nowMs);
  }

  #report(): void {
    const { regions, worldMax } = this.#options;
    const up = regions.filter(({ isLost }) => !isLost);
    const reports = new Map(up.map((region) => [region.id, region.report()]));
    this.#rooms.report(reports, worldMax - this.watch.active);
  }

  #open(): WaitingRooms {
    const { open, seed, opensAtMs } = this.#options;
    const rooms = open(this.#nowMs);
    for (const queue of rooms.queues.values()) {
      const numberOf = (leader: string) => drawnNumber(seed, leader);
      queue.opening = { opensAtMs, scheduledAtMs: 0, numberOf };
    }
    return rooms;
  }
}

/** FNV-1a over seed and name, 53 bits of it less some, as a published seed would give. */
function drawnNumber(seed: number, leader: string): number {
  let hash = 0x811c9dc5;
  for (const letter of `${seed}/${leader}`) {
    hash = Math.imul(hash ^ letter.charCodeAt(0), 0x01000193) >>> 0;
  }
  return hash;
}
