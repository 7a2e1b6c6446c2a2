/**
 * Guests log in at a rate, every second one again as the same. A core that has too much to do may refuse, if it says
 * when to come back: that is counted, and is no failure. What it takes, it answers in time.
 */
import { check } from "k6";
import "./engine/shims.ts";
import { isFailure } from "../../shared/errors.ts";
import { Crowd, optionsOf, prepare } from "./engine/crowd.ts";
import { failed, metrics } from "./engine/metrics.ts";
import { Parameters } from "./engine/parameters.ts";
import type { Account } from "./player/account.ts";

const parameters = new Parameters("login-storm");
const perS = parameters.number("RATE");
const players = parameters.number("PLAYERS") || Math.ceil(perS * parameters.number("DURATION_S"));

export const options = optionsOf(parameters, {
  finished: players,
  thresholds: {
    login_ms: [`p(95)<${parameters.number("LOGIN_P95_MS")}`],
    players_logged_in: ["count>0"],
  },
  play: false,
});

export function setup(): void {
  prepare(parameters);
}

export default async function loginStorm(): Promise<void> {
  const crowd = new Crowd(parameters);
  await crowd.arrive({
    count: players,
    perS,
    live: async ({ account }, index) => {
      const times = 1 + (index % 2);
      for (let time = 1; time <= times; time += 1) await logIn(account);
    },
  });
  crowd.end();
}

async function logIn(account: Account): Promise<void> {
  const { playerId } = account;
  const answered = await attempt(account);
  check(answered, { "logs in, or is told when to come back": (is) => is });
  const isSame = playerId === "" || account.playerId === playerId;
  check(isSame, { "is the same guest again": (is) => is });
}

async function attempt(account: Account): Promise<boolean> {
  try {
    await account.logIn();
    metrics.loggedIn.add(1);
    return true;
  } catch (error) {
    if (!isFailure(error)) throw error;
    const { kind, retryAfterMs } = error;
    if (retryAfterMs) metrics.politeRefusals.add(1, { kind });
    else failed("log_in_failed", kind);
    return Boolean(retryAfterMs);
  }
}
