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

/** A coin, or a gem when it is a rare one. */
export function coin(rare: boolean): HTMLCanvasElement {
  return sprite(`coin ${rare}`, (context) => {
    const metal = context.createLinearGradient(20, 10, 108, 118);
    metal.addColorStop(0, rare ? "#ffd6fb" : "#fff3c4");
    metal.addColorStop(0.5, rare ? "#e879f9" : "#ffcf4d");
    metal.addColorStop(1, rare ? "#9333ea" : "#d98a12");
    context.fillStyle = metal;
    context.strokeStyle = rare ? "rgb(255 255 255 / 75%)" : "rgb(120 66 0 / 55%)";
    context.lineWidth = 8;
    context.lineJoin = "round";
    context.beginPath();
    if (rare) {
      for (const [x, y] of GEM) context.lineTo(x, y);
      context.closePath();
    } else context.arc(64, 64, 56, 0, 2 * Math.PI);
    context.fill();
    context.stroke();
    if (rare) return;
    context.beginPath();
    context.arc(64, 64, 38, 0, 2 * Math.PI);
    context.lineWidth = 5;
    context.stroke();
  });
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
