/**
 * `@peculiar/x509` finds its algorithms through `tsyringe`, which asks at import for the metadata
 * methods of `Reflect` that a polyfill would add. This adds the three it calls. Import it first.
 */
const metadata = new WeakMap<object, Map<unknown, unknown>>();

const methods = {
  defineMetadata(key: unknown, value: unknown, target: object): void {
    const own = metadata.get(target) ?? new Map<unknown, unknown>();
    metadata.set(target, own.set(key, value));
  },
  getOwnMetadata(key: unknown, target: object): unknown {
    return metadata.get(target)?.get(key);
  },
  getMetadata(key: unknown, target: object): unknown {
    for (let at: object | null = target; at !== null; at = Reflect.getPrototypeOf(at)) {
      const own = metadata.get(at);
      if (own?.has(key)) return own.get(key);
    }
    return undefined;
  },
};

if (!("getMetadata" in Reflect)) Object.assign(Reflect, methods);
