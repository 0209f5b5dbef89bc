package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/cli"
)

// Exit statuses.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// advice says what to do about errors whose own text does not, by code.
var advice = map[pawl.Code]string{
	"canceled":          "interrupted: what was printed is stored, and the rest can be given again",
	"no_session":        "claim one of its one-time keys and give it with --one-time-key",
	"already_processed": "nothing is wrong with the session",
	"disk_full":         "free some space and run the command again; the store is unharmed",
	"unknown":           "run the command again",
	"undecided":         "run the command again",
	"unavailable":       "run the command again",
	"too_large":         "give a smaller --batch or --count",
	"corrupt":           "'pawl check STORE' lists what is broken; do not encrypt with an older copy of the store",
	"exhausted":         "open a new session with --one-time-key",
	"keys_full":         "upload no more keys until some were used",
}

// exit prints an error as one line and returns the status to exit with.
func exit(stderr io.Writer, err error) int {
	if err == nil {
		return exitDone
	}
	fmt.Fprintf(stderr, "pawl: %s\n", explain(err))
	var usage *cli.UsageError
	if errors.As(err, &usage) {
		return exitUsage
	}
	return exitFailed
}

// explain returns one line that says what is wrong and what to do.
func explain(err error) string {
	text := strings.TrimPrefix(err.Error(), "pawl: ")
	if do := advice[pawl.CodeOf(err)]; do != "" {
		text += " (" + do + ")"
	}
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}

// oneStore is for commands that take a store and nothing else.
func oneStore(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 1 && args[0] != "":
		return nil
	case len(args) == 0 || args[0] == "":
		return errors.New("give the store's directory")
	}
	return fmt.Errorf("want one store, not %d", len(args))
}
