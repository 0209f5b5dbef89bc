package main

import (
	"context"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/term"
)

// askTerminal asks on the terminal, whatever standard input is, and does not
// show what is typed.
func askTerminal(ctx context.Context, question string) ([]byte, error) {
	in, out, err := openTerminal()
	if err != nil {
		return nil, fmt.Errorf("there is no terminal to ask for the passphrase: use --passphrase-file or the environment")
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
