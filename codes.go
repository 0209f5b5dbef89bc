package pawl

import (
	"context"
	"errors"
	"slices"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/canonicaljson"
	"github.com/pawlkv/pawl/internal/machine/lineage"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/roomkeyfile"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
	"github.com/pawlkv/pawl/txn/seal"
)

// Code names an error for programs that cannot hold a Go error: "mac", say.
// docs/errors.md lists all codes, with what the caller may do.
//
// The list is closed: a code is never renamed and keeps its meaning, and one is
// added only with a new version. In Go, errors.Is says the same and more.
type Code string

// CodeOther is the code of an error of none of the known kinds: of the random
// source, or of a Witness, that the caller supplied, or of the system.
const CodeOther Code = "other"

// Remedy is what the caller may do about an error. Whatever it is, nothing that
// was derived in the call has left, so nothing is to be released, and nothing
// to be taken back.
type Remedy string

const (
	// RemedyNone: the answer is final. Nothing has changed, and the same call
	// has the same answer until something else changes.
	RemedyNone Remedy = "none"
	// RemedyCall: call in another way: what was given is wrong or missing.
	RemedyCall Remedy = "call"
	// RemedyRetry: make the same call again, now or later. If its writes were
	// made after all it meets them.
	RemedyRetry Remedy = "retry"
	// RemedyReopen: close the store, open it again, and make the same call.
	RemedyReopen Remedy = "reopen"
	// RemedySpace: free some space and make the same call again.
	RemedySpace Remedy = "space"
	// RemedyMend: somebody must change what the text names (rights, a directory,
	// a disk), and then make the same call again. Waiting does not help.
	RemedyMend Remedy = "mend"
	// RemedyUpdate: update the program, here or where the store is shared, and
	// make the same call again.
	RemedyUpdate Remedy = "update"
	// RemedyRecover: call Machine.Recover, then make the same call again.
	RemedyRecover Remedy = "recover"
	// RemedyRepair: Machine.Check lists what is broken. Do not encrypt with an
	// older copy of the store before Machine.Recover.
	RemedyRepair Remedy = "repair"
)

