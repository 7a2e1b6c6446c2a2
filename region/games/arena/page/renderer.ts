/** One picture of the scene on the canvas, as sharp as the screen. */
import { HEIGHT, type Point, WIDTH } from "../arena-map.ts";
import { type Camera, cameraFor, toScreen } from "./camera.ts";
import { STICK_RADIUS, type Stick } from "./input.ts";
import { paintBanks, paintCoins, paintGems, paintGround } from "./paint-ground.ts";
import { paintEffects, paintFigure, paintWay } from "./paint-players.ts";
import type { Figure, Scene } from "./scene.ts";

/** Sharper than this costs much and shows little. */
const PIXEL_RATIO_MAX = 2;
const CENTRE: Point = { x: WIDTH / 2, y: HEIGHT / 2 };
const MAP_WIDTH = 124;
const MAP_MARGIN = 14;
/** Carrying this much, one is shown the way. */
const HEAVY = 5;

export class Renderer {
  readonly #canvas: HTMLCanvasElement;
  readonly #paint: CanvasRenderingContext2D;
  readonly #still: boolean;
  #camera: Camera;

  /** @param still for players who asked for less motion */
  constructor(canvas: HTMLCanvasElement, still: boolean) {
    const paint = canvas.getContext("2d", { alpha: false });
    if (!paint) throw new Error("this browser can't paint on a canvas");
    this.#canvas = canvas;
    this.#paint = paint;
    this.#still = still;
    this.#camera = cameraFor({ width: innerWidth, height: innerHeight }, CENTRE);
  }

  /** Where that place of the ground was on the screen, in the last picture. */
  toScreen(place: Point): Point {
    return toScreen(this.#camera, place);
  }

  draw(scene: Scene, stick: Stick | undefined, nowMs: number): void {
    const { ratio, width, height } = this.#fit();
    const figures = scene.figures(nowMs);
    const me = figures.find((figure) => figure.me);
    this.#camera = cameraFor({ width, height }, me ?? CENTRE);
    const { scale, left, top, whole } = this.#camera;
    const paint = this.#paint;
    const beat = this.#still ? 0 : nowMs / 1000;

    paint.setTransform(1, 0, 0, 1, 0, 0);
    paint.fillStyle = "#070b15";
    paint.fillRect(0, 0, this.#canvas.width, this.#canvas.height);
    const unit = scale * ratio;
    paint.setTransform(unit, 0, 0, unit, -left * unit, -top * unit);
    paintGround(paint);
    paintBanks(paint, beat, (me?.carried ?? 0) > 0);
    if (scene.state) {
      paintCoins(paint, scene.state, beat);
      paintGems(paint, scene.state, beat);
    }
    for (const figure of figures) paintFigure(paint, figure, scale);
    if (me && me.carried >= HEAVY) paintWay(paint, me);
    paintEffects(paint, scene.effects, nowMs);

    paint.setTransform(ratio, 0, 0, ratio, 0, 0);
    if (!whole && me) paintMap(paint, { width, height }, figures);
    if (stick) paintStick(paint, stick);
  }

  #fit(): { ratio: number; width: number; height: number } {
    const ratio = Math.min(PIXEL_RATIO_MAX, devicePixelRatio || 1);
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const wanted = { width: Math.round(width * ratio), height: Math.round(height * ratio) };
    if (this.#canvas.width !== wanted.width) this.#canvas.width = wanted.width;
    if (this.#canvas.height !== wanted.height) this.#canvas.height = wanted.height;
    return { ratio, width, height };
  }
}

/** The whole ground in a corner, for screens that show only a part of it. */
function paintMap(
  paint: CanvasRenderingContext2D,
  size: { readonly width: number; readonly height: number },
  figures: readonly Figure[],
): void {
  const scale = MAP_WIDTH / WIDTH;
  const left = size.width - MAP_WIDTH - MAP_MARGIN;
  const top = size.height - HEIGHT * scale - MAP_MARGIN;
  paint.fillStyle = "rgb(10 15 28 / 72%)";
  paint.strokeStyle = "rgb(148 178 255 / 25%)";
  paint.lineWidth = 1;
  paint.beginPath();
  paint.roundRect(left, top, MAP_WIDTH, HEIGHT * scale, 8);
  paint.fill();
  paint.stroke();
  for (const { x, y, hue, me, connected } of figures) {
    paint.beginPath();
    paint.arc(left + x * scale, top + y * scale, me ? 3.2 : 2.2, 0, 2 * Math.PI);
    paint.fillStyle = me ? "#fff" : `hsl(${hue} ${connected ? 80 : 5}% 62%)`;
    paint.fill();
  }
}

function paintStick(paint: CanvasRenderingContext2D, { from, to }: Stick): void {
  const away = { x: to.x - from.x, y: to.y - from.y };
  const length = Math.hypot(away.x, away.y);
  const part = length > STICK_RADIUS ? STICK_RADIUS / length : 1;
  paint.beginPath();
  paint.arc(from.x, from.y, STICK_RADIUS, 0, 2 * Math.PI);
  paint.strokeStyle = "rgb(255 255 255 / 28%)";
  paint.lineWidth = 2;
  paint.stroke();
  paint.beginPath();
  paint.arc(from.x + away.x * part, from.y + away.y * part, 22, 0, 2 * Math.PI);
  paint.fillStyle = "rgb(255 255 255 / 30%)";
  paint.fill();
}
