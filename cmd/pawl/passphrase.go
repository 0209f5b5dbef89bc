package main

import (
	"bytes"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/pawlkv/pawl/internal/secret"
	"github.com/pawlkv/pawl/txn/seal"
)

const (
	passphraseEnv = "PAWL_PASSPHRASE"
	giveIt        = "give its passphrase with --passphrase-file FILE, " + passphraseEnv + " or --passphrase"
	// maxPassphrase catches the wrong file, not a long passphrase.
	maxPassphrase = 4096
)

// passphrase is one that the user gave, or none.
type passphrase struct {
	given bool
	text  secret.Value[[]byte]
	from  string    // for messages
	cost  seal.Cost // of one that is set; zero: not chosen

	takesOver bool // the engine's witness goes on, whoever was it before
}

// passphraseFlags say where a passphrase comes from: from a file, else from a
// prompt, else from the environment, else there is none.
type passphraseFlags struct {
	file string
	ask  bool
	env  string
	name string // in the prompt
	flag string // of the file

	takesOver bool // see passphrase
}

// bind adds --passphrase-file and --passphrase.
func (f *passphraseFlags) bind(cmd *cobra.Command) {
	f.env, f.name, f.flag = passphraseEnv, "passphrase", "passphrase-file"
	cmd.Flags().StringVar(&f.file, "passphrase-file", "", "read the passphrase from `FILE`, which has one line (or set "+passphraseEnv+")")
	cmd.Flags().BoolVar(&f.ask, "passphrase", false, "ask for the passphrase on the terminal")
	cmd.MarkFlagsMutuallyExclusive("passphrase-file", "passphrase")
}

// read gets the passphrase. A new one that is typed is typed twice.
func (f *passphraseFlags) read(cmd *cobra.Command, new bool) (passphrase, error) {
	switch {
	case f.file != "":
		return readPassphraseFile(f.file)
	case f.ask:
		return f.prompt(cmd.Context(), new)
	case os.Getenv(f.env) != "":
		return checkPassphrase([]byte(os.Getenv(f.env)), f.env)
	}
	return passphrase{}, nil
}

func (f *passphraseFlags) prompt(ctx context.Context, new bool) (passphrase, error) {
	asked := asked{f.name, f.flag, f.env}
	first, err := asked.onTerminal(ctx, "Enter the "+f.name+": ")
	if err != nil {
		return passphrase{}, err
	}
	if new {
		second, err := asked.onTerminal(ctx, "Enter it again: ")
		if err != nil {
			return passphrase{}, err
		}
		if subtle.ConstantTimeCompare(first, second) != 1 {
			return passphrase{}, errors.New("the two passphrases differ: nothing was changed")
		}
	}
	return checkPassphrase(first, "the terminal")
}

func readPassphraseFile(path string) (passphrase, error) {
	line, err := oneLine(path, "passphrase", maxPassphrase)
	if err != nil {
		return passphrase{}, err
	}
	return checkPassphrase(line, path)
}

// oneLine reads the line that a file has, and no more of it than tells that it is too long.
func oneLine(path, what string, most int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s file: %w", what, err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, most+2))
	if err != nil {
		return nil, fmt.Errorf("%s file: %w", what, err)
	}
	line, rest, _ := bytes.Cut(text, []byte("\n"))
	if len(bytes.TrimSpace(rest)) > 0 {
		return nil, fmt.Errorf("%s file %s has several lines: want one", what, path)
	}
	return bytes.TrimSuffix(line, []byte("\r")), nil
}

func checkPassphrase(text []byte, from string) (passphrase, error) {
	switch {
	case len(text) == 0:
		return passphrase{}, fmt.Errorf("the passphrase from %s is empty: want at least one character", from)
	case len(text) > maxPassphrase:
		return passphrase{}, fmt.Errorf("the passphrase from %s is longer than %d bytes: is it the right file?", from, maxPassphrase)
	}
	return passphrase{given: true, text: secret.Hide(text), from: from}, nil
}

// asked is a secret that is asked for, and how else it can be given.
type asked struct {
	name, flag, env string // "passphrase", the flag of its file, a variable
}

// onTerminal asks on the terminal, whatever standard input is, and does not show what
// is typed.
func (a asked) onTerminal(ctx context.Context, question string) ([]byte, error) {
	in, out, err := openTerminal()
	if err != nil {
		return nil, fmt.Errorf("there is no terminal to ask for the %s: use --%s or %s", a.name, a.flag, a.env)
	}
	defer in.Close()
	defer out.Close()
	fd := int(in.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return nil, fmt.Errorf("terminal: %w", err)
	}
	fmt.Fprint(out, question)
	defer fmt.Fprintln(out)
	answer := make(chan typed, 1)
	go func() {
		text, err := term.ReadPassword(fd)
		answer <- typed{text, err}
	}()
	select {
	case a := <-answer:
		return a.text, a.err
	case <-ctx.Done():
		term.Restore(fd, before) // or the shell would not show what is typed
		return nil, ctx.Err()
	}
}

type typed struct {
	text []byte
	err  error
}

func openTerminal() (in, out *os.File, err error) {
	input, output := "/dev/tty", "/dev/tty"
	if runtime.GOOS == "windows" {
		input, output = "CONIN$", "CONOUT$"
	}
	if in, err = os.OpenFile(input, os.O_RDWR, 0); err != nil {
		return nil, nil, err
	}
	if out, err = os.OpenFile(output, os.O_WRONLY, 0); err != nil {
		in.Close()
	}
	return in, out, err
}