// codes in the order in which they are asked for: an error has the first that
// fits. What is unknown comes before why it is, and what wrote a record before
// that it cannot be read.
var codes = []struct {
	code   Code
	remedy Remedy
	means  string
	errs   []error
}{
	// What became of the call.
	{"undecided", RemedyReopen, "the engine failed while it committed, and cannot tell the outcome while it is open", []error{kv.ErrUndecided}},
	{"not_erased", RemedyRetry, "the store is sealed anew, and its files still hold what the old passphrase or key opens: erase it (Store.Erase)",
		[]error{ErrNotErased}},
	{"unknown", RemedyRetry, "the commit may have been applied or not, and its result is withheld for good", []error{kv.ErrUnknown}},
	{"starved", RemedyRetry, "others changed what the call reads each time it ran", []error{kv.ErrConflict}},

	// A way on, also where the sessions that there were cannot be read.
	{"no_session", RemedyCall, "no session to encrypt in: pass one of the peer's one-time keys", []error{ErrNoSession}},

	// Of what is stored.
	{"newer", RemedyUpdate, "a newer version wrote the store or the record, or shares the store",
		[]error{kv.ErrNewer, account.ErrVersion, seal.ErrVersion, txn.ErrFormat}},
	{"keyring", RemedyRepair, "the keyring record is damaged, and nothing opens without it: restore it from a copy", []error{seal.ErrFormat, ErrNoKeyring}},
	{"corrupt", RemedyRepair, "records in the store are damaged or missing",
		[]error{kv.ErrCorrupt, seal.ErrDamaged, account.ErrFormat, ratchet.ErrFormat}},
	{"unusable", RemedyMend, "the system does not let the store be used where it is: its text says what is to be mended",
		[]error{kv.ErrUnusable}},
	{"foreign", RemedyCall, "the path holds something else than a store", []error{kv.ErrForeign}},
	{"unsupported", RemedyCall, "the engine is not known to work in this program or on this system", []error{errors.ErrUnsupported}},

	// Of the account.
	{"retired", RemedyNone, "the account was moved to another store", []error{account.ErrRetired}},
	{"needs_recovery", RemedyRecover, "the store went back in time, or nobody can tell: nothing is sent", []error{ErrNeedsRecovery}},
	{"unwitnessed", RemedyCall, "the store has a witness and was opened without it: nothing is sent", []error{ErrUnwitnessed}},
	{"no_account", RemedyCall, "the store has no account for this user and device", []error{ErrNoAccount}},
	{"account_exists", RemedyCall, "the store has this account already", []error{ErrAccountExists}},
	{"format1", RemedyUpdate, "the account is of format 1, and older programs keep it from being raised: close or update them", []error{ErrFormat1}},
	{"moved_on", RemedyCall, "the store has changed since it was copied: copy it again", []error{ErrMovedOn}},
	{"not_empty", RemedyCall, "what is to become a copy is a store already", []error{ErrNotEmpty}},
	{"copy_differs", RemedyCall, "the copy does not hold what the store does: copy it again", []error{lineage.ErrDiffers}},
	{"not_retired", RemedyCall, "the copy cannot be completed while accounts of its source are not retired", []error{ErrNotRetired}},
	{"nothing_to_move", RemedyNone, "the store has no account that was not moved already", []error{ErrNothingToMove}},

	// Of what was given.
	{"passphrase", RemedyCall, "wrong passphrase or key", []error{seal.ErrPassphrase, roomkeyfile.ErrPassphrase}},
	{"cost", RemedyCall, "what a passphrase is to take is too little to be safe, or too much to be opened", []error{seal.ErrCost}},
	{"no_key", RemedyCall, "neither a passphrase nor a key was given", []error{ErrNoKey}},
	{"room_key_file", RemedyCall, "not a room key file, or one that is cut off, damaged, or asks for too many rounds",
		[]error{roomkeyfile.ErrFormat, roomkeyfile.ErrCut, roomkeyfile.ErrVersion, roomkeyfile.ErrRounds}},
	{"room_key_file_changed", RemedyRetry, "somebody has written to the room key file while it was read", []error{roomkeyfile.ErrChanged}},
	{"room_key_file_use", RemedyCall, "the room key file is not unlocked, or finished, or would have an empty passphrase",
		[]error{roomkeyfile.ErrLocked, roomkeyfile.ErrClosed, roomkeyfile.ErrEmpty}},
	{"user_id", RemedyCall, "not a Matrix user id", []error{matrix.ErrUserID}},
	{"device_id", RemedyCall, "not a device id", []error{matrix.ErrDeviceID}},
	{"room_id", RemedyCall, "not a Matrix room id", []error{matrix.ErrRoomID}},
	{"event_id", RemedyCall, "not a Matrix event id", []error{matrix.ErrEventID}},
	{"key_id", RemedyCall, "not the id of a one-time key", []error{otk.ErrMalformed}},
	{"key", RemedyCall, "not an Ed25519 key", []error{account.ErrKey}},
	{"json", RemedyCall, "not JSON, or JSON that has no canonical form",
		[]error{canonicaljson.ErrSyntax, canonicaljson.ErrNumber, canonicaljson.ErrDuplicate, canonicaljson.ErrType}},
	{"signature", RemedyNone, "the signature is not that of the key", []error{account.ErrSignature, group.ErrSignature}},
	{"unsigned", RemedyNone, "the object has no signature by this user and key", []error{account.ErrUnsigned}},
	{"identity", RemedyCall, "the user has another master key, or none that is known: show the one that there is", []error{ErrIdentity}},
	{"key_count", RemedyCall, "an upload has 0 to 1000 one-time keys", []error{ErrOneTimeKeyCount}},
	{"key_stage", RemedyNone, "the one-time key was published or given up before", []error{otk.ErrStage}},
	{"unknown_key_id", RemedyCall, "no one-time key has this id", []error{otk.ErrUnknownID}},
	{"keys_full", RemedyNone, "the store has 5000 one-time keys", []error{otk.ErrFull}},
	{"keys_exhausted", RemedyNone, "all ids of one-time keys were given out", []error{otk.ErrExhausted}},

	// Of an import.
	{"import", RemedyCall, "this cannot be the device of one program, or the list of pickles is none", []error{ErrImport}},
	{"import_begun", RemedyCall, "an import of this account from something else was begun and not finished", []error{ErrImportBegun}},
	{"pickle_key", RemedyCall, "wrong pickle key", []error{ErrPickleKey}},
	{"pickle_version", RemedyCall, "the pickle is of a version, or a form, that is not read", []error{ErrPickleVersion}},
	{"pickle_damaged", RemedyCall, "the pickle is damaged", []error{ErrPickleDamaged}},

	// Of requests.
	{"no_request", RemedyNone, "there is no such request, or its answer was applied", []error{ErrNoRequest}},
	{"device_taken", RemedyMend, "the server has other keys under this device's name: log in as another device", []error{ErrDeviceTaken}},
	{"answer", RemedyCall, "the response is none to this request", []error{ErrAnswer}},

	// Of a sync and its events.
	{"response", RemedyCall, "not the response of a sync", []error{ErrResponse}},
	{"event", RemedyNone, "not a to-device event", []error{ErrEvent}},
	{"event_size", RemedyNone, "a to-device event above 1 MiB", []error{ErrEventSize}},
	{"not_olm", RemedyNone, "a to-device event that is encrypted with something else than Olm", []error{ErrNotOlm}},
	{"not_for_us", RemedyNone, "a to-device event without ciphertext for this device", []error{ErrNotForUs}},
	{"other_sender", RemedyNone, "sender_key is that of another user's device", []error{ErrSenderKey}},
	{"payload", RemedyNone, "decrypted, and not between whom it must be", []error{ErrPayload}},
	{"unencrypted", RemedyNone, "counts only if it is encrypted", []error{ErrUnencrypted}},

	// Of a message.
	{"message_type", RemedyNone, "type is neither 0 nor 1", []error{ErrMessageType}},
	{"version", RemedyNone, "the message is not of version 3", []error{ratchet.ErrVersion, group.ErrVersion}},
	{"malformed", RemedyNone, "not a message, or not a key", []error{ratchet.ErrMalformed, group.ErrMalformed}},
	{"sender_mismatch", RemedyNone, "a pre-key message of another sender than sender_key", []error{account.ErrSender}},
	{"self", RemedyNone, "sender_key is the account's own", []error{ErrSelf}},
	{"already_processed", RemedyNone, "decrypted before, and acknowledged", []error{ErrAlreadyProcessed}},
	{"unknown_one_time_key", RemedyNone, "a pre-key message for a key that is not ours, or no longer", []error{ErrUnknownOneTimeKey}},
	{"one_time_key_used", RemedyNone, "a pre-key message for a key that opened another session", []error{otk.ErrUsed}},
	{"session_pruned", RemedyNone, "the message's session was given up for newer ones", []error{session.ErrPruned}},
	{"ratchet_key", RemedyNone, "another session with the sender has the message's ratchet key", []error{session.ErrRatchetKey}},
	{"untried", RemedyNone, "too far ahead to be tried in all sessions with the sender", []error{ErrUntried}},
	{"unknown_session", RemedyNone, "no session with this sender", []error{ErrUnknownSession}},
	{"key_gone", RemedyNone, "the message's key was used or dropped", []error{ratchet.ErrKeyGone}},
	{"gap", RemedyNone, "more than 2000 messages are missing before this one", []error{ratchet.ErrGap}},
	{"unknown_chain", RemedyNone, "of a chain that the sender cannot have begun", []error{ratchet.ErrUnknownChain}},
	{"zero_secret", RemedyNone, "the peer's key is of low order", []error{ratchet.ErrZeroSecret}},
	{"exhausted", RemedyNone, "the chain has no index left: to send, open a new session", []error{ratchet.ErrExhausted, group.ErrExhausted}},
	{"mac", RemedyNone, "changed on its way, or made with other keys", []error{ratchet.ErrMAC, group.ErrMAC}},

	// Of a room key, and of an event of a room.
	{"not_shared", RemedyCall, "the room key is not shared with everybody who is to have it: share it (Machine.ShareRoomKey)", []error{ErrNotShared}},
	{"rotate", RemedyCall, "the room key is not to be used any more: share another (Machine.ShareRoomKey)", []error{ErrRotate}},
	{"settings", RemedyCall, "no such visibility or strategy, or a strategy that wants another call", []error{group.ErrSettings}},
	{"no_room_key", RemedyNone, "the key of the message's session is not there", []error{group.ErrNoKey}},
	{"too_early", RemedyNone, "the key of the message's session begins after it", []error{group.ErrTooEarly}},
	{"forgotten", RemedyNone, "the room key was deleted on purpose", []error{group.ErrForgotten}},
	{"replay", RemedyNone, "another event has the message already", []error{ErrReplay}},
	{"other_room", RemedyNone, "the session, or the message, is of another room", []error{ErrOtherRoom}},
	{"other_user", RemedyNone, "the session is by a device of another user", []error{ErrOtherUser}},
	{"content", RemedyNone, "the content is not of the form that the event's type has", []error{ErrContent, group.ErrNotice}},
	{"algorithm", RemedyNone, "the algorithm is not m.megolm.v1.aes-sha2", []error{ErrAlgorithm}},
	{"session_id", RemedyNone, "the session id is not that of the room key", []error{ErrSessionID}},
	{"plain", RemedyNone, "a room key came without being encrypted", []error{ErrPlain}},
	{"not_requested", RemedyNone, "nobody asked for the forwarded room key", []error{ErrNotRequested}},
	{"nobody_to_ask", RemedyNone, "no own verified device could be asked for the room key", []error{ErrNobodyToAsk}},
	{"unsettled", RemedyNone, "a device that nobody knows yet has sent too many room keys", []error{ErrUnsettled}},
	{"contradicts", RemedyNone, "the room key is not of the ratchet that is stored", []error{ErrContradicts}},
	{"provenance", RemedyCall, "a room key to be imported is not one, or says that a device sent it", []error{ErrProvenance, group.ErrSource}},
	{"extra", RemedyCall, "extra record: the space, the name or the value is empty or too long", []error{ErrExtra}},
	{"forget_all", RemedyCall, "room keys to forget: of which room, device or session", []error{ErrForgetAll}},

	// Of what was repaired.
	{"set_aside", RemedyNone, "the record was damaged, and repair has set it aside: it is gone", []error{txn.ErrSetAside}},

	// Of the store. Nothing was applied.
	{"disk_full", RemedySpace, "there is no room for the commit; reading goes on", []error{kv.ErrDiskFull}},
	{"too_large", RemedyCall, "the call writes more than one commit takes: give it less at once", []error{kv.ErrTooLarge}},
	{"in_use", RemedyRetry, "another process has the store open, and the engine does not share it", []error{kv.ErrInUse}},
	{"superseded", RemedyUpdate, "a newer program has taken the store over: reload the page", []error{kv.ErrSuperseded}},
	{"deleted", RemedyReopen, "the store was deleted while it was open", []error{kv.ErrDeleted}},
	{"closed", RemedyReopen, "the store was closed", []error{kv.ErrClosed}},
	{"invalid", RemedyCall, "the call makes no sense for any engine", []error{kv.ErrInvalid}},
	{"unavailable", RemedyRetry, "the store could not be reached", []error{kv.ErrUnavailable}},
	{"canceled", RemedyRetry, "the caller's context was canceled", []error{context.Canceled}},
	{"deadline", RemedyRetry, "the deadline of the caller's context has passed", []error{context.DeadlineExceeded}},
	{CodeOther, RemedyRetry, "of no kind named here; its text says more", nil},
}

// CodeOf returns the code of an error that a call of this module returned, and
// "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	for _, c := range codes {
		if slices.ContainsFunc(c.errs, func(known error) bool { return errors.Is(err, known) }) {
			return c.code
		}
	}
	return CodeOther
}

// Codes returns all codes. An error that is of several kinds has the first.
func Codes() []Code {
	all := make([]Code, len(codes))
	for i, c := range codes {
		all[i] = c.code
	}
	return all
}

// Means says in a few words what has happened, and is empty for what is not a
// code.
func (c Code) Means() string {
	for _, known := range codes {
		if known.code == c {
			return known.means
		}
	}
	return ""
}

// Remedy returns what the caller may do, and "" for what is not a code.
func (c Code) Remedy() Remedy {
	for _, known := range codes {
		if known.code == c {
			return known.remedy
		}
	}
	return ""
}
