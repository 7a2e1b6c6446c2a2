/** Paints what does not move by itself: ground, walls, banks, coins, gems. In the ground's units. */
import { BANKS, type Bank, HEIGHT, type Point, WIDTH } from "../arena-map.ts";
import type { ArenaState } from "../arena-state.ts";
import * as sprites from "./sprites.ts";

const GRID = 100;
const CORNER = 26;
const COIN_SIZE = 22;
const GEM_SIZE = 32;
const BANK_HUE = 168;
const COIN_HUE = 44;
const GEM_HUE = 300;
/** How far things bob up and down. */
const LIFT = 2.5;

type Paint = CanvasRenderingContext2D;

export function paintGround(paint: Paint): void {
  const light = paint.createRadialGradient(WIDTH / 2, HEIGHT / 2, 80, WIDTH / 2, HEIGHT / 2, 1_150);
  light.addColorStop(0, "#1b2745");
  light.addColorStop(1, "#0d1426");
  paint.fillStyle = light;
  paint.beginPath();
  paint.roundRect(0, 0, WIDTH, HEIGHT, CORNER);
  paint.fill();

  paint.beginPath();
  for (let x = GRID; x < WIDTH; x += GRID) {
    paint.moveTo(x, 0);
    paint.lineTo(x, HEIGHT);
  }
  for (let y = GRID; y < HEIGHT; y += GRID) {
    paint.moveTo(0, y);
    paint.lineTo(WIDTH, y);
  }
  paint.strokeStyle = "rgb(148 178 255 / 5%)";
  paint.lineWidth = 1.5;
  paint.stroke();

  for (const [width, opacity] of [
    [16, 5],
    [7, 12],
    [2.5, 60],
  ] as const) {
    paint.beginPath();
    paint.roundRect(0, 0, WIDTH, HEIGHT, CORNER);
    paint.strokeStyle = `rgb(126 164 255 / ${opacity}%)`;
    paint.lineWidth = width;
    paint.stroke();
  }
}

/** @param beat seconds, for the pulse; a constant one stands still */
export function paintBanks(paint: Paint, beat: number, inviting: boolean): void {
  for (const bank of BANKS) paintBank(paint, bank, beat, inviting);
}

function paintBank(paint: Paint, { x, y, radius }: Bank, beat: number, inviting: boolean): void {
  const pulse = 0.5 + 0.5 * Math.sin(beat * 2.6);
  const size = radius * (inviting ? 3.3 + 0.5 * pulse : 2.8);
  paint.globalAlpha = inviting ? 0.95 : 0.55;
  paint.drawImage(sprites.glow(BANK_HUE), x - size / 2, y - size / 2, size, size);
  paint.globalAlpha = 1;

  paint.beginPath();
  paint.arc(x, y, radius, 0, 2 * Math.PI);
  paint.fillStyle = "rgb(77 226 197 / 9%)";
  paint.fill();
  paint.strokeStyle = `rgb(77 226 197 / ${inviting ? 90 : 55}%)`;
  paint.lineWidth = 3;
  paint.setLineDash([16, 11]);
  paint.lineDashOffset = -beat * 14;
  paint.stroke();
  paint.setLineDash([]);

  paint.fillStyle = "rgb(190 255 240 / 85%)";
  paint.font = "700 22px system-ui, sans-serif";
  paint.textAlign = "center";
  paint.textBaseline = "middle";
  paint.fillText("BANK", x, y);
}

export function paintCoins(paint: Paint, state: ArenaState, beat: number): void {
  for (const [id, { x, y }] of state.coins.entries()) {
    const phase = phaseOf(id, beat);
    const turn = Math.max(0.42, Math.abs(Math.cos(phase)));
    paintHalo(paint, { x, y }, COIN_SIZE, COIN_HUE);
    const width = COIN_SIZE * turn;
    const top = y - COIN_SIZE / 2 + Math.sin(phase) * LIFT;
    paint.drawImage(sprites.coin(), x - width / 2, top, width, COIN_SIZE);
  }
}

/** Those that somebody has picked up are not there any more. */
export function paintGems(paint: Paint, state: ArenaState, beat: number): void {
  for (const [id, { x, y, taker }] of state.gems.entries()) {
    if (taker !== "") continue;
    paintHalo(paint, { x, y }, GEM_SIZE, GEM_HUE);
    const top = y - GEM_SIZE / 2 + Math.sin(phaseOf(id, beat)) * LIFT;
    paint.drawImage(sprites.gem(), x - GEM_SIZE / 2, top, GEM_SIZE, GEM_SIZE);
  }
}

function paintHalo(paint: Paint, { x, y }: Point, size: number, hue: number): void {
  const halo = size * 2.6;
  paint.drawImage(sprites.glow(hue), x - halo / 2, y - halo / 2, halo, halo);
}

/** They don't turn and bob all alike. */
function phaseOf(id: string, beat: number): number {
  return beat * 2.4 + Number.parseInt(id, 36) * 1.7;
}
