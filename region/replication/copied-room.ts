/**
 * One room of this node, and who has copies of it: the standby that is to have it, and the one before, which goes on
 * getting every frame until the next one has a whole copy. Both get the same frames, and a full one whenever one of
 * them needs it.
 *
 * Invariant: a room that counts as protected has a whole copy at a standby that is sent every frame, so that the copy
 * is as old as frames take to be gathered and to get there. Who can't be sent one, for a full pipe, a stream that
 * ended or a frame that could not be made, is whole no more from that moment on. A connection that swallows what is
 * sent is noticed after `SILENT_MS` of its stream; until then only `lagMs` tells.
 */
import type { GameName, NodeId, RoomId } from "../../shared/ids.ts";
import type { GameRoom } from "../rooms/game-room.ts";
import type { LastFrame, Line, OutboundStream } from "./outbound-stream.ts";
import type { OpenRoom } from "./wire.ts";

export class CopiedRoom {
  readonly room: GameRoom;
  readonly roomId: RoomId;
  readonly game: GameName;
  #at: Feed | undefined;
  #former: Feed | undefined;

  constructor(room: GameRoom, roomId: RoomId, game: GameName) {
    this.room = room;
    this.roomId = roomId;
    this.game = game;
  }

  /** The standby that is to have it; undefined while one is looked for. */
  get standby(): NodeId | undefined {
    return this.#at?.nodeId;
  }

  /** That one has it whole. */
  get isSettled(): boolean {
    return this.#at?.isWhole === true;
  }

  /** The one before it, as long as its copy is needed. */
  get former(): NodeId | undefined {
    return this.#former?.nodeId;
  }

  get isProtected(): boolean {
    return this.#feeds.some(({ isWhole }) => isWhole);
  }

  /** @param onRefused that standby, present or former, has no place for the room any more */
  copyTo(stream: OutboundStream, onRefused: () => void): void {
    const former = this.#former;
    if (former?.stream === stream) {
      this.#at = former;
      this.#former = undefined;
      return;
    }
    const { room, roomId, game } = this;
    if (!room.epoch) return;
    const feed = new Feed(stream);
    this.#at = feed;
    feed.open(
      { roomId, game, roomEpoch: room.epoch },
      {
        begun: () => this.#record(),
        paused: () => this.#rest(),
        refused: () => {
          this.#drop(feed);
          onRefused();
        },
      },
    );
  }

  /** Another standby is to be found; the better one of the copies that there are stays, and goes on. */
  leave(): void {
    const [at, former] = [this.#at, this.#former];
    if (!at) return;
    const kept = at.isWhole || !former ? at : former;
    this.#at = undefined;
    this.#former = kept;
    for (const feed of [at, former]) if (feed !== kept) feed?.end();
    this.#rest();
  }

  /** What the former standby has is worth nothing once the next one has it. */
  settle(): void {
    const former = this.#former;
    if (!former || !this.isSettled) return;
    this.#former = undefined;
    former.end();
  }

  /** That stream is gone. @returns whether the room needs another one */
  lose(stream: OutboundStream): boolean {
    const needs = this.#at?.stream === stream;
    for (const feed of this.#feeds) if (feed.stream === stream) this.#drop(feed);
    return needs;
  }

  /** The room is gone, and so may its copies be. */
  end(): void {
    for (const feed of this.#feeds) feed.end();
    this.stop();
  }

  /** Nothing is sent of it any more; what there is of copies stays where it is. */
  stop(): void {
    this.#at = undefined;
    this.#former = undefined;
    this.#rest();
  }

  /** As `OutboundStream.last`. @returns who has it */
  async give(last: LastFrame): Promise<NodeId | undefined> {
    const [at, former] = [this.#at, this.#former];
    this.stop();
    const given = await at?.last(last);
    if (given) former?.end();
    else former?.forget();
    return given ? at?.nodeId : undefined;
  }

  get #feeds(): Feed[] {
    return [this.#at, this.#former].filter((feed) => feed !== undefined);
  }

  #drop(feed: Feed): void {
    if (this.#at === feed) this.#at = undefined;
    if (this.#former === feed) this.#former = undefined;
    this.#rest();
  }

  /** From a full frame on, for all who take any. */
  #record(): void {
    this.room.replicateTo(
      (frame) => this.#send(frame),
      () => this.#lapse(),
    );
  }

  /** Where nobody takes frames none are made. */
  #rest(): void {
    if (!this.#feeds.some(({ takes }) => takes)) this.room.replicateTo(undefined);
  }

  #send(frame: Uint8Array): void {
    for (const feed of this.#feeds) feed.send(frame, this.room.players.size);
  }

  #lapse(): void {
    for (const feed of this.#feeds) feed.lapse();
  }
}

interface FeedEvents {
  /** It takes frames from now on, a full one first. */
  begun(): void;
  /** It takes none for now. */
  paused(): void;
  refused(): void;
}

/** The room's frames to one standby. */
class Feed {
  readonly stream: OutboundStream;
  #line: Line | undefined;
  #takes = false;

  constructor(stream: OutboundStream) {
    this.stream = stream;
  }

  open(room: Omit<OpenRoom, "number">, { begun, paused, refused }: FeedEvents): void {
    this.#line = this.stream.add(room, {
      begin: () => {
        this.#takes = true;
        begun();
      },
      pause: () => {
        this.#takes = false;
        paused();
      },
      refused,
    });
  }

  get nodeId(): NodeId {
    return this.stream.to.nodeId;
  }

  get takes(): boolean {
    return this.#takes;
  }

  get isWhole(): boolean {
    return this.#line !== undefined && this.stream.isWhole(this.#line);
  }

  send(frame: Uint8Array, players: number): void {
    if (this.#line && this.#takes) this.stream.frame(this.#line, frame, players);
  }

  /** A frame is missing, until the next full one. */
  lapse(): void {
    if (this.#line) this.#line.wholeAtMark = undefined;
  }

  async last(last: LastFrame): Promise<boolean> {
    return this.#line !== undefined && (await this.stream.last(this.#line, last));
  }

  forget(): void {
    if (this.#line) this.stream.forget(this.#line);
  }

  end(): void {
    if (this.#line) this.stream.ended(this.#line);
  }
}
