/** For tests: guests who call the players' API over real HTTP. */

export interface Guest {
  readonly accessToken: string;
  readonly playerId: string;
}

/** @param url of the players' API, asked at each call: a core may be another one by then */
export function playersApi(url: () => string) {
  async function post(path: string, body: unknown, token?: string) {
    const response = await fetch(url() + path, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...(token && { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(body),
    });
    const text = await response.text();
    return { status: response.status, body: text === "" ? undefined : JSON.parse(text) };
  }

  async function newGuest(): Promise<Guest> {
    return (await post("/v1/guests", { name: "Ada" })).body;
  }

  return { post, newGuest };
}
