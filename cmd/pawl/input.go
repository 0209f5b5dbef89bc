package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/pawlkv/pawl/internal/cli"
)

const (
	// maxLine bounds a message as JSON: the largest event that servers relay
	// has 64 KiB.
	maxLine = 1 << 20
	// maxPlaintext is encrypted to a message that fits in maxLine.
	maxPlaintext = maxLine / 2
)

var errTooLong = errors.New("too long")

// input returns standard input, reading from which ends with the context. To
// whoever is at a terminal it says what it waits for.
func input(cmd *cobra.Command, what string) io.Reader {
	tellWaiting(cmd, what)
	return &interruptible{ctx: cmd.Context(), from: cmd.InOrStdin()}
}

func tellWaiting(cmd *cobra.Command, what string) {
	if cli.IsTerminal(cmd.InOrStdin()) {
		fmt.Fprintf(cmd.ErrOrStderr(), "pawl: reading %s from standard input, to its end (Ctrl-D)\n", what)
	}
}

// interruptible is a reader that does not wait longer than a context lasts.
type interruptible struct {
	ctx     context.Context
	from    io.Reader
	pending []byte
}

// Read implements io.Reader.
func (r *interruptible) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	type result struct {
		n   int
		err error
	}
	// A read that nobody waits for any more must not write into p.
	if len(r.pending) < len(p) {
		r.pending = make([]byte, len(p))
	}
	buffer := r.pending[:len(p)]
	done := make(chan result, 1)
	go func() {
		n, err := r.from.Read(buffer)
		done <- result{n, err}
	}()
	select {
	case got := <-done:
		return copy(p, buffer[:got.n]), got.err
	case <-r.ctx.Done():
		return 0, r.ctx.Err()
	}
}

// readAll reads all of an input of at most limit bytes.
func readAll(r io.Reader, what string, limit int) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", what, err)
	}
	if len(b) > limit {
		return nil, fmt.Errorf("%s is %w: at most %d bytes", what, errTooLong, limit)
	}
	return b, nil
}

// lineReader reads lines that are not too long.
type lineReader struct {
	r     *bufio.Reader
	limit int   // bytes of a line
	read  int64 // bytes
}

func newLineReader(r io.Reader, limit int) *lineReader {
	return &lineReader{r: bufio.NewReaderSize(r, limit+1), limit: limit}
}

// next returns the next line that is not empty, without its end, or io.EOF. A
// line that is too long is skipped and answered with errTooLong; the next call
// goes on after it. The line is valid until the next call.
func (l *lineReader) next() ([]byte, error) {
	for {
		line, err := l.r.ReadSlice('\n')
		l.read += int64(len(line))
		if errors.Is(err, bufio.ErrBufferFull) {
			return nil, l.skip()
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		if text := bytes.TrimSpace(line); len(text) > 0 {
			return text, nil // the last line may have no end
		}
		if err != nil {
			return nil, err
		}
	}
}

// skip reads on to the end of a line that is too long.
func (l *lineReader) skip() error {
	for {
		part, err := l.r.ReadSlice('\n')
		l.read += int64(len(part))
		switch {
		case err == nil, errors.Is(err, io.EOF):
			return fmt.Errorf("the line is %w: at most %d bytes", errTooLong, l.limit)
		case !errors.Is(err, bufio.ErrBufferFull):
			return err
		}
	}
}
