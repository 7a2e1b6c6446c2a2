/** The floor: a bare Fastify that answers one request with text that is there already. */
import fastify from "fastify";

export interface BareReady {
  readonly url: string;
}

const body = "x".repeat(Number(process.env.BODY_BYTES));
const server = fastify();
server.get("/", async (_request, reply) => reply.type("application/json").send(body));
const ready: BareReady = { url: await server.listen({ host: "127.0.0.1", port: 0 }) };
process.send?.(ready);
