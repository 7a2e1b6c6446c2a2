/**
 * What the load tests of this folder are called, what each proves, and which settings each takes: read by `npm run load`
 * under Node, and by the scripts themselves inside k6. It imports nothing, so that both can.
 *
 * A parameter comes into a script by `k6 run -e KEY=VALUE`; without it the preset is taken. A preset of a scenario's own
 * stands in place of the common one.
 */

export interface Parameter {
  /** The name of the environment variable, as `k6 run -e` takes it. */
  readonly env: string;
  readonly preset: string;
  /** What it is, with its unit. */
  readonly what: string;
}

/**
 * What a scenario needs besides the address of a core:
 *
 * - `kill`: whoever runs it kills or evacuates the players' region once they play.
 * - `replace`: whoever runs it replaces the nodes one by one while they play.
 * - `name-server`: DNS over HTTP at `DNS_URL`, in front of the name server.
 * - `small-capacity`: regions with `SEATS` seats for everyone in all, so that ten times as many players can come.
 */
export type Need = "kill" | "replace" | "name-server" | "small-capacity";

export interface Scenario {
  /** The script is `loadtest/k6/NAME.ts`. */
  readonly name: string;
  readonly what: string;
  readonly parameters: readonly Parameter[];
  readonly needs: readonly Need[];
}

const COMMON: readonly Parameter[] = [
  { env: "CORE_URL", preset: "http://127.0.0.1:7300", what: "the core's address" },
  { env: "PLAYERS", preset: "20", what: "how many players" },
  { env: "DURATION_S", preset: "30", what: "how long they play, in seconds" },
  { env: "SEED", preset: "1", what: "of everything random: names, moves, arrivals" },
  { env: "REGION", preset: "", what: "the region to insist on; empty: the best for each player" },
  { env: "GAME", preset: "arena", what: "the room's name" },
  { env: "RULES", preset: "", what: "which of loadtest/k6/games it is played as; empty: GAME" },
  { env: "VUS", preset: "1", what: "threads of k6 that the players are split among" },
  { env: "OBSERVERS", preset: "10", what: "one player of this many decodes every patch" },
];

const RATE: Parameter = { env: "RATE", preset: "10", what: "arrivals a second" };

/** Common ones, with presets of the scenario's own, and parameters that only it has. */
function parameters(
  presets: Readonly<Record<string, string>>,
  ...own: readonly Parameter[]
): readonly Parameter[] {
  const common = COMMON.map((parameter) => {
    const preset = presets[parameter.env];
    return preset === undefined ? parameter : { ...parameter, preset };
  });
  return [...common, ...own];
}

export const SCENARIOS: readonly Scenario[] = [
  {
    name: "smoke",
    what: "A few players do everything once: log in, join, play, leave, come back.",
    parameters: parameters({ PLAYERS: "3", DURATION_S: "3", OBSERVERS: "1" }),
    needs: [],
  },
  {
    name: "login-storm",
    what: "Guests log in at a rate; refusals that say when to come back are counted as polite.",
    parameters: parameters(
      { PLAYERS: "0" },
      { ...RATE, preset: "50" },
      { env: "LOGIN_P95_MS", preset: "1000", what: "95 of 100 log-ins are faster, in ms" },
    ),
    needs: [],
  },
  {
    name: "join",
    what: "Players log in, join and see their own entity, at a rate; each leaves after a moment.",
    parameters: parameters({}, RATE, {
      env: "STAY_S",
      preset: "5",
      what: "how long each stays, s",
    }),
    needs: [],
  },
  {
    name: "steady-play",
    what: "Players play for a time; state, inputs, coins and ticks are verified.",
    parameters: parameters({}, { ...RATE, what: "arrivals a second until all have come" }),
    needs: [],
  },
  {
    name: "queue-10x",
    what: "Ten times as many players as seats: order, promises and positions of the queue hold.",
    parameters: parameters(
      { PLAYERS: "0", DURATION_S: "60" },
      { env: "SEATS", preset: "4", what: "seats for everyone; PLAYERS=0 means ten times as many" },
      { env: "STAY_S", preset: "2", what: "how long each who got in stays, s" },
      { ...RATE, preset: "20" },
    ),
    needs: ["small-capacity"],
  },
  {
    name: "spike",
    what: "Steady play, then joins at ten times the rate: who plays must not notice.",
    parameters: parameters(
      {},
      { ...RATE, preset: "2", what: "arrivals a second before the spike; ten times as many in it" },
      { env: "STAY_S", preset: "3", what: "how long each stays who comes in the spike, s" },
      { env: "SPIKE_S", preset: "5", what: "how long the spike lasts, s" },
    ),
    needs: [],
  },
  {
    name: "soak",
    what: "Long steady play: latency at the end is what it was at the start.",
    parameters: parameters(
      { DURATION_S: "3600" },
      { ...RATE, what: "arrivals a second until all have come" },
      {
        env: "DRIFT_MAX",
        preset: "2",
        what: "the last tenth's latency against the first, at most",
      },
    ),
    needs: [],
  },
  {
    name: "failover-drill",
    what: "The players' region is killed or evacuated in mid-run: all play on elsewhere.",
    parameters: parameters(
      { OBSERVERS: "1", DURATION_S: "60" },
      { ...RATE, what: "arrivals a second until all have come" },
      { env: "AFTER_S", preset: "10", what: "how long they play on once all have been moved, s" },
      { env: "DOWNTIME_P99_MS", preset: "6000", what: "99 of 100 are away for less, in ms" },
      { env: "MOVES", preset: "1", what: "0: nobody has to be moved for the run to pass" },
    ),
    needs: ["kill"],
  },
  {
    name: "dns",
    what: "Answers as the name server gets them: right for each address, and fast.",
    parameters: parameters(
      { PLAYERS: "0" },
      { ...RATE, preset: "200", what: "look-ups a second" },
      {
        env: "DNS_URL",
        preset: "http://127.0.0.1:8053/dns-query",
        what: "DNS over HTTP: loadtest/load/dns-gateway.ts, or a gateway of one's own",
      },
      { env: "DNS_NAME", preset: "play.meridian.test", what: "the name that players look up" },
      {
        env: "DNS_EXPECT",
        preset: "159.226.0.0/24=203.0.113.11|203.0.113.12;202.120.2.0/24=203.0.113.13",
        what: "which addresses are right for whom, as SUBNET=ADDRESS|ADDRESS;…",
      },
    ),
    needs: ["name-server"],
  },
  {
    name: "upgrade",
    what: "Players play while nodes are replaced one by one: none is cut off untold, none fails to join.",
    parameters: parameters(
      { OBSERVERS: "1" },
      { ...RATE, what: "arrivals a second until all have come" },
      { env: "NEWCOMERS_PER_S", preset: "1", what: "others, who come all the time" },
      { env: "STAY_S", preset: "3", what: "how long each of these stays, s" },
      { env: "MOVES", preset: "1", what: "0: nobody has to be moved for the run to pass" },
    ),
    needs: ["replace"],
  },
];

/** The scenario of that name, or undefined. */
export function scenarioNamed(name: string): Scenario | undefined {
  return SCENARIOS.find((scenario) => scenario.name === name);
}
