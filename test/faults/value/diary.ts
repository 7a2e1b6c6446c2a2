/**
 * A player's diary (class B) as its writer knows it: one note after another, and what the player was told of
 * each. It is kept in **pages**, one for each connection. A page begins with what the room says is in the
 * diary by then, so that what became of the page before is known exactly: whatever was told as saved must be
 * there, and nothing more than what was written.
 *
 * The next note waits for the answer to the one before. So a page that is broken off leaves one note at most
 * of which its writer can't say whether the room made it.
 */
import type { Play } from "../../../shared/client/play.ts";
import type { Cancel } from "../../../shared/clock.ts";
import {
  DiaryOpened,
  type Entries,
  type Note,
  Noted,
  NotNoted,
  type OpenDiary,
} from "./treasury-messages.ts";
import type { TreasuryState } from "./treasury-room.ts";

export interface Page {
  readonly regionId: string;
  /** What the room said is in the diary. */
  readonly opened: Entries;
  /** With the newest note that the room said it has made; `opened` before the first. */
  readonly written: Entries;
  /** With the newest note that the player was told is saved; undefined before the first. */
  readonly saved: Entries | undefined;
  /** The newest note that was sent, by its number; that of the page before when there was none. */
  readonly sent: number;
  /** Whether it is not known if the room made that one. */
  readonly unanswered: boolean;
  /** Its node died at once, and may have taken along what was not saved. */
  readonly nodeKilled: boolean;
}

interface OpenPage {
  readonly serial: number;
  /** Undefined until the room has answered. */
  page: Page | undefined;
  /** Written and not saved yet, the oldest first. */
  unsaved: { readonly revision: number; readonly entries: Entries }[];
}

export class Diary {
  readonly #pages: Page[] = [];
  #open: OpenPage | undefined;
  #serial = 0;
  #sent = 0;

  /** All of them so far; they don't change any more. */
  get pages(): readonly Page[] {
    return this.#open?.page ? [...this.#pages, this.#open.page] : [...this.#pages];
  }

  /** Listens to what the room says of the diary, until it is called off. */
  follow(play: Play<TreasuryState>): Cancel {
    const cancels = [
      play.onMessage("diary_opened", (payload) => this.#opened(play, payload)),
      play.onMessage("noted", (payload) => this.#noted(payload)),
      play.onMessage("not_noted", (payload) => this.#notNoted(payload)),
      play.onSaved(({ savedRevision }) => this.#savedUpTo(savedRevision)),
      // On the next connection revisions may be another node's.
      play.onConnection(({ phase }) => {
        if (phase !== "playing" && phase !== "suspect") this.#close();
      }),
    ];
    return () => {
      for (const cancel of cancels) cancel();
      this.#close();
    };
  }

  /** Writes the next note, if the one before was answered. Only while the player plays. */
  write(play: Play<TreasuryState>): void {
    if (!this.#open) {
      this.#serial += 1;
      this.#open = { serial: this.#serial, page: undefined, unsaved: [] };
      play.send("open_diary", { page: this.#serial } satisfies OpenDiary);
    } else if (this.#open.page && !this.#open.page.unanswered) {
      this.#sent += 1;
      this.#open.page = { ...this.#open.page, sent: this.#sent, unanswered: true };
      play.send("note", { note: this.#sent } satisfies Note);
    }
  }

  /** A node of that region died at once. Where the diary has been opened again since, all is known already. */
  nodeKilled(regionId: string): void {
    const open = this.#open;
    const newest = open?.page ?? this.#pages.at(-1);
    if (newest?.regionId !== regionId) return;
    const killed = { ...newest, nodeKilled: true };
    if (open?.page) open.page = killed;
    else this.#pages[this.#pages.length - 1] = killed;
  }

  #opened({ connection }: Play<TreasuryState>, payload: unknown): void {
    const { page: serial, ...opened } = DiaryOpened.parse(payload);
    if (this.#open?.serial !== serial || !("regionId" in connection)) return;
    this.#open.page = {
      regionId: connection.regionId,
      opened,
      written: opened,
      saved: undefined,
      sent: this.#sent,
      unanswered: false,
      nodeKilled: false,
    };
  }

  #noted(payload: unknown): void {
    const { note, revision, ...written } = Noted.parse(payload);
    const { page, unsaved } = this.#open ?? {};
    if (!this.#open || !page?.unanswered || page.sent !== note) return;
    this.#open.page = { ...page, written, unanswered: false };
    unsaved?.push({ revision, entries: written });
  }

  #notNoted(payload: unknown): void {
    const { note } = NotNoted.parse(payload);
    const page = this.#open?.page;
    if (!this.#open || page?.sent !== note) return;
    this.#open.page = { ...page, unanswered: false };
  }

  #savedUpTo(savedRevision: number): void {
    const open = this.#open;
    if (!open?.page) return;
    const saved = open.unsaved.filter(({ revision }) => revision <= savedRevision).at(-1)?.entries;
    if (!saved) return;
    open.unsaved = open.unsaved.filter(({ revision }) => revision > savedRevision);
    open.page = { ...open.page, saved };
  }

  #close(): void {
    if (this.#open?.page) this.#pages.push(this.#open.page);
    this.#open = undefined;
  }
}
