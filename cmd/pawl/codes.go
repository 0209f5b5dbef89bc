package main

import (
	"errors"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
)

// codes name why a message was not decrypted, for programs. The set is closed:
// a code is not renamed, and new ones come with a new version. An error has the
// first code that fits.
var codes = []struct {
	code  string
	about error
	means string
}{
	{"corrupt", kv.ErrCorrupt, "records in the store are damaged or missing"},
	{"retired", account.ErrRetired, "the account was moved to another store"},
	{"too_long", errTooLong, "the line is longer than 1 MiB"},
	{"sender_key", errSenderKey, "sender_key is not a key"},
	{"json", errJSON, "the line is not a message in JSON"},
	{"base64", errBase64, "body is not unpadded base64"},
	{"message_type", pawl.ErrMessageType, "type is neither 0 nor 1"},
	{"version", ratchet.ErrVersion, "the message is not of version 3"},
	{"malformed", ratchet.ErrMalformed, "the body is not an Olm message"},
	{"sender_mismatch", account.ErrSender, "a pre-key message of another sender than sender_key"},
	{"self", pawl.ErrSelf, "sender_key is the account's own"},
	{"already_processed", pawl.ErrAlreadyProcessed, "decrypted before, and acknowledged"},
	{"unknown_one_time_key", pawl.ErrUnknownOneTimeKey, "a pre-key message for a key that is not ours, or no longer"},
	{"one_time_key_used", otk.ErrUsed, "a pre-key message for a key that opened another session"},
	{"session_pruned", session.ErrPruned, "the message's session was given up for newer ones"},
	{"unknown_session", pawl.ErrUnknownSession, "no session with this sender"},
	{"key_gone", ratchet.ErrKeyGone, "the message's key was used or dropped"},
	{"gap", ratchet.ErrGap, "more than 2000 messages are missing before this one"},
	{"unknown_chain", ratchet.ErrUnknownChain, "of a chain that the sender cannot have begun"},
	{"zero_secret", ratchet.ErrZeroSecret, "the sender's key is of low order"},
	{"exhausted", ratchet.ErrExhausted, "the chain has no index left"},
	{"mac", ratchet.ErrMAC, "changed on its way, or made with other keys"},
}

// storeFailed is the code of all else: it is not the message's fault, and the
// command fails.
const storeFailed = "store"

func codeOf(err error) string {
	for _, c := range codes {
		if errors.Is(err, c.about) {
			return c.code
		}
	}
	return storeFailed
}
