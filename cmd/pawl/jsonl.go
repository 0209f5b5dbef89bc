package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/cli"
	"github.com/pawlkv/pawl/internal/unpadded"
	"github.com/pawlkv/pawl/session"
)

// answerJSON is the line for a message that was decrypted.
type answerJSON struct {
	Plaintext string `json:"plaintext"`
	Duplicate bool   `json:"duplicate"`
	Session   string `json:"session"`
	Receipt   string `json:"receipt"`           // for 'pawl ack'
	Damaged   int    `json:"damaged,omitempty"` // records of the sender that were passed over
}

func answerOf(d pawl.Decrypted) answerJSON {
	return answerJSON{unpadded.Encode(d.Plaintext), d.Duplicate, d.Session.String(), d.Receipt.String(), d.Damaged}
}

// failureJSON is the line for one that was not.
type failureJSON struct {
	Error string    `json:"error"`
	Code  pawl.Code `json:"code"`
}

// stream decrypts lines, a batch at a time.
type stream struct {
	machine  *pawl.Machine
	lines    *waitingLines
	out      output
	progress *progress
	batch    int
	ack      bool

	read          int64 // bytes of the lines
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
func (c *decryptCommand) lines(cmd *cobra.Command, m *pawl.Machine, out output) error {
	s := &stream{
		machine: m, lines: readLines(cmd, "messages, one a line,", maxLine), out: out,
		progress: newProgress(cmd), batch: c.batch, ack: c.ack,
	}
	err := s.run(cmd.Context())
	s.progress.finish()
	switch {
	case err != nil:
		return err
	case s.damaged > 0:
		return fmt.Errorf("%d of %s could not be decrypted, by the store's fault: %w", s.damaged, counted(s.total, "message"), s.cause)
	case c.strict && s.failed > 0:
		return fmt.Errorf("%d of %s could not be decrypted", s.failed, counted(s.total, "message"))
	}
	return nil
}

func (s *stream) run(ctx context.Context) error {
	for {
		lines, end := s.lines.next(ctx, s.batch)
		if len(lines) > 0 {
			if err := s.decrypt(ctx, parseLines(lines)); err != nil {
				return err
			}
			for _, l := range lines {
				s.read += l.size
			}
			s.progress.show(s.read, s.total)
		}
		if errors.Is(end, io.EOF) {
			return nil
		}
		if end != nil {
			return fmt.Errorf("read the messages: %w", end)
		}
	}
}

func parseLines(all []inputLine) []line {
	lines := make([]line, len(all))
	for i, l := range all {
		if lines[i].err = l.err; l.err == nil {
			lines[i].message, lines[i].err = parseIncoming(l.bytes)
		}
	}
	return lines
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
	receipts, printErr := s.print(ctx, lines, results)
	if !s.ack {
		return errors.Join(err, printErr, s.out.Flush())
	}
	if err := errors.Join(err, printErr, s.out.deliver()); err != nil {
		return err
	}
	return s.machine.Acknowledge(ctx, receipts...)
}

// print writes a line for each line that has an answer, and returns the
// receipts of those that were decrypted. When the store failed there are fewer
// results than messages, and what follows them was not handled. The error is one
// that ends the stream.
func (s *stream) print(ctx context.Context, lines []line, results []pawl.Result) ([]session.ReceiptID, error) {
	var receipts []session.ReceiptID
	var fault, damage error
	for _, l := range lines {
		result := pawl.Result{Err: l.err}
		if l.err == nil {
			if len(results) == 0 {
				break
			}
			result, results = results[0], results[1:]
		}
		if err := s.printOne(result); err != nil {
			return receipts, err
		}
		switch {
		case result.Err == nil:
			receipts = append(receipts, result.Receipt)
		case endingOf(lineCode(result.Err)) == endsStream:
			fault = result.Err
		case endingOf(lineCode(result.Err)) == failsAtEnd:
			damage = result.Err
		}
	}
	if fault == nil && damage != nil {
		// If it is the account's own record that cannot be read, all others fail too.
		_, fault = s.machine.Identity(ctx)
	}
	return receipts, fault
}

func (s *stream) printOne(r pawl.Result) error {
	s.total++
	if r.Err != nil {
		code := lineCode(r.Err)
		s.failed++
		if endingOf(code) == failsAtEnd {
			s.damaged++
			s.cause = r.Err
		}
		return cli.PrintJSON(s.out, failureJSON{plain(r.Err), code})
	}
	return cli.PrintJSON(s.out, answerOf(r.Decrypted))
}
