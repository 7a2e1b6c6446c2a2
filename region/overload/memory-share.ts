/**
 * How near a node's process is to being ended for its memory: by the kernel, at the limit of its cgroup or when
 * the machine has no more, or by V8 at the end of its heap, whichever is nearer.
 */
import { totalmem } from "node:os";
import { getHeapStatistics } from "node:v8";

/** Bytes that this process may have: what the container allows, else the machine's memory. */
export function memoryOfMachine(): number {
  const machineBytes = totalmem();
  // 0 where no such limit is known, and beyond any machine where none is set.
  const containerBytes = process.constrainedMemory();
  return containerBytes > 0 ? Math.min(containerBytes, machineBytes) : machineBytes;
}

/** What V8's heap has taken of its own limit, 0 to 1. */
export function heapShare(): number {
  const { used_heap_size: usedBytes, heap_size_limit: limitBytes } = getHeapStatistics();
  return usedBytes / limitBytes;
}
