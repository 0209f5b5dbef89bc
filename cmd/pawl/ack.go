package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/cli"
	"github.com/pawlkv/pawl/session"
)

// maxAnswer is more than the answer to any message that fits in maxLine: its
// plaintext is shorter than the message, and its names have a few hundred bytes.
const maxAnswer = maxLine + 4096

type ackCommand struct{ storeFlags }

func newAck() *cobra.Command {
	var c ackCommand
	cmd := &cobra.Command{
		Use:   "ack STORE",
		Short: "Acknowledge messages whose plaintext was dealt with",
		Long: `Acknowledge the receipts on standard input, one a line: as 'pawl decrypt' prints
them, or its whole lines of JSON, of which those with an error are passed over.
The keys of these messages are erased, and the messages answered with
already_processed from then on.

It is for the end of a pipe, after all that reads plaintexts is done with them:

  pawl decrypt STORE --jsonl < messages | reader | pawl ack STORE

where reader passes on each line after its plaintext is safe. Receipts that the
account does not have are passed over and counted: they are of another account, or
a sweep has forgotten them, a year after their messages. What is never
acknowledged is erased by 'pawl sweep' after two weeks. Receipts are acknowledged
as they come, and all of them are on the disk when the command ends with status 0.`,
		Args: cli.Arguments(oneStore),
		RunE: c.run,
	}
	c.bind(cmd)
	return cmd
}

func (c *ackCommand) run(cmd *cobra.Command, args []string) error {
	return c.use(cmd, args[0], func(_ *opened, m *pawl.Machine) error {
		done, err := acknowledge(cmd.Context(), m, readLines(cmd, "receipts, one a line,", maxAnswer))
		if err != nil {
			return fmt.Errorf("%w (before it: %s)", err, done)
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), done)
		return err
	})
}

// ackCount counts receipts that were given.
type ackCount struct{ known, unknown int }

// String implements fmt.Stringer.
func (a ackCount) String() string {
	text := "acknowledged: " + counted(a.known, "receipt")
	if a.unknown > 0 {
		text += fmt.Sprintf("; unknown here: %s (of another account, or forgotten since)", counted(a.unknown, "receipt"))
	}
	return text
}

// acknowledge takes lines until there are no more, and returns how many receipts
// are acknowledged.
func acknowledge(ctx context.Context, m *pawl.Machine, lines *waitingLines) (done ackCount, err error) {
	for read := 0; ; {
		batch, end := lines.next(ctx, pawl.MaxBatch)
		receipts, bad := parseReceipts(batch, &read)
		if len(receipts) > 0 {
			known, err := m.AcknowledgeKnown(ctx, receipts...)
			done.known += known
			if err != nil {
				return done, err
			}
			done.unknown += len(receipts) - known
		}
		switch {
		case bad != nil:
			return done, bad
		case errors.Is(end, io.EOF):
			return done, nil
		case end != nil:
			return done, fmt.Errorf("read the receipts: %w", end)
		}
	}
}

// parseReceipts returns the receipts of lines up to one that is none, and counts
// the lines.
func parseReceipts(lines []inputLine, read *int) ([]session.ReceiptID, error) {
	var receipts []session.ReceiptID
	for _, l := range lines {
		*read++
		id, answered, err := parseReceipt(l)
		if err != nil {
			return receipts, fmt.Errorf("line %d: %w", *read, err)
		}
		if answered {
			receipts = append(receipts, id)
		}
	}
	return receipts, nil
}

var errReceipt = errors.New("not a receipt: want 64 hexadecimal digits, or a line of 'pawl decrypt --jsonl'")

// parseReceipt returns the receipt in a line; false if it is of a message that
// was not decrypted.
func parseReceipt(l inputLine) (id session.ReceiptID, answered bool, err error) {
	if l.err != nil {
		return id, false, l.err
	}
	text := string(l.bytes)
	if text[0] == '{' {
		var answer struct{ Receipt, Error string }
		if json.Unmarshal(l.bytes, &answer) != nil {
			return id, false, errReceipt
		}
		if answer.Receipt == "" && answer.Error != "" {
			return id, false, nil
		}
		text = answer.Receipt
	}
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(id) {
		return id, false, errReceipt
	}
	return session.ReceiptID(b), true, nil
}
