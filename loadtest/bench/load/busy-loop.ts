/** Wants a whole processor, always: what else runs there gets what its weight is worth. */
const TURN_MS = 5;

function turn(): void {
  const endMs = performance.now() + TURN_MS;
  while (performance.now() < endMs);
  // Between two turns it hears that its parent is gone.
  setImmediate(turn);
}

process.send?.({ ready: true });
turn();
