/**
 * What libraries name when they load and k6's engine does not have. To be imported first.
 *
 * Colyseus' decoder never uses either: they belong to its encoder. So they need only be there.
 */
class StrongRef<T extends WeakKey> {
  readonly #target: T;

  constructor(target: T) {
    this.#target = target;
  }

  deref(): T {
    return this.#target;
  }
}

class NoRegistry {
  register(): void {}
  unregister(): void {}
}

const absent = { WeakRef: StrongRef, FinalizationRegistry: NoRegistry };
for (const [name, stand] of Object.entries(absent)) {
  if (!(name in globalThis)) Object.defineProperty(globalThis, name, { value: stand });
}
