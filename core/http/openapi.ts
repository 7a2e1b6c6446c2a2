/** The OpenAPI description of the players' API, and its page at `/docs`. */
import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import { jsonSchemaTransform } from "fastify-type-provider-zod";
import type { HttpServer } from "../../shared/http-server.ts";
import { PROTOCOL_VERSION } from "../../shared/protocol/version.ts";

/** The plugin's own policy turns http into https, which a world of one machine (`--lan`) does not speak. */
const DOCS_SECURITY_POLICY = [
  "default-src 'self'",
  "img-src 'self' data:",
  "style-src 'self' 'unsafe-inline'",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** Must come before the routes that it is to describe. */
export async function addOpenApi(server: HttpServer): Promise<void> {
  await server.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Meridian core",
        description: "Log in, join, reconnect. Every failure answers `{ error: { kind, … } }`.",
        version: String(PROTOCOL_VERSION),
      },
      tags: [
        {
          name: "accounts",
          description: "Guests, e-mail addresses, studios' identities, and their log-ins",
        },
        { name: "joining", description: "Regions, seats, tickets" },
        { name: "colyseus", description: "The same for stock Colyseus clients" },
      ],
      components: {
        securitySchemes: { bearer: { type: "http", scheme: "bearer", bearerFormat: "JWT" } },
      },
    },
    transform: jsonSchemaTransform,
  });
  await server.register(swaggerUi, { routePrefix: "/docs", staticCSP: DOCS_SECURITY_POLICY });
}
