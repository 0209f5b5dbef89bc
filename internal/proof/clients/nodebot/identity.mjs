// Cross-signing and verification by emoji of a bot of matrix-sdk-crypto: what its user
// would do, without looking.
import { CollectStrategy, Sas, UserId } from "@matrix-org/matrix-sdk-crypto-wasm";

export const strict = () => CollectStrategy.identityBasedStrategy();

// identify makes cross-signing keys, and publishes them.
export async function identify(bot) {
  const made = await bot.machine.bootstrapCrossSigning(true);
  if (made.uploadKeysRequest) await bot.request(made.uploadKeysRequest);
  await bot.http("POST", "keys/device_signing/upload", made.uploadSigningKeysRequest.body);
  await bot.request(made.uploadSignaturesRequest);
}

// verify goes on with verifications that events are of: it accepts, tells the emoji, and
// confirms that they are the same.
export async function verify(bot, events, say) {
  const senders = new Set(events.filter((e) => e.type.startsWith("m.key.verification.")).map((e) => e.sender));
  for (const user of senders) {
    for (const r of bot.machine.getVerificationRequests(new UserId(user))) {
      const send = async (request) => request && bot.request(request);
      if (r.isCancelled() || r.isDone()) {
        say({ event: r.isDone() ? "verified" : "cancelled", sender: user, body: r.cancelInfo?.reason() });
        continue;
      }
      if (!r.isReady() && !r.weStarted() && !r.getVerification()) await send(r.accept());
      const sas = r.getVerification();
      if (!(sas instanceof Sas)) continue;
      if (!sas.weStarted() && !sas.hasBeenAccepted()) await send(sas.accept());
      if (!sas.canBePresented() || sas.haveWeConfirmed()) continue;
      say({ event: "emoji", sender: user, body: sas.emoji().map((e) => e.description).join(" ") });
      for (const request of await sas.confirm()) await send(request);
    }
  }
}
