package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/cli"
	"github.com/pawlkv/pawl/session"
)

// maxBatchBytes bounds the lines that are in memory at once.
const maxBatchBytes = 4 << 20

// answerJSON is the line for a message that was decrypted.
type answerJSON struct {
	Plaintext string `json:"plaintext"`
	Duplicate bool   `json:"duplicate"`
	Session   string `json:"session"`
	Damaged   int    `json:"damaged,omitempty"` // records of the sender that were passed over
}

func answerOf(d pawl.Decrypted) answerJSON {
	return answerJSON{unpadded.EncodeToString(d.Plaintext), d.Duplicate, d.Session.String(), d.Damaged}
}

// failureJSON is the line for one that was not.
type failureJSON struct {
	Error string    `json:"error"`
	Code  pawl.Code `json:"code"`
}

// stream decrypts lines, a batch at a time.
type stream struct {
	machine  *pawl.Machine
	lines    *lineReader
	out      output
	progress *progress
	batch    int
	ack      bool

	total, failed int
	damaged       int   // of those that failed, by the store's fault
	cause         error // of the last of them
}

// line is one line of the input: a message, or why it is none.
type line struct {
	message pawl.Incoming
	err     error
}

// lines decrypts all lines of standard input.
func (c *decryptCommand) lines(cmd *cobra.Command, m *pawl.Machine) error {
	s := &stream{
		machine: m, lines: newLineReader(input(cmd)), out: newOutput(cmd),
		progress: newProgress(cmd), batch: c.batch, ack: c.ack,
	}
	err := s.run(cmd.Context())
	s.progress.finish()
	switch {
	case err != nil:
		return err
	case s.damaged > 0:
		return fmt.Errorf("%d of %d messages were not decrypted by the store's fault: %w", s.damaged, s.total, s.cause)
	case c.strict && s.failed > 0:
		return fmt.Errorf("%d of %d messages were not decrypted", s.failed, s.total)
	}
	return nil
}

func (s *stream) run(ctx context.Context) error {
	for {
		lines, end := s.read()
		if len(lines) > 0 {
			if err := s.decrypt(ctx, lines); err != nil {
				return err
			}
		}
		if errors.Is(end, io.EOF) {
			return nil
		}
		if end != nil {
			return fmt.Errorf("read the messages: %w", end)
		}
	}
}

// read returns the next lines and, when there are no more, io.EOF or why.
func (s *stream) read() ([]line, error) {
	var lines []line
	for size := 0; len(lines) < s.batch && size < maxBatchBytes; {
		text, err := s.lines.next()
		if err != nil && !errors.Is(err, errTooLong) {
			return lines, err
		}
		var l line
		if l.err = err; err == nil {
			l.message, l.err = parseIncoming(text)
		}
		lines = append(lines, l)
		size += len(text)
	}
	return lines, nil
}

// decrypt answers lines: commits, prints, then acknowledges.
func (s *stream) decrypt(ctx context.Context, lines []line) error {
	var messages []pawl.Incoming
	for _, l := range lines {
		if l.err == nil {
			messages = append(messages, l.message)
		}
	}
	results, err := s.machine.DecryptBatch(ctx, messages)
	receipts, printErr := s.print(lines, results)
	if err := errors.Join(err, printErr, s.out.deliver()); err != nil {
		return err
	}
	s.progress.show(s.lines.read, s.total)
	if !s.ack {
		return nil
	}
	return s.machine.Acknowledge(ctx, receipts...)
}

// print writes a line for each line that has an answer, and returns the
// receipts of those that were decrypted. When the store failed there are fewer
// results than messages, and what follows them was not handled.
func (s *stream) print(lines []line, results []pawl.Result) ([]session.ReceiptID, error) {
	var receipts []session.ReceiptID
	var fault error
	for _, l := range lines {
		result := pawl.Result{Err: l.err}
		if l.err == nil {
			if len(results) == 0 {
				break
			}
			result, results = results[0], results[1:]
		}
		if result.Err == nil {
			receipts = append(receipts, result.Receipt)
		}
		if err := s.printOne(result); err != nil {
			return receipts, err
		}
		if result.Err != nil && lineCode(result.Err) == storeFailed {
			fault = result.Err
		}
	}
	return receipts, fault
}

func (s *stream) printOne(r pawl.Result) error {
	s.total++
	if r.Err != nil {
		code := lineCode(r.Err)
		s.failed++
		if slices.Contains(ofStore, code) {
			s.damaged++
			s.cause = r.Err
		}
		return cli.PrintJSON(s.out, failureJSON{r.Err.Error(), code})
	}
	return cli.PrintJSON(s.out, answerOf(r.Decrypted))
}
