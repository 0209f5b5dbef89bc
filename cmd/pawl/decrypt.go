package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/cli"
	"github.com/pawlkv/pawl/ratchet"
)

const defaultBatch = 200

type decryptCommand struct {
	storeFlags
	from   string
	jsonl  bool
	json   bool
	ack    bool
	strict bool
	batch  int
}

func newDecrypt() *cobra.Command {
	var c decryptCommand
	cmd := &cobra.Command{
		Use:   "decrypt STORE --from CURVE25519 | --jsonl",
		Short: "Decrypt messages from standard input",
		Long: `Decrypt the message on standard input, {"type":0|1,"body":"..."}, and print its
plaintext as it is, or with --json as one of the lines below.

With --jsonl each line of the input is {"sender_key","type","body"}, and for
each a line is printed, in order, empty lines left out:

  {"plaintext":"<base64>","duplicate":false,"session":"...","receipt":"..."}
  {"error":"...","code":"..."}

Lines are decrypted in batches of one commit, and printed after it. A batch ends
when no more input waits: a program may write a line and wait for its answer. A
line that fails stops no other and leaves the exit status 0, unless --strict is
given, or unless it is the store's fault: a line of code corrupt, newer or
set_aside would decrypt here if the store were whole, and the command exits with
1 when all are done. What every further line would have too, such as retired,
ends the command with 1 at once.

A message that is decrypted again gives the same plaintext, marked as duplicate,
for two weeks, or until it was acknowledged: once its reader is done with it,
'pawl ack STORE' takes its receipt. --ack acknowledges what was printed, and is
only for standard output in a file, which is written to the disk before.

` + codeHelp(),
		Args: cli.Arguments(oneStore),
		RunE: c.run,
	}
	c.bind(cmd)
	flags := cmd.Flags()
	flags.StringVar(&c.from, "from", "", "the sender's identity key, `CURVE25519`")
	flags.BoolVar(&c.jsonl, "jsonl", false, "read a message from each line")
	flags.BoolVar(&c.json, "json", false, "print the single message as with --jsonl")
	flags.BoolVar(&c.ack, "ack", false, "with standard output in a file: acknowledge what was printed")
	flags.BoolVar(&c.strict, "strict", false, "with --jsonl, exit with 1 if any line failed")
	flags.IntVar(&c.batch, "batch", defaultBatch, "with --jsonl, how many lines a commit has, at most 1000")
	cmd.MarkFlagsOneRequired("from", "jsonl")
	cmd.MarkFlagsMutuallyExclusive("from", "jsonl")
	cmd.MarkFlagsMutuallyExclusive("json", "jsonl")
	return cmd
}

func codeHelp() string {
	var b strings.Builder
	line := func(code pawl.Code, means string) { fmt.Fprintf(&b, "\n  %-21s %s", code, means) }
	b.WriteString("The codes are:")
	for _, c := range own {
		line(c.code, c.means)
	}
	for _, code := range ofMessage {
		line(code, code.Means())
	}
	line(storeFailed, "the store failed, and so does the command: give the line again")
	return b.String()
}

func (c *decryptCommand) run(cmd *cobra.Command, args []string) error {
	if c.batch < 1 || c.batch > pawl.MaxBatch {
		return cli.Usagef("--batch %d: want 1 to %d", c.batch, pawl.MaxBatch)
	}
	out := newOutput(cmd)
	if c.ack {
		if err := out.keeps(); err != nil {
			return err
		}
	}
	if c.jsonl {
		return c.use(cmd, args[0], func(_ *opened, m *pawl.Machine) error {
			return c.lines(cmd, m, out)
		})
	}
	from, err := keyFlag("from", c.from)
	if err != nil {
		return err
	}
	text, err := readAll(input(cmd, "the message"), "the message", maxLine)
	if err != nil {
		return err
	}
	message, err := parseMessage(text)
	if err != nil {
		return err
	}
	return c.use(cmd, args[0], func(_ *opened, m *pawl.Machine) error {
		return c.one(cmd, m, from, message, out)
	})
}

// one decrypts a single message.
func (c *decryptCommand) one(cmd *cobra.Command, m *pawl.Machine, from ratchet.PublicKey, message ratchet.Message, out output) error {
	got, err := m.Decrypt(cmd.Context(), from, message)
	if err != nil {
		return err
	}
	tellDamage(cmd, got.Damaged)
	if c.json {
		err = cli.PrintJSON(out, answerOf(got))
	} else {
		_, err = out.Write(got.Plaintext)
	}
	if err != nil {
		return err
	}
	if !c.ack {
		return out.Flush()
	}
	if err := out.deliver(); err != nil {
		return err
	}
	return m.Acknowledge(cmd.Context(), got.Receipt)
}
