/**
 * Put into the pages of the local world: reloads an open page when it was built anew. By polling,
 * so that it needs no server of its own and survives a restart of the core.
 */
const LOOK_EVERY_MS = 500;

let built: string | undefined;

async function look(): Promise<void> {
  try {
    const response = await fetch("build-id", { cache: "no-store" });
    if (!response.ok) return;
    const now = await response.text();
    built ??= now;
    if (now !== built) location.reload();
  } catch {
    // The core is away for a moment: a later look tells.
  }
}

setInterval(() => void look(), LOOK_EVERY_MS);
