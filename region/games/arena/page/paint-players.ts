/** Paints the players and what happens around them. In the ground's units. */
import { BANKS, CARRIED_MAX, PLAYER_RADIUS, type Point } from "../arena-map.ts";
import type { Effects } from "./effects.ts";
import type { Figure } from "./scene.ts";
import * as sprites from "./sprites.ts";

const RADIUS = PLAYER_RADIUS;
const FULL = 2 * Math.PI;
const NAME_PIXELS = 12.5;

type Paint = CanvasRenderingContext2D;

/** @param scale CSS pixels a unit: names are as large on every screen */
export function paintFigure(paint: Paint, figure: Figure, scale: number): void {
  const { x, y, hue, connected, me } = figure;
  if (connected) {
    const size = RADIUS * (me ? 6.2 : 4.6);
    paint.drawImage(sprites.glow(hue), x - size / 2, y - size / 2, size, size);
  }
  const body = sprites.body(hue, connected);
  paint.drawImage(body, x - RADIUS, y - RADIUS, 2 * RADIUS, 2 * RADIUS);
  paintEyes(paint, figure);
  paintRings(paint, figure);
  paintName(paint, figure, NAME_PIXELS / scale);
}

function paintEyes(paint: Paint, { x, y, facing, connected }: Figure): void {
  for (const side of [-0.52, 0.52]) {
    const eye = { x: x + Math.cos(facing + side) * 10, y: y + Math.sin(facing + side) * 10 };
    disc(paint, eye, 4.6, connected ? "#fff" : "rgb(255 255 255 / 35%)");
    if (!connected) continue;
    const pupil = { x: eye.x + Math.cos(facing) * 1.8, y: eye.y + Math.sin(facing) * 1.8 };
    disc(paint, pupil, 2.3, "#101828");
  }
}

/** White for oneself, dashed for who is away, gold for how full the purse is. */
function paintRings(paint: Paint, { x, y, me, connected, carried }: Figure): void {
  paint.lineWidth = 2.5;
  if (me || !connected) {
    paint.beginPath();
    paint.arc(x, y, RADIUS + 3.5, 0, FULL);
    paint.strokeStyle = me ? "rgb(255 255 255 / 90%)" : "rgb(255 255 255 / 40%)";
    if (!connected) paint.setLineDash([5, 5]);
    paint.stroke();
    paint.setLineDash([]);
  }
  if (carried === 0) return;
  const start = -Math.PI / 2;
  paint.beginPath();
  paint.arc(x, y, RADIUS + 8, start, start + (FULL * carried) / CARRIED_MAX);
  paint.strokeStyle = "#ffd166";
  paint.lineWidth = 4;
  paint.lineCap = "round";
  paint.stroke();
  paint.lineCap = "butt";
}

function paintName(paint: Paint, { x, y, name, me, connected }: Figure, size: number): void {
  paint.font = `${me ? 700 : 500} ${size}px system-ui, sans-serif`;
  paint.textAlign = "center";
  paint.textBaseline = "top";
  const text = connected ? name : `${name} (away)`;
  const below = y + RADIUS + 13;
  paint.lineWidth = size / 4;
  paint.lineJoin = "round";
  paint.strokeStyle = "rgb(8 12 24 / 75%)";
  paint.strokeText(text, x, below);
  paint.fillStyle = connected ? "#eef3ff" : "#8592ad";
  paint.fillText(text, x, below);
}

export function paintEffects(paint: Paint, effects: Effects, nowMs: number): void {
  for (const [effect, age] of effects.at(nowMs)) {
    const fresh = 1 - age;
    if (effect.kind === "spark") {
      const seconds = (age * effect.lifeMs) / 1000;
      const at = { x: effect.x + effect.vx * seconds, y: effect.y + effect.vy * seconds };
      disc(paint, at, 3.4 * fresh, `hsl(${effect.hue} 95% 72% / ${fresh})`);
    } else if (effect.kind === "ring") {
      paint.beginPath();
      paint.arc(effect.x, effect.y, effect.radius * (0.25 + 0.75 * age), 0, FULL);
      paint.strokeStyle = `hsl(${effect.hue} 90% 70% / ${0.8 * fresh})`;
      paint.lineWidth = 5 * fresh;
      paint.stroke();
    } else {
      paint.font = "800 26px system-ui, sans-serif";
      paint.textAlign = "center";
      paint.textBaseline = "middle";
      paint.fillStyle = `hsl(${effect.hue} 85% 72% / ${Math.min(1, fresh * 2)})`;
      paint.fillText(effect.text, effect.x, effect.y - 34 - 40 * age);
    }
  }
}

/** An arrow beside a player who carries much, towards the nearest bank. */
export function paintWay(paint: Paint, from: Point): void {
  const distanceTo = (bank: Point) => Math.hypot(bank.x - from.x, bank.y - from.y);
  const [nearest] = BANKS.toSorted((a, b) => distanceTo(a) - distanceTo(b));
  if (!nearest || distanceTo(nearest) < nearest.radius + 60) return;
  const angle = Math.atan2(nearest.y - from.y, nearest.x - from.x);
  paint.save();
  paint.translate(from.x + Math.cos(angle) * 54, from.y + Math.sin(angle) * 54);
  paint.rotate(angle);
  paint.beginPath();
  paint.moveTo(11, 0);
  paint.lineTo(-7, -9);
  paint.lineTo(-3, 0);
  paint.lineTo(-7, 9);
  paint.closePath();
  paint.fillStyle = "rgb(77 226 197 / 90%)";
  paint.fill();
  paint.restore();
}

function disc(paint: Paint, { x, y }: Point, radius: number, colour: string): void {
  paint.beginPath();
  paint.arc(x, y, radius, 0, FULL);
  paint.fillStyle = colour;
  paint.fill();
}
