/**
 * What a player does and sees in a room: inputs go out, states come in, and each is held against the rules. Over a
 * break of the connection it stays the same, until its room can't be had back.
 *
 * Every player decodes the first state of a connection, and has to find its own entity there: that is what a join, or
 * a return, has to show. Observers decode on, and have their inputs come back; the others only see that frames come.
 * Where the generator can't keep up with its observers they stop: frames that wait in it would be more and more, and
 * nothing it measures is true any more, which `generator_lag_ms` says.
 */
import { clock } from "../engine/clock.ts";
import { count, failed, metrics, noteLag, type Tags } from "../engine/metrics.ts";
import type { Game, GamePlay } from "../games/game.ts";
import type { Frame, RoomStream } from "./room-stream.ts";

/** An input that shows after that counts as lost. */
const ECHO_MS_MAX = 5_000;
/** How often the time of an echo is taken. */
const SAMPLE_EVERY_MS = 500;
/** The same broken rule is told at each state: once in so long is enough. */
const TELL_AGAIN_MS = 1_000;
/** A frame that waited for so long to be read. */
const LAG_MS_MAX = 2_000;

export interface StayOptions {
  readonly game: Game;
  readonly sessionId: string;
  readonly observes: boolean;
  readonly random: () => number;
  readonly send: (type: string, payload: object) => boolean;
  /** Where the room is by now. */
  readonly region: () => string;
  /** One's own entity is there, after a join or a return. */
  readonly seen: () => void;
  /** And an observer's input of this connection in it. */
  readonly echoed: () => void;
  /** An input that was waited for came back, or is lost. */
  readonly answered: () => void;
  /** How long an input took. */
  readonly sampled?: (echoMs: number) => void;
}

interface Sample {
  readonly input: number;
  readonly sentMs: number;
}

export class Stay {
  /** Rules that were broken. */
  violations = 0;
  readonly #options: StayOptions;
  readonly #play: GamePlay;
  #stopLooking = () => {};
  #stream: RoomStream | undefined;
  #input = 0;
  /** The first input of this connection; until it is sent, nothing that shows is an echo. */
  #firstInput = Number.POSITIVE_INFINITY;
  #sample: Sample | undefined;
  #sampledAtMs = 0;
  #isSeen = false;
  #isEchoed = false;
  #toldAtMs = 0;

  constructor(options: StayOptions) {
    const { game, sessionId, random } = options;
    this.#options = options;
    this.#play = game.begin(sessionId, random);
  }

  get isEchoed(): boolean {
    return this.#isEchoed;
  }

  /** Whether the state has shown every input that was waited for. */
  get isAnswered(): boolean {
    return this.#sample === undefined;
  }

  get owed() {
    return this.#play.owed();
  }

  /** A connection is open, and the state there. */
  arrived(): void {
    this.#stopLooking();
    // Spread over the period, so that players who came together don't send together.
    const { game, random } = this.#options;
    const cancel = clock.after(random() * game.lookEveryMs, () => {
      this.#look();
      this.#stopLooking = clock.every(game.lookEveryMs, () => this.#look());
    });
    this.#stopLooking = cancel;
  }

  broke(): void {
    this.#stopLooking();
    this.#play.broke();
    this.#stream = undefined;
    this.#sample = undefined;
    this.#firstInput = Number.POSITIVE_INFINITY;
    this.#isSeen = false;
    this.#isEchoed = false;
  }

  end(): void {
    this.#stopLooking();
  }

  frame(frame: Frame, stream: RoomStream, atMs: number): void {
    if (frame.kind !== "state" && frame.kind !== "patch") return;
    this.#stream = stream;
    const lagMs = Date.now() - atMs;
    noteLag(lagMs);
    if (lagMs > LAG_MS_MAX && this.#isSeen) this.#stopDecoding();
    if (frame.kind === "patch") count("patchesSeen", this.#options.region());
    const { state } = stream;
    if (!state) return;
    count("patchesDecoded", this.#options.region());
    const echoed = this.#play.echoed(state);
    if (echoed !== undefined) this.#hear(echoed, atMs);
    for (const { kind, words } of this.#play.verify(state, atMs)) this.#violated(kind, words);
    if (!this.#options.observes && this.#isSeen) this.#stopDecoding();
  }

  get #tags(): Tags {
    return { region: this.#options.region() };
  }

  #hear(input: number, atMs: number): void {
    const { seen, echoed, observes } = this.#options;
    if (!this.#isSeen) {
      this.#isSeen = true;
      // Inputs of the connection before, or of another device, have lower numbers.
      this.#input = Math.max(this.#input, input);
      seen();
    }
    if (!this.#isEchoed && (!observes || input >= this.#firstInput)) {
      this.#isEchoed = true;
      echoed();
    }
    if (!this.#sample || input < this.#sample.input) return;
    const tookMs = Math.max(0, atMs - this.#sample.sentMs);
    this.#sample = undefined;
    metrics.inputEchoMs.add(tookMs, this.#tags);
    this.#options.sampled?.(tookMs);
    this.#options.answered();
  }

  #stopDecoding(): void {
    this.#stream?.stopDecoding();
    this.#sample = undefined;
    if (this.#isEchoed) return;
    this.#isEchoed = true;
    this.#options.echoed();
  }

  #look(): void {
    // Before that it is not known which numbers were used up on connections before.
    if (!this.#isSeen) return;
    const { send, region } = this.#options;
    const nowMs = Date.now();
    const input = this.#input + 1;
    const { type, payload } = this.#play.look(this.#stream?.state, input);
    if (!send(type, payload)) return;
    this.#input = input;
    count("inputsSent", region());
    this.#firstInput = Math.min(this.#firstInput, input);
    if (this.#sample) this.#checkLost(this.#sample, nowMs);
    else if (this.#stream?.decodes && nowMs - this.#sampledAtMs >= SAMPLE_EVERY_MS) {
      this.#sample = { input, sentMs: nowMs };
      this.#sampledAtMs = nowMs;
    }
  }

  #checkLost({ input, sentMs }: Sample, nowMs: number): void {
    if (nowMs - sentMs < ECHO_MS_MAX) return;
    this.#sample = undefined;
    this.violations += 1;
    failed("input_lost", `input ${input} did not show in ${ECHO_MS_MAX} ms`, this.#tags);
    this.#options.answered();
  }

  #violated(kind: Parameters<typeof failed>[0], words: string): void {
    this.violations += 1;
    const nowMs = Date.now();
    if (nowMs - this.#toldAtMs < TELL_AGAIN_MS) return;
    this.#toldAtMs = nowMs;
    failed(kind, words, this.#tags);
  }
}
