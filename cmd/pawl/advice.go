package main

import (
	"context"
	"errors"
	"os"
	"slices"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/pawlkv/pawl"
)

// advice says what to do about errors whose own text does not, by code, to the
// commands that are named, or to all that no line before names. STORE is the
// store that the command was given.
var advice = []struct {
	code     pawl.Code
	commands []string
	do       string
}{
	{"no_session", []string{"encrypt"}, "claim one of its one-time keys and give it with --one-time-key"},
	{"exhausted", []string{"encrypt"}, "open a new session with --one-time-key"},
	{"already_processed", []string{"decrypt"}, "nothing is wrong with the session"},
	{"keys_full", []string{"keys"}, "upload no more keys until some were used"},
	{"key_stage", []string{"keys"}, "something else was told of this body before"},
	{"too_large", []string{"decrypt"}, "give a smaller --batch"},
	{"too_large", []string{"keys"}, "give a smaller --count"},
	{"needs_recovery", []string{"recover"}, "run the command again"},
	{"needs_recovery", nil, "make sure that no other copy of it is in use, and run 'pawl recover STORE'"},
	{"retired", []string{"convert"}, ""}, // it says so
	{"retired", nil, "use that store"},
	{"newer", nil, "update pawl"},
	{"pickle_key", nil, "give the key that the old program used"},
	{"import_begun", nil, "give the file with which the import was begun"},

	{"disk_full", []string{"decrypt"}, "free some space and give again what was not answered; the store is unharmed"},
	{"disk_full", nil, "free some space and run the command again; the store is unharmed"},
	{"unknown", []string{"decrypt"}, "give again what was not answered"},
	{"unavailable", []string{"decrypt"}, "give again what was not answered"},
	{"undecided", []string{"decrypt"}, "give again what was not answered"},
	{"starved", []string{"decrypt"}, "give again what was not answered"},
	{"unknown", nil, "run the command again"},
	{"undecided", nil, "run the command again"},
	{"unavailable", nil, "run the command again"},
	{"starved", nil, "run the command again"},
	{"not_erased", []string{"sweep"}, "run the command again"},
	{"not_erased", nil, "run 'pawl sweep STORE'"},

	{"corrupt", []string{"check"}, "'pawl repair STORE' says what can be done; do not encrypt with an older copy of the store"},
	{"corrupt", []string{"repair"}, "do not encrypt with an older copy of the store before 'pawl recover'"},
	{"corrupt", nil, "'pawl check STORE' lists what is broken, and 'pawl repair STORE' says what can be done; do not encrypt with an older copy of the store"},
	{"keyring", []string{"recover"}, "put back the store's files from a copy, and run the command again before anything is sent"},
	{"keyring", nil, "put back the store's files from a copy, and run 'pawl recover STORE' before anything is sent"},
}

func adviceFor(command string, code pawl.Code) string {
	for _, a := range advice {
		if a.code == code && (a.commands == nil || slices.Contains(a.commands, command)) {
			return a.do
		}
	}
	return ""
}

// interrupted says what is true of a command that was interrupted, or of one with a
// flag.
var interrupted = map[string]string{
	"pawl":             "nothing was done",
	"init":             "the account was made if 'pawl inspect STORE' shows it",
	"keys":             "nothing was printed: run the command again. A body that was made meanwhile is lost, and 'pawl keys STORE --unknown --all' gives up its keys",
	"keys --published": "the body can be told of again",
	"keys --unknown":   "the same can be told again",
	"encrypt":          "no message was printed, and none that was made will ever be: encrypt again",
	"decrypt":          "what was printed is stored, and the rest can be given again",
	"ack":              "all receipts can be given again",
	"inspect":          "nothing was changed",
	"check":            "nothing was changed",
	"repair":           "nothing was changed",
	"repair --yes":     "what was repaired stays so: run the command again",
	"repair --to":      "the old store is as it was: run the command again, to a place where there is nothing",
	"passwd":           "the store opens with the new passphrase or key, or else with the old one",
	"sweep":            "what was deleted is gone, and the next sweep goes on",
	"delete":           "nothing was changed",
	"delete --yes":     "the account is as it was, or gone for all programs: run the command again, which deletes the rest",
	"recover":          "accounts that were recovered stay so: run the command again",
	"convert":          "the store is where it was, or has moved: run the command again, which goes on or says so",
	"import":           "nothing is sent from the account yet: run the command again, which goes on",
	"import --dry-run": "nothing was changed",
	"version":          "nothing was changed",
	"demo":             "its processes and files are gone",
	"conform":          "what was not tested is not known",
	"bench":            "its processes and files are gone, and no result was written",

	"bench compare":    "nothing was changed",
	"bench report":     "nothing was changed",
	"room-keys":        "nothing was done",
	"room-keys export": "nothing was written, and the store is as it was",
	"room-keys import": "what was imported stays so: run the command again, which goes on",
}

// whenInterrupted says what is true of a command that was interrupted.
func whenInterrupted(ran *cobra.Command) string {
	said := interrupted[fullName(ran)]
	ran.Flags().Visit(func(f *pflag.Flag) {
		if ofFlag, ok := interrupted[fullName(ran)+" --"+f.Name]; ok {
			said = ofFlag
		}
	})
	return said
}

// signaled is why a context has ended: by a signal.
type signaled struct{ syscall.Signal }

// Error implements error.
func (s signaled) Error() string { return s.String() }

// untilSignaled returns a context that ends with the first signal. The second
// ends the process at once.
func untilSignaled(signals <-chan os.Signal, stop func()) context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	go func() {
		sig := <-signals
		stop()
		number, _ := sig.(syscall.Signal)
		cancel(signaled{number})
	}()
	return ctx
}

// interruptedBy returns the signal that a command ended with.
func interruptedBy(ran *cobra.Command, err error) (syscall.Signal, bool) {
	var s signaled
	if ctx := ran.Context(); ctx == nil || !errors.Is(err, context.Canceled) || !errors.As(context.Cause(ctx), &s) {
		return 0, false
	}
	return s.Signal, true
}
