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
	count              int
	published, unknown bool
}

func newKeys() *cobra.Command {
	var c keysCommand
	cmd := &cobra.Command{
		Use:   "keys STORE",
		Short: "Print a body for /keys/upload, or tell what became of it",
		Long: `Print a complete, signed body for POST /_matrix/client/v3/keys/upload with device
keys, one-time keys and the fallback key.

Its one-time keys are marked as offered before it is printed, and no later body
has them: send each body once. Then tell what became of it:

  --published  the server answered that it took all that was offered so far
  --unknown    nobody knows what it took: the one-time keys that were offered
               are kept for messages, and their places given to new ones first

Without that, offered keys pile up, and the fallback key, which is replaced a
week after it was published, stays for good.`,
		Args: cli.Arguments(oneStore),
		RunE: c.run,
	}
	c.bind(cmd)
	cmd.Flags().IntVar(&c.count, "count", defaultKeys, "how many one-time keys, at most 1000")
	cmd.Flags().BoolVar(&c.published, "published", false, "the server has all that was offered so far: print no body")
	cmd.Flags().BoolVar(&c.unknown, "unknown", false, "nobody knows whether it has: print no body")
	cmd.MarkFlagsMutuallyExclusive("count", "published", "unknown")
	return cmd
}

func (c *keysCommand) run(cmd *cobra.Command, args []string) error {
	if c.count < 0 || c.count > pawl.MaxUploadKeys {
		return cli.Usagef("--count %d: want 0 to %d", c.count, pawl.MaxUploadKeys)
	}
	if c.published || c.unknown {
		return c.use(cmd, args[0], func(_ *opened, m *pawl.Machine) error { return c.report(cmd, m) })
	}
	return c.use(cmd, args[0], func(_ *opened, m *pawl.Machine) error {
		upload, err := m.KeysForUpload(cmd.Context(), c.count)
		if err != nil {
			return err
		}
		if n := len(upload.Evicted); n > 0 {
			fmt.Fprintf(cmd.ErrOrStderr(), "pawl: %d old one-time keys were dropped to make room: messages that peers encrypt with them cannot be read\n", n)
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", upload.Body)
		return err
	})
}

// reportTries bounds how often what was offered is looked up again because
// another command has reported on it meanwhile.
const reportTries = 20

// report tells what became of all that was offered so far.
func (c *keysCommand) report(cmd *cobra.Command, m *pawl.Machine) error {
	var offered pawl.Upload
	var err error
	for range reportTries {
		if offered, err = m.Outstanding(cmd.Context()); err != nil {
			return err
		}
		if c.published {
			err = m.MarkPublished(cmd.Context(), offered)
		} else {
			err = m.Abandon(cmd.Context(), offered)
		}
		if !errors.Is(err, otk.ErrStage) && !errors.Is(err, otk.ErrUnknownID) {
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
		_, err = fmt.Fprintf(w, "given up: %d one-time keys\n", n)
	case reported.Fallback == 0:
		_, err = fmt.Fprintf(w, "published: %d one-time keys\n", n)
	default:
		_, err = fmt.Fprintf(w, "published: %d one-time keys, fallback key %s\n", n, reported.Fallback)
	}
	return err
}
