/**
 * Where a guest's secret is kept. Each browser tab is its own guest by default: `sessionStorage` dies
 * with its tab. Two things are worth knowing about it: "Duplicate tab" copies it, so a tab that finds
 * another alive with its secret becomes a new guest; and outside browsers it does not exist, so there
 * every `Meridian` has a storage of its own.
 */

/** What of the browser's `Storage` is needed. */
export interface KeyValueStorage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** How long a tab that was just reloaded may take to let go of its former self's name. */
const CLAIM_MS = 500;

/** @param remember keeps the guest on this device, for all tabs and for later visits */
export function pickStorage(remember: boolean): KeyValueStorage {
  try {
    const storage = remember ? globalThis.localStorage : globalThis.sessionStorage;
    if (storage && "document" in globalThis) return tolerant(storage);
  } catch {
    // A browser that forbids storage to this page throws here; such a guest lives until a reload.
  }
  return memory();
}

/** A storage that is full or forbidden costs the memory of it, not the log-in. */
export function tolerant(storage: KeyValueStorage): KeyValueStorage {
  const kept = memory();
  const attempt = <T>(use: (one: KeyValueStorage) => T): T => {
    try {
      return use(storage);
    } catch {
      // What the browser would not take is in `kept` until the reload.
      return use(kept);
    }
  };
  return {
    getItem: (key) => kept.getItem(key) ?? attempt((one) => one.getItem(key)),
    setItem(key, value) {
      kept.setItem(key, value);
      attempt((one) => one.setItem(key, value));
    },
    removeItem(key) {
      kept.removeItem(key);
      attempt((one) => one.removeItem(key));
    },
  };
}

function memory(): KeyValueStorage {
  const entries = new Map<string, string>();
  return {
    getItem: (key) => entries.get(key) ?? null,
    setItem: (key, value) => void entries.set(key, value),
    removeItem: (key) => void entries.delete(key),
  };
}

/**
 * Whether this tab is the only one alive under that name. The name is then held until the tab ends.
 * Browsers without web locks, or a page without a secure context, answer yes.
 */
export async function claimTab(name: string): Promise<boolean> {
  const locks = "document" in globalThis ? globalThis.navigator.locks : undefined;
  if (!locks) return true;
  return new Promise((resolve) => {
    const held = () => {
      resolve(true);
      return new Promise<never>(() => {});
    };
    locks
      .request(name, { signal: AbortSignal.timeout(CLAIM_MS) }, held)
      .catch(() => resolve(false));
  });
}
