package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/cli"
	"github.com/pawlkv/pawl/otk"
)

// defaultKeys is how many one-time keys a server is kept at.
const defaultKeys = 50

type keysCommand struct {
	storeFlags
	count                   int
	published, unknown, all bool
}

func newKeys() *cobra.Command {
	var c keysCommand
	cmd := &cobra.Command{
		Use:   "keys STORE",
		Short: "Print a body for /keys/upload, or tell what became of it",
		Long: `Print a complete, signed body for POST /_matrix/client/v3/keys/upload with device
keys, one-time keys and the fallback key.

Its one-time keys are marked as offered before it is printed, and no later body
has them: keep the body, send it once, and then tell what became of it, with the
body on standard input:

  --published  the server took it
  --unknown    nobody knows whether the server took it: its one-time keys are
               kept for messages, and their places given to new ones first;
               with --all this is said of every body whose outcome was not told,
               such as one that was lost, and that of another process under way

Without that, offered keys pile up, and the fallback key, which is replaced a
week after it was published, stays for good.`,
		Example: "  pawl keys phone.pawl > upload.json\n  pawl keys phone.pawl --published < upload.json",
		Args:    cli.Arguments(oneStore),
		RunE:    c.run,
	}
	c.bind(cmd)
	cmd.Flags().IntVar(&c.count, "count", defaultKeys, "how many one-time keys, at most 1000")
	cmd.Flags().BoolVar(&c.published, "published", false, "the server took the body on standard input: print none")
	cmd.Flags().BoolVar(&c.unknown, "unknown", false, "nobody knows whether it took the body on standard input: print none")
	cmd.Flags().BoolVar(&c.all, "all", false, "with --unknown, of all bodies of which nothing was told: read none")
	cmd.MarkFlagsMutuallyExclusive("count", "published", "unknown")
	cmd.MarkFlagsMutuallyExclusive("count", "published", "all")
	return cmd
}

func (c *keysCommand) run(cmd *cobra.Command, args []string) error {
	switch {
	case c.count < 0 || c.count > pawl.MaxUploadKeys:
		return cli.Usagef("--count %d: want 0 to %d", c.count, pawl.MaxUploadKeys)
	case c.all && !c.unknown:
		return cli.Usagef("--all is for --unknown")
	case c.all:
		return c.use(cmd, args[0], func(_ *opened, m *pawl.Machine) error { return c.reportAll(cmd, m) })
	case c.published || c.unknown:
		text, err := readAll(input(cmd, "the body"), "the body", maxLine)
		if err != nil {
			return err
		}
		sent, err := parseBody(text)
		if err != nil {
			return err
		}
		return c.use(cmd, args[0], func(_ *opened, m *pawl.Machine) error { return c.reportBody(cmd, m, sent) })
	}
	return c.use(cmd, args[0], func(_ *opened, m *pawl.Machine) error {
		upload, err := m.KeysForUpload(cmd.Context(), c.count)
		if err != nil {
			return err
		}
		if n := len(upload.Evicted); n > 0 {
			fmt.Fprintf(cmd.ErrOrStderr(), "pawl: %s dropped to make room: messages that peers encrypt with one that was dropped cannot be read\n", counted(n, "old one-time key"))
		}
		if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s\n", cli.ShownJSON(upload.Body)); err != nil {
			return fmt.Errorf("the body was not printed, and its keys count as offered: %w ('pawl keys %s --unknown --all' gives them up)", err, args[0])
		}
		return nil
	})
}

// reportBody tells what became of one body.
func (c *keysCommand) reportBody(cmd *cobra.Command, m *pawl.Machine, sent uploadBody) error {
	id, err := m.Identity(cmd.Context())
	if err != nil {
		return err
	}
	if sent.user != string(id.UserID) || sent.device != string(id.DeviceID) {
		return fmt.Errorf("the body is of %s/%s, and the account is %s", sent.user, sent.device, accountName(id))
	}
	if err := c.report(cmd, m, sent.upload); err != nil {
		return err
	}
	return c.print(cmd.OutOrStdout(), sent.upload)
}

func (c *keysCommand) report(cmd *cobra.Command, m *pawl.Machine, u pawl.Upload) error {
	if c.published {
		return m.MarkPublished(cmd.Context(), u)
	}
	return m.Abandon(cmd.Context(), u)
}

// reportTries bounds how often what was offered is looked up again because
// another command has reported on it meanwhile.
const reportTries = 20

// reportAll gives up all that was offered so far.
func (c *keysCommand) reportAll(cmd *cobra.Command, m *pawl.Machine) error {
	var offered pawl.Upload
	var err error
	for range reportTries {
		if offered, err = m.Outstanding(cmd.Context()); err != nil {
			return err
		}
		if err = c.report(cmd, m, offered); !errors.Is(err, otk.ErrStage) && !errors.Is(err, otk.ErrUnknownID) {
			break
		}
	}
	if err != nil {
		return err
	}
	return c.print(cmd.OutOrStdout(), offered)
}

func (c *keysCommand) print(w io.Writer, reported pawl.Upload) (err error) {
	n := len(reported.OneTimeKeys)
	switch {
	case c.unknown:
		_, err = fmt.Fprintf(w, "given up: %s\n", counted(n, "one-time key"))
	case reported.Fallback == 0:
		_, err = fmt.Fprintf(w, "published: %s\n", counted(n, "one-time key"))
	default:
		_, err = fmt.Fprintf(w, "published: %s, fallback key %s\n", counted(n, "one-time key"), reported.Fallback)
	}
	return err
}
