package pawl

import (
	"errors"

	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/devices"
	"github.com/pawlkv/pawl/internal/machine/imports"
	"github.com/pawlkv/pawl/internal/machine/keyrequests"
	"github.com/pawlkv/pawl/internal/machine/keys"
	"github.com/pawlkv/pawl/internal/machine/lineage"
	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/internal/machine/receive"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/roomkeys"
	"github.com/pawlkv/pawl/internal/machine/rooms"
	"github.com/pawlkv/pawl/internal/machine/todevice"
	"github.com/pawlkv/pawl/internal/pickle"
	"github.com/pawlkv/pawl/txn"
)

// Errors of opening and sealing a store, and of finding accounts.
var (
	// ErrNoKey: Open was given neither a passphrase nor a key.
	ErrNoKey = errors.New("pawl: the store is sealed: give Open a passphrase or a key")
	// ErrNotErased: the passphrase or key was changed, and the store's files still
	// hold a record that the old one opens. The error says why; call Store.Erase.
	ErrNotErased = machine.ErrNotErased
	// ErrAccountExists: the store has an account for this user and device.
	ErrAccountExists = machine.ErrAccountExists
	// ErrNoAccount: the store has no account for this user and device.
	ErrNoAccount = machine.ErrNoAccount
)

// Errors of decrypting and encrypting. Nothing changed: the message may be
// tried again, and the sessions are as good as before.
var (
	// ErrMessageType: the message's type is neither 0 nor 1.
	ErrMessageType = todevice.ErrMessageType
	// ErrUnknownSession: a normal message from a sender that we have no
	// session with.
	ErrUnknownSession = todevice.ErrUnknownSession
	// ErrUnknownOneTimeKey: a pre-key message for a key that is not, or no
	// longer, one of ours.
	ErrUnknownOneTimeKey = todevice.ErrUnknownOneTimeKey
	// ErrAlreadyProcessed: the message was decrypted before, and its key is
	// gone because it was acknowledged. Not a sign of a broken session.
	ErrAlreadyProcessed = todevice.ErrAlreadyProcessed
	// ErrUntried: no session that the message was tried in decrypts it, and it
	// was not tried in all, since one message may cost no more: its index is
	// above 62 and no session decrypts it at that. Not a sign of a broken
	// session.
	ErrUntried = todevice.ErrUntried
	// ErrNoSession: encrypting to a peer that we have no session with. Claim
	// one of its one-time keys and pass it with WithOneTimeKey.
	ErrNoSession = todevice.ErrNoSession
	// ErrSelf: the peer's identity key is the account's own.
	ErrSelf = todevice.ErrSelf
	// ErrNeedsRecovery: the store went back in time, or nobody can tell, so that
	// encrypting could use a message key, and an upload a key id, twice. The
	// error says which. Call Machine.Recover; decrypting goes on meanwhile.
	ErrNeedsRecovery = machine.ErrNeedsRecovery
	// ErrUnwitnessed: the store has a witness (see WithWitness) and was opened
	// without it, or with the engine's instead of a caller's own, so that nobody can tell whether it is a copy. Open it with its
	// witness to encrypt and to upload keys; decrypting goes on meanwhile.
	ErrUnwitnessed = machine.ErrUnwitnessed
	// ErrOneTimeKeyCount: an upload was asked for with a number of one-time
	// keys out of range.
	ErrOneTimeKeyCount = keys.ErrCount
)

// Errors of room keys and of events of rooms. Nothing changed.
var (
	// ErrPlain: a room key came without being encrypted for this device.
	ErrPlain = roomkeys.ErrPlain
	// ErrContent: the content of an event is not JSON, or not of the form that its
	// type has.
	ErrContent = roomkeys.ErrContent
	// ErrAlgorithm: the algorithm is not m.megolm.v1.aes-sha2.
	ErrAlgorithm = roomkeys.ErrAlgorithm
	// ErrSessionID: the session id of a room key is not that of the key in it.
	ErrSessionID = roomkeys.ErrSessionID
	// ErrOtherRoom: a room key or an event names a session of another room, or the
	// message was made for another room than the one it is in.
	ErrOtherRoom = roomkeys.ErrOtherRoom
	// ErrNotRequested: a forwarded room key that no open request of ours asks for, or
	// not by an own verified device.
	ErrNotRequested = roomkeys.ErrNotRequested
	// ErrUnsettled: a device that no answer to /keys/query has shown has sent 256
	// room keys: no more are kept until one does.
	ErrUnsettled = roomkeys.ErrUnsettled
	// ErrOtherUser: the session was made by a device of another user than the
	// event's sender.
	ErrOtherUser = roomkeys.ErrOtherUser
	// ErrNobodyToAsk: the account has no verified device of its own that could be asked
	// for a room key.
	ErrNobodyToAsk = keyrequests.ErrNobody
	// ErrReplay: another event has this message already.
	ErrReplay = roomkeys.ErrReplay
	// ErrNotShared: not every device that is to have the room key is given it, or known
	// not to get it: call ShareRoomKey. The error is a [NotSharedError].
	ErrNotShared = rooms.ErrNotShared
	// ErrRotate: the room key is used up, or not to be used any more: call
	// ShareRoomKey. The error is a [RotateError].
	ErrRotate = rooms.ErrRotate
	// ErrExtra: a space or a name of an extra record is empty or too long, or its value
	// is: see MaxExtraSpace, MaxExtraName, MaxExtraValue.
	ErrExtra = records.ErrExtra
	// ErrForgetAll: ForgetRoomKeys was not told of what.
	ErrForgetAll = roomkeys.ErrForgetAll
	// ErrProvenance: a room key to be imported that says it came from a device.
	ErrProvenance = roomkeys.ErrProvenance
	// ErrContradicts: a room key is not of the ratchet of what is stored of its
	// session, and not better, so that what is stored is kept.
	ErrContradicts = roomkeys.ErrContradicts
)

