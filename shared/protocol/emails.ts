/**
 * Accounts with an e-mail address and a password: `POST /v1/emails/register`, `/v1/emails/log-in`,
 * `/v1/emails/reset`, `/v1/emails/reset/confirm`, `/v1/me/email`, `/v1/me/password`.
 */
import { z } from "zod";
import { Me, PlayerName, TokenPair } from "./accounts.ts";
import { Device } from "./device.ts";

const ADDRESS =
  /^[^\s@"(),:;<>[\]\\\p{C}]{1,64}@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]$/u;
const ADDRESS_BYTES_MAX = 254;
const PASSWORD_BYTES_MIN = 8;
const PASSWORD_BYTES_MAX = 128;

const bytesOf = (text: string) => new TextEncoder().encode(text).length;

/** Trimmed, in lower case and in one Unicode form: equal addresses are equal texts. */
export const EmailAddress = z
  .string()
  .max(2 * ADDRESS_BYTES_MAX)
  .transform((text) => text.trim().normalize("NFKC").toLowerCase())
  .pipe(
    z
      .string()
      .regex(ADDRESS, "an e-mail address such as ada@example.org")
      .refine((text) => bytesOf(text) <= ADDRESS_BYTES_MAX, `${ADDRESS_BYTES_MAX} bytes at most`),
  );

/** Any text of 8 to 128 bytes of UTF-8: length is what makes a password strong. */
export const Password = z
  .string()
  .max(PASSWORD_BYTES_MAX)
  .transform((text) => text.normalize("NFKC"))
  .pipe(
    z
      .string()
      .refine(
        (text) => bytesOf(text) >= PASSWORD_BYTES_MIN && bytesOf(text) <= PASSWORD_BYTES_MAX,
        `${PASSWORD_BYTES_MIN} to ${PASSWORD_BYTES_MAX} bytes`,
      ),
  );

/** What a log-in answered; sent along the next time, it keeps guesses of others from this device. */
const DeviceToken = z.string().max(128);

export const RegisterRequest = z.object({
  email: EmailAddress,
  password: Password,
  name: PlayerName.optional(),
  device: Device,
});
export type RegisterRequest = z.input<typeof RegisterRequest>;

export const EmailLogInRequest = z.object({
  email: EmailAddress,
  password: Password,
  device: Device,
  deviceToken: DeviceToken.optional(),
});
export type EmailLogInRequest = z.input<typeof EmailLogInRequest>;

export const EmailLogInAnswer = TokenPair.extend({ deviceToken: DeviceToken });
export type EmailLogInAnswer = z.infer<typeof EmailLogInAnswer>;

/** What opens an account that has no address: a guest's secret, or a token of a trusted issuer. */
export const OwnerProof = z.union([
  z.object({ secret: z.string().min(20).max(128) }),
  z.object({ token: z.string().min(1).max(8_192) }),
]);

/**
 * `POST /v1/me/email`: the player's log-ins stay; the address is one more way in. So an access token alone
 * does not do: whoever found one would have the account for good.
 */
export const LinkEmailRequest = z.object({
  email: EmailAddress,
  password: Password,
  proof: OwnerProof,
});
export type LinkEmailRequest = z.input<typeof LinkEmailRequest>;
export const LinkEmailAnswer = Me.extend({ deviceToken: DeviceToken });
export type LinkEmailAnswer = z.infer<typeof LinkEmailAnswer>;

/** `POST /v1/me/password`: ends every other log-in of the player. */
export const PasswordChange = z.object({
  password: Password,
  newPassword: Password,
  device: Device,
});
export type PasswordChange = z.input<typeof PasswordChange>;

/** `POST /v1/emails/reset`: answers the same whether there is such an address or not. */
export const ResetRequest = z.object({
  email: EmailAddress,
  deviceToken: DeviceToken.optional(),
});
export type ResetRequest = z.input<typeof ResetRequest>;

/** `POST /v1/emails/reset/confirm`, with the token that came by mail. */
export const ResetConfirm = z.object({
  token: z.string().min(20).max(128),
  password: Password,
  device: Device,
});
export type ResetConfirm = z.input<typeof ResetConfirm>;
