// Package cli is what the commands of pawl share, wherever they live: mistakes
// on the command line, JSON on standard output, and whether there is a terminal.
package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// UsageError is a mistake on the command line.
type UsageError struct{ Err error }

// Error implements error.
func (e *UsageError) Error() string { return e.Err.Error() }

// Unwrap returns what the mistake is.
func (e *UsageError) Unwrap() error { return e.Err }

// Usagef makes a UsageError as fmt.Errorf makes an error.
func Usagef(format string, args ...any) error {
	return &UsageError{fmt.Errorf(format, args...)}
}

// Arguments makes what cobra has to say about arguments a UsageError.
func Arguments(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return Usagef("%w: see '%s --help'", err, cmd.CommandPath())
		}
		return nil
	}
}

// NoSuchCommand checks the arguments of a command that has others below it: it
// is reached with arguments only if none of them is a command.
func NoSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return fmt.Errorf("no command %q, perhaps %q", args[0], near[0])
	}
	return fmt.Errorf("no command %q", args[0])
}

// BindJSON adds --json.
func BindJSON(cmd *cobra.Command, to *bool) {
	cmd.Flags().BoolVar(to, "json", false, "print JSON")
}

// PrintJSON writes a value as one line, without control characters: [ShownJSON].
func PrintJSON(w io.Writer, v any) error {
	e := json.NewEncoder(shownWriter{w})
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// IsTerminal reports whether a stream of a command is one.
func IsTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// IsColored reports whether a stream is a terminal that shows escape sequences,
// to somebody who has not asked for none (https://no-color.org).
func IsColored(stream any) bool {
	return IsTerminal(stream) && runtime.GOOS != "windows" && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}