// Errors of requests and their answers. Nothing changed.
var (
	// ErrFormat1: the call needs an account of format 2, and this one could not be
	// raised: an older program has the store open. Close it, and call again.
	ErrFormat1 = machine.ErrFormat1
	// ErrNoRequest: there is no such request: it was never made or handed out, or its
	// answer was applied, or it was given up, perhaps by another process.
	ErrNoRequest = outbox.ErrNoRequest
	// ErrAnswer: the response is none to this request: not JSON, or of another shape.
	// MarkFailed says what became of the request.
	ErrAnswer = outbox.ErrAnswer
	// ErrDeviceTaken: the server has other keys under this user and device id, so
	// that nobody would take this device for what it is: log in as a new device, or
	// delete that one. OutgoingRequests looks again after an hour.
	ErrDeviceTaken = keys.ErrDeviceTaken
)

// ErrResponse: what was handed in is not the response of a sync, or a transaction, as
// the specification has it. Nothing was changed.
var ErrResponse = receive.ErrResponse

// Errors of to-device events; see [RefusedEvent].
var (
	// ErrEvent: it is not a to-device event, or one of m.room.encrypted without what
	// that has.
	ErrEvent = receive.ErrEvent
	// ErrEventSize: it has more than 1 MiB.
	ErrEventSize = receive.ErrEventSize
	// ErrNotOlm: it is encrypted with something else than
	// m.olm.v1.curve25519-aes-sha2.
	ErrNotOlm = receive.ErrNotOlm
	// ErrNotForUs: it has no ciphertext for this device.
	ErrNotForUs = receive.ErrNotForUs
	// ErrSenderKey: its sender_key is that of another user's device. It was not
	// decrypted.
	ErrSenderKey = receive.ErrSenderKey
	// ErrPayload: it was decrypted, and does not say what it must of its sender, its
	// recipient and their keys; a [PayloadError] says which.
	ErrPayload = receive.ErrPayload
	// ErrUnencrypted: an event of its type counts only if it is encrypted.
	ErrUnencrypted = receive.ErrUnencrypted
)

// PayloadError is an ErrPayload that names the field of the decrypted event which is
// missing, of another type, or of another user, device or key.
type PayloadError = receive.PayloadError

// ErrIdentity: the user has another master key than the one that was accepted or
// verified, or none that is known. Show the one that there is.
var ErrIdentity = devices.ErrIdentity

// ErrSetAside: the record was damaged, and [Store.Repair] has set it aside: it is
// gone for good. Of an account: the account is lost. Of a message it comes with
// ErrAlreadyProcessed, session.ErrPruned or ErrUnknownOneTimeKey.
var ErrSetAside = txn.ErrSetAside

// ErrNoKeyring: what could be read of a damaged store has no keyring, without
// which nothing in it opens. It is a kv.ErrCorrupt.
var ErrNoKeyring = lineage.ErrNoKeyring

// Errors of moving a store.
var (
	// ErrMovedOn: the store has changed since it was copied. Nothing was
	// retired: copy it again.
	ErrMovedOn = lineage.ErrMovedOn
	// ErrNotEmpty: what a store is to be copied to is a store already, perhaps the
	// same one by another name.
	ErrNotEmpty = lineage.ErrNotEmpty
	// ErrNotRetired: completing a copy while accounts of the source are not
	// retired, so that they would work in two places.
	ErrNotRetired = lineage.ErrNotRetired
	// ErrNothingToMove: the store has no account that is not retired.
	ErrNothingToMove = lineage.ErrNothingToMove
)

// Errors of importing a device of another program. Nothing was changed.
var (
	// ErrImport: what was given cannot be the device of one program: a session or a key
	// is there twice, or of somebody else, or what a list has to say is missing.
	ErrImport = imports.ErrDevice
	// ErrImportBegun: an import of the account from something else was begun, and is to
	// be finished first.
	ErrImportBegun = imports.ErrBegun
	// ErrPickleKey: the key of the pickles is another.
	ErrPickleKey = pickle.ErrKey
	// ErrPickleVersion: a pickle is of a version that is not read: its text says which.
	ErrPickleVersion = pickle.ErrVersion
	// ErrPickleDamaged: a pickle was changed, or is cut off.
	ErrPickleDamaged = pickle.ErrDamaged
)
