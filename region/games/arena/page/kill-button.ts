/**
 * *Kill this region*: in a local world, and on the machine that it runs on, the player's region can be killed by a
 * click, and started again. Anywhere else there is no such file and the button stays hidden.
 */
import { z } from "zod";
import { element, setText } from "./dom.ts";
import type { ArenaSession } from "./session.ts";

const Control = z.object({ url: z.string(), token: z.string() });
type Control = z.infer<typeof Control>;

const FILE = "local.json";
const DEADLINE_MS = 30_000;
const LOOK_EVERY_MS = 500;
const OWN_HOSTS: readonly string[] = ["127.0.0.1", "localhost", "[::1]"];

export async function attachKillButton(session: ArenaSession): Promise<void> {
  const control = await findControl();
  if (!control) return;
  const kill = element("kill") as HTMLButtonElement;
  const revive = element("revive") as HTMLButtonElement;
  let killed = "";
  let wasDown = false;
  element("control").hidden = false;

  kill.addEventListener("click", () => {
    const { regionId } = session;
    if (regionId === undefined) return;
    killed = regionId;
    // The list of regions is older than the click for a moment.
    wasDown = false;
    setText(revive, `Start ${session.city(regionId)} again`);
    revive.hidden = false;
    session.story.tell(`You killed ${session.city(regionId)}: its nodes and its Redis.`);
    void order(control, killed, "kill", session);
  });
  revive.addEventListener("click", () => {
    revive.disabled = true;
    void order(control, killed, "start", session).finally(() => {
      revive.disabled = false;
      revive.hidden = true;
    });
  });
  setInterval(() => {
    kill.disabled = session.regionId === undefined;
    const region = session.regions.find(({ regionId }) => regionId === killed);
    if (region?.state === "down") wasDown = true;
    if (wasDown && region?.state === "active") revive.hidden = true;
  }, LOOK_EVERY_MS);
}

async function findControl(): Promise<Control | undefined> {
  if (!OWN_HOSTS.includes(location.hostname)) return undefined;
  try {
    const response = await fetch(FILE, { cache: "no-store" });
    return response.ok ? Control.parse(await response.json()) : undefined;
  } catch {
    // There is none, as in every world but a local one.
    return undefined;
  }
}

async function order(
  { url, token }: Control,
  regionId: string,
  what: "kill" | "start",
  { story, city }: ArenaSession,
): Promise<void> {
  try {
    const response = await fetch(`${url}/regions/${regionId}/${what}`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
    if (!response.ok) story.tell(`The local world answers ${response.status}: see its terminal.`);
  } catch {
    story.tell(`The local world does not answer: is it running? ${city(regionId)} is as it was.`);
  }
}
