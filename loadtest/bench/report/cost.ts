/**
 * What 1,000 players at play cost, put together from the stored runs: CPU, memory and egress, with the copies of
 * their rooms in another region, and with their share of the core and its database. Prices are left to whoever pays.
 */
import { type Figures, figureAt } from "./figure.ts";
import type { StoredRuns } from "./stored-runs.ts";

export const PLAYERS = 1_000;

/** What the benchmarks don't decide. The games of `rooms` and `replication` are the rest of it. */
export const ASSUMED = {
  roomSeats: 50,
  patchesPerS: 20,
  /** IP 20, TCP with timestamps 32, a record of TLS 22; a patch fits one packet. */
  packetHeadBytes: 74,
  /** Rows of documents that a player's changes become: those of a second are merged. */
  rowsPerPlayerPerS: 1,
  valueOpsPerPlayerPerMin: 1,
  stayMin: 30,
} as const;

/** By whose processes. */
export interface Cores {
  readonly region: number;
  readonly core?: number;
  readonly databases?: number;
}

/** For `PLAYERS`; what a line has nothing of is undefined. */
export interface CostLine {
  readonly what: string;
  /** The benchmark that it comes from. */
  readonly from: string;
  /** Processors, all of the time. */
  readonly cores?: Cores;
  readonly memoryMb?: number;
  readonly egressMbitPerS?: number;
}

export interface Cost {
  readonly lines: readonly CostLine[];
  readonly total: {
    readonly cores: Required<Cores>;
    readonly memoryMb: number;
    readonly egressMbitPerS: number;
  };
  /** Benchmarks that were not measured yet: what they would tell is not in it. */
  readonly missing: readonly string[];
}

/** @throws when a run lacks a figure */
export function costOf(runs: StoredRuns): Cost {
  const missing: string[] = [];
  const lines: CostLine[] = [];
  const from = (name: string, make: (read: Read) => Omit<CostLine, "from">[]) => {
    const run = runs[name];
    if (!run) missing.push(name);
    else lines.push(...make(reader(name, run.figures)).map((line) => ({ ...line, from: name })));
  };
  from("rooms", playing);
  from("idle", (read) => [{ what: "a node's process itself", memoryMb: read("rssBeforeMb") }]);
  const { rooms } = runs;
  if (rooms) from("replication", (read) => copies(read, reader("rooms", rooms.figures)));
  from("sync", documents);
  from("ledger", money);
  from("join", joins);
  from("queue", (read) => [
    { what: "the core's process itself, for all regions", memoryMb: read("megabytesBefore") },
  ]);
  return { lines, total: totalOf(lines), missing };
}

type Read = (path: string) => number;

function playing(read: Read): Omit<CostLine, "from">[] {
  return [
    {
      what: "rooms and their players",
      cores: { region: perPlayer(read("cpuPerPlayerUs.meridian") / 1e6) },
      memoryMb: perPlayer(read("rssPerPlayerKb") / 1_024),
      egressMbitPerS: mbit(perPlayer(read("bytesPerPlayerPerS"))),
    },
    {
      what: "heads of TCP/IP and TLS around it",
      egressMbitPerS: mbit(perPlayer(ASSUMED.patchesPerS * ASSUMED.packetHeadBytes)),
    },
  ];
}

function copies(read: Read, ofRooms: Read): Omit<CostLine, "from">[] {
  const rooms = PLAYERS / ASSUMED.roomSeats;
  const perPlayerUs = ofRooms("cpuPerPlayerUs.meridian");
  return [
    {
      what: "copies in a neighbour region, at both ends",
      cores: { region: perPlayer((read("cpuRatio") - 1) * (perPlayerUs / 1e6)) },
      memoryMb: (rooms * read("rssPerRoomKb")) / 1_024,
      egressMbitPerS: mbit(rooms * read("bytesPerRoomPerS")),
    },
  ];
}

function documents(read: Read): Omit<CostLine, "from">[] {
  const rowsPerS = perPlayer(ASSUMED.rowsPerPlayerPerS);
  const cores = (process: string) => (rowsPerS * read(`cpuPerRowUs.${process}`)) / 1e6;
  return [
    {
      what: "players' documents",
      cores: {
        region: cores("region"),
        core: cores("core"),
        databases: cores("postgres") + cores("redis"),
      },
      egressMbitPerS: mbit(rowsPerS * read("bytesPerChange")),
    },
  ];
}

function money(read: Read): Omit<CostLine, "from">[] {
  const opsPerS = perPlayer(ASSUMED.valueOpsPerPlayerPerMin / 60);
  const cores = (process: string) => (opsPerS * read(`callers.64.cpuMs.${process}`)) / 1_000;
  return [
    {
      what: "money",
      cores: { region: cores("callers"), core: cores("core"), databases: cores("postgres") },
    },
  ];
}

function joins(read: Read): Omit<CostLine, "from">[] {
  const perS = perPlayer(1 / (ASSUMED.stayMin * 60));
  const cores = (process: string) => (perS * read(`meridianCpuPerJoinMs.${process}`)) / 1_000;
  return [
    {
      what: "joins",
      cores: {
        region: cores("region"),
        core: cores("core"),
        databases: cores("postgres") + cores("redis"),
      },
    },
  ];
}

function totalOf(lines: readonly CostLine[]): Cost["total"] {
  const sum = (read: (line: CostLine) => number | undefined) =>
    lines.reduce((total, line) => total + (read(line) ?? 0), 0);
  return {
    cores: {
      region: sum(({ cores }) => cores?.region),
      core: sum(({ cores }) => cores?.core),
      databases: sum(({ cores }) => cores?.databases),
    },
    memoryMb: sum(({ memoryMb }) => memoryMb),
    egressMbitPerS: sum(({ egressMbitPerS }) => egressMbitPerS),
  };
}

function perPlayer(value: number): number {
  return value * PLAYERS;
}

function mbit(bytesPerS: number): number {
  return (bytesPerS * 8) / 1e6;
}

function reader(name: string, figures: Figures): Read {
  return (path) => {
    const value = figureAt(figures, path);
    if (typeof value === "number") return value;
    throw new Error(
      `the cost of players needs "${path}" of "${name}", which its run does not have`,
    );
  };
}
