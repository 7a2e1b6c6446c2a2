/**
 * Where the player wants to go: keys, the held mouse, or a finger that drags. Keys go first. A page
 * that loses the focus lets everything go, or the player would run on by themselves.
 */
import { directionOf, type Point } from "../arena-map.ts";

const KEYS: Readonly<Record<string, Point>> = {
  KeyW: { x: 0, y: -1 },
  ArrowUp: { x: 0, y: -1 },
  KeyS: { x: 0, y: 1 },
  ArrowDown: { x: 0, y: 1 },
  KeyA: { x: -1, y: 0 },
  ArrowLeft: { x: -1, y: 0 },
  KeyD: { x: 1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
};
/** A finger this far from where it began pushes with full strength, CSS pixels. */
export const STICK_RADIUS = 56;
/** The mouse slows the player down this near, and stops them nearer, CSS pixels. */
const MOUSE_NEAR = 70;
const DEAD_ZONE = 10;

export interface Stick {
  readonly from: Point;
  readonly to: Point;
}

export class Input {
  readonly #held = new Set<string>();
  #pointer: { readonly id: number; readonly touch: boolean; from: Point; to: Point } | undefined;
  #released: () => void = () => {};

  /** @param released called when everything was let go at once */
  attach(canvas: HTMLCanvasElement, released: () => void): void {
    this.#released = released;
    addEventListener("keydown", (event) => this.#key(event, true));
    addEventListener("keyup", (event) => this.#key(event, false));
    addEventListener("blur", () => this.#letGo());
    document.addEventListener("visibilitychange", () => this.#letGo());
    canvas.addEventListener("pointerdown", (event) => {
      const at = { x: event.clientX, y: event.clientY };
      const touch = event.pointerType !== "mouse";
      this.#pointer ??= { id: event.pointerId, touch, from: at, to: at };
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (this.#pointer?.id !== event.pointerId) return;
      this.#pointer.to = { x: event.clientX, y: event.clientY };
    });
    for (const end of ["pointerup", "pointercancel"] as const) {
      canvas.addEventListener(end, (event) => {
        if (this.#pointer?.id === event.pointerId) this.#pointer = undefined;
      });
    }
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  }

  /** The stick under the finger, to be drawn. */
  get stick(): Stick | undefined {
    return this.#pointer?.touch ? this.#pointer : undefined;
  }

  /** @param self the player's place on the screen */
  direction(self: Point): Point {
    let { x, y } = { x: 0, y: 0 };
    for (const code of this.#held) {
      x += KEYS[code]?.x ?? 0;
      y += KEYS[code]?.y ?? 0;
    }
    if (x !== 0 || y !== 0) return rounded(directionOf(x, y));
    if (!this.#pointer) return { x: 0, y: 0 };
    const { touch, from, to } = this.#pointer;
    const origin = touch ? from : self;
    const reach = touch ? STICK_RADIUS : MOUSE_NEAR;
    const away = { x: to.x - origin.x, y: to.y - origin.y };
    if (Math.hypot(away.x, away.y) < DEAD_ZONE) return { x: 0, y: 0 };
    return rounded(directionOf(away.x / reach, away.y / reach));
  }

  #key(event: KeyboardEvent, down: boolean): void {
    if (!(event.code in KEYS) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target instanceof HTMLInputElement) return;
    if (down) this.#held.add(event.code);
    else this.#held.delete(event.code);
    event.preventDefault();
  }

  #letGo(): void {
    this.#held.clear();
    this.#pointer = undefined;
    this.#released();
  }
}

/** Hundredths will do, and a resting hand sends nothing. */
function rounded({ x, y }: Point): Point {
  return { x: Math.round(x * 50) / 50, y: Math.round(y * 50) / 50 };
}
