package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/cli"
	"github.com/pawlkv/pawl/kv"
)

// Exit statuses.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
	exitSignal = 128 // and the signal's number
)

// exit prints an error of a command as one line and returns the status to exit
// with.
func exit(stderr io.Writer, ran *cobra.Command, err error) int {
	if err == nil {
		return exitDone
	}
	fmt.Fprintf(stderr, "pawl: %s\n", cli.Shown(explain(ran, err)))
	if sig, ok := interruptedBy(ran, err); ok {
		return exitSignal + int(sig)
	}
	var usage *cli.UsageError
	if errors.As(err, &usage) {
		return exitUsage
	}
	return exitFailed
}

// explain returns one line that says what is wrong and what to do.
func explain(ran *cobra.Command, err error) string {
	if _, ok := interruptedBy(ran, err); ok {
		return strings.TrimSuffix("interrupted: "+naming(ran, whenInterrupted(ran)), ": ")
	}
	text := plain(err)
	if do := naming(ran, adviceFor(ran.Name(), pawl.CodeOf(err))); do != "" && !strings.Contains(text, do) {
		text += " (" + do + ")"
	}
	return text
}

// fullName is a command's name with those of the commands that it is below.
func fullName(ran *cobra.Command) string {
	return strings.TrimPrefix(ran.CommandPath(), ran.Root().Name()+" ")
}

// naming puts the store that a command was given into what is said about it.
func naming(ran *cobra.Command, text string) string {
	if args := ran.Flags().Args(); len(args) > 0 && strings.Contains(ran.Use, " STORE") {
		return strings.ReplaceAll(text, "STORE", args[0])
	}
	return text
}

// passedOver is the error of a command that has done all but what damaged
// records are needed for, nil if there were none.
func passedOver(n int) error {
	if n == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s could not be used", kv.ErrCorrupt, counted(n, "record"))
}

// isOnlyDamage reports whether an error says that something is damaged and the rest
// was done, so that what was done is to be printed.
func isOnlyDamage(err error) bool { return err == nil || errors.Is(err, kv.ErrCorrupt) }

// tellDamage says on standard error that a command had to do without some
// records of a peer, and is done all the same.
func tellDamage(cmd *cobra.Command, n int) {
	if n > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "pawl: %s of this peer could not be used (%s)\n", counted(n, "damaged record"), naming(cmd, "'pawl check STORE' lists what is broken"))
	}
}

// oneStore is for commands that take a store and nothing else.
func oneStore(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 1 && args[0] != "":
		return nil
	case len(args) == 0 || args[0] == "":
		return errors.New("give a store")
	}
	return fmt.Errorf("want one store, not %d", len(args))
}

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
	{"base64", errBase64, "body is not base64"},
}

// ofMessage are the codes of pawl that a line has. Those that give a message no
// other chance in this store are all here.
var ofMessage = []pawl.Code{
	"corrupt", "newer", "set_aside", "retired", "message_type", "version", "malformed", "sender_mismatch", "self", "already_processed",
	"unknown_one_time_key", "one_time_key_used", "session_pruned", "ratchet_key", "untried", "unknown_session", "key_gone", "gap",
	"unknown_chain", "zero_secret", "exhausted", "mac",
}

// storeFailed is the code of all else: it is not the message's fault, and the
// command fails.
const storeFailed pawl.Code = "store"

// ending is what a line's code means for the lines that follow.
type ending int

const (
	goesOn     ending = iota // it is this line's own fault
	failsAtEnd               // the store's: others may decrypt, and the command fails at its end
	endsStream               // every further line would fail in the same way
)

func endingOf(code pawl.Code) ending {
	switch code {
	case "corrupt", "newer", "set_aside":
		return failsAtEnd
	case "retired", storeFailed:
		return endsStream
	}
	return goesOn
}

// lineCode names, for programs, why a line was not decrypted. The set is
// closed, like that of pawl.
func lineCode(err error) pawl.Code {
	for _, c := range own {
		if errors.Is(err, c.about) {
			return c.code
		}
	}
	code := pawl.CodeOf(err)
	if slices.Contains(ofMessage, code) {
		return code
	}
	return storeFailed
}
