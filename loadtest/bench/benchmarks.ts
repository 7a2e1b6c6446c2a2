/** All benchmarks, in the order of their sections in docs/benchmarks.md. Each has a page in `pages/`. */
import type { Benchmark } from "./benchmark.ts";
import { corelossBenchmark } from "./coreloss/coreloss.ts";
import { evacuateBenchmark } from "./evacuate/evacuate.ts";
import { failoverBenchmark } from "./failover/failover.ts";
import { herdBenchmark } from "./herd/herd.ts";
import { idleBenchmark } from "./idle/idle.ts";
import { joinBenchmark } from "./join/join.ts";
import { ledgerBenchmark } from "./ledger/ledger.ts";
import { loadBenchmark } from "./load/load.ts";
import { overloadBenchmark } from "./overload/overload.ts";
import { queueBenchmark } from "./queue/queue.ts";
import { replicationBenchmark } from "./replication/replication.ts";
import { roomsBenchmark } from "./rooms/benchmark.ts";
import { routeBenchmark } from "./route/route.ts";
import { stuffingBenchmark } from "./stuffing.ts";
import { syncBenchmark } from "./sync/sync.ts";
import { ticketBenchmark } from "./ticket.ts";

export const benchmarks: readonly Benchmark[] = [
  roomsBenchmark,
  joinBenchmark,
  ledgerBenchmark,
  syncBenchmark,
  idleBenchmark,
  routeBenchmark,
  replicationBenchmark,
  ticketBenchmark,
  stuffingBenchmark,
  queueBenchmark,
  overloadBenchmark,
  failoverBenchmark,
  evacuateBenchmark,
  herdBenchmark,
  corelossBenchmark,
  loadBenchmark,
];
