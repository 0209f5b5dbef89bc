package main

import (
	"errors"

	"github.com/pawlkv/pawl"
)

// own are the codes of a line that is no message: the command's, beside those
// of package pawl.
var own = []struct {
	code  pawl.Code
	about error
	means string
}{
	{"too_long", errTooLong, "the line is longer than 1 MiB"},
	{"sender_key", errSenderKey, "sender_key is not a key"},
	{"json", errJSON, "the line is not a message in JSON"},
	{"base64", errBase64, "body is not unpadded base64"},
}

// ofMessage are the codes of pawl that a message has. Those that give it no
// other chance in this store are all here.
var ofMessage = []pawl.Code{
	"corrupt", "newer", "retired", "message_type", "version", "malformed", "sender_mismatch", "self", "already_processed",
	"unknown_one_time_key", "one_time_key_used", "session_pruned", "unknown_session", "key_gone", "gap", "unknown_chain", "zero_secret",
	"exhausted", "mac",
}

// storeFailed is the code of all else: it is not the message's fault, and the
// command fails.
const storeFailed pawl.Code = "store"

// lineCode names, for programs, why a line was not decrypted. The set is
// closed, like that of pawl.
func lineCode(err error) pawl.Code {
	for _, c := range own {
		if errors.Is(err, c.about) {
			return c.code
		}
	}
	code := pawl.CodeOf(err)
	for _, of := range ofMessage {
		if code == of {
			return code
		}
	}
	return storeFailed
}
