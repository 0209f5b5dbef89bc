// Reads a room key file as matrix-sdk-crypto does, into a new machine, and writes what
// that has to another file. Both and their passphrase come and go as one JSON object.
import { readFileSync } from "node:fs";
import { DeviceId, OlmMachine, UserId, initAsync } from "@matrix-org/matrix-sdk-crypto-wasm";

await initAsync();
const { file, passphrase, rounds } = JSON.parse(readFileSync(0, "utf8"));
const machine = await OlmMachine.initialize(new UserId("@carol:example.org"), new DeviceId("TABLET"));
const result = await machine.importExportedRoomKeys(OlmMachine.decryptExportedRoomKeys(file, passphrase), () => {});
const keys = await machine.exportRoomKeys(() => true);
process.stdout.write(JSON.stringify({
  imported: result.importedCount, total: result.totalCount, file: OlmMachine.encryptExportedRoomKeys(keys, passphrase, rounds),
}));
