/** Soft things are painted once and stamped often: blurs and gradients cost too much each frame. */

const SIZE = 128;
/** Hues are rounded to so many degrees, which bounds the number of sprites. */
const HUE_STEP = 6;

const sprites = new Map<string, HTMLCanvasElement>();

/** Light that fades outwards. */
export function glow(hue: number): HTMLCanvasElement {
  const degrees = rounded(hue);
  return sprite(`glow ${degrees}`, (context) => {
    const fade = context.createRadialGradient(SIZE / 2, SIZE / 2, 0, SIZE / 2, SIZE / 2, SIZE / 2);
    fade.addColorStop(0, `hsl(${degrees} 90% 62% / 0.55)`);
    fade.addColorStop(0.35, `hsl(${degrees} 90% 58% / 0.22)`);
    fade.addColorStop(1, `hsl(${degrees} 90% 55% / 0)`);
    context.fillStyle = fade;
    context.fillRect(0, 0, SIZE, SIZE);
  });
}

/** A player's body; grey while their connection is lost. */
export function body(hue: number, connected: boolean): HTMLCanvasElement {
  const degrees = rounded(hue);
  const colour = (light: number) =>
    connected ? `hsl(${degrees} 82% ${light}%)` : `hsl(${degrees} 6% ${light - 22}%)`;
  return sprite(`body ${degrees} ${connected}`, (context) => {
    const ball = context.createRadialGradient(50, 44, 8, 64, 64, 62);
    ball.addColorStop(0, colour(76));
    ball.addColorStop(0.55, colour(60));
    ball.addColorStop(1, colour(44));
    context.fillStyle = ball;
    context.beginPath();
    context.arc(SIZE / 2, SIZE / 2, SIZE / 2 - 2, 0, 2 * Math.PI);
    context.fill();
  });
}

export function coin(): HTMLCanvasElement {
  return sprite("coin", (context) => {
    context.fillStyle = metal(context, "#fff3c4", "#ffcf4d", "#d98a12");
    context.strokeStyle = "rgb(120 66 0 / 55%)";
    context.lineWidth = 8;
    context.beginPath();
    context.arc(64, 64, 56, 0, 2 * Math.PI);
    context.fill();
    context.stroke();
    context.beginPath();
    context.arc(64, 64, 38, 0, 2 * Math.PI);
    context.lineWidth = 5;
    context.stroke();
  });
}

export function gem(): HTMLCanvasElement {
  return sprite("gem", (context) => {
    context.fillStyle = metal(context, "#ffd6fb", "#e879f9", "#9333ea");
    context.strokeStyle = "rgb(255 255 255 / 75%)";
    context.lineWidth = 8;
    context.lineJoin = "round";
    context.beginPath();
    for (const [x, y] of GEM) context.lineTo(x, y);
    context.closePath();
    context.fill();
    context.stroke();
  });
}

function metal(
  context: CanvasRenderingContext2D,
  ...colours: readonly [string, string, string]
): CanvasGradient {
  const gradient = context.createLinearGradient(20, 10, 108, 118);
  for (const [index, colour] of colours.entries()) gradient.addColorStop(index / 2, colour);
  return gradient;
}

const GEM = [
  [64, 8],
  [114, 52],
  [64, 120],
  [14, 52],
] as const;

function rounded(hue: number): number {
  return Math.round(hue / HUE_STEP) * HUE_STEP;
}

function sprite(
  name: string,
  paint: (context: CanvasRenderingContext2D) => void,
): HTMLCanvasElement {
  const known = sprites.get(name);
  if (known) return known;
  const canvas = document.createElement("canvas");
  canvas.width = SIZE;
  canvas.height = SIZE;
  const context = canvas.getContext("2d");
  if (context) paint(context);
  sprites.set(name, canvas);
  return canvas;
}
