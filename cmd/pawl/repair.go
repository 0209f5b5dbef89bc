package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/cli"
	"github.com/pawlkv/pawl/matrix"
)

type repairCommand struct {
	passphraseFlags
	to        string
	keyringOf string
	yes       bool
	json      bool
}

func newRepair() *cobra.Command {
	var c repairCommand
	cmd := &cobra.Command{
		Use:   "repair STORE",
		Short: "Set aside what is damaged, so that the rest goes on",
		Long: `Say what can be done about each thing that 'pawl check' finds, and do it if --yes
is given. Nothing else is changed.

What cannot be read is set aside: a sealed copy is kept in the store, which
nothing reads or puts back, and a mark stands in its place. A lost session opens
again only as a new one, a message whose receipt is lost counts as processed,
and an account whose own record is lost is gone: a new one of its name is not
made in this store. What can be made again from other records is as after a
recovery: sessions only receive, and keys are not offered again.

Where files of the engine are damaged, so that the store does not open or cannot
be read to its end, --to copies what can be read to a new store, at a place where
there is none, and repairs it there. All its accounts must then be recovered.
STORE stays as it is: do not use it again.`,
		Example: "  pawl repair phone.pawl\n  pawl repair phone.pawl --yes\n  pawl repair phone.pawl --to phone2.pawl",
		Args:    cli.Arguments(oneStore),
		RunE:    c.run,
	}
	c.bind(cmd)
	cmd.Flags().BoolVar(&c.yes, "yes", false, "do it")
	cmd.Flags().StringVar(&c.keyringOf, "keyring-of", "", "with --to, take the keyring of `COPY`, an older copy of the store, whose passphrase or key is given then")
	cmd.Flags().StringVar(&c.to, "to", "", "copy what can be read of a store that does not open to `NEW`")
	cli.BindJSON(cmd, &c.json)
	return cmd
}

// findingJSON is something that is broken, and what is done about it.
type findingJSON struct {
	User   matrix.UserID   `json:"user,omitempty"` // none: it belongs to no account that can be read
	Device matrix.DeviceID `json:"device,omitempty"`
	Kind   string          `json:"kind"`
	Broken string          `json:"broken"`
	Repair string          `json:"repair,omitempty"` // none: nothing can be done
}

func (c *repairCommand) run(cmd *cobra.Command, args []string) error {
	if c.to != "" {
		return c.salvage(cmd, args)
	}
	p, err := parsePlace(args[0])
	if err != nil {
		return err
	}
	err = c.records(cmd, args)
	if err == nil && !p.sqlite || err != nil && !isFileDamage(err) {
		return err // a directory that opens is whole
	}
	if faults := p.faults(); len(faults) > 0 {
		return filesError(p, faults)
	}
	return err
}

// records repairs the records, where they are.
func (c *repairCommand) records(cmd *cobra.Command, args []string) error {
	return c.use(cmd, args[0], func(o *opened) error {
		do := o.Check
		if c.yes {
			do = o.Repair
		}
		found, err := do(cmd.Context())
		if err != nil {
			return err
		}
		if err := c.print(cmd.OutOrStdout(), found); err != nil {
			return err
		}
		hopeless := 0
		for _, f := range found {
			if f.Repair == "" {
				hopeless++
			}
		}
		if hopeless > 0 {
			return fmt.Errorf("nothing can be done here about %s: restore the store, or make the device anew", counted(hopeless, "thing"))
		}
		return nil
	})
}

func (c *repairCommand) print(w io.Writer, found []pawl.Finding) error {
	out := []findingJSON{}
	for _, f := range found {
		out = append(out, findingJSON(f))
	}
	if c.json {
		return cli.PrintJSON(w, struct {
			Repaired bool          `json:"repaired"`
			Found    []findingJSON `json:"found"`
		}{c.yes, out})
	}
	var b strings.Builder
	describeFindings(&b, out, c.yes)
	switch {
	case len(found) == 0:
		b.WriteString("nothing is broken\n")
	case !c.yes:
		b.WriteString("nothing was changed: give --yes to do it\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// describeFindings prints what is broken and what is done about it.
func describeFindings(b *strings.Builder, found []findingJSON, done bool) {
	for _, f := range found {
		whose := "store"
		if f.User != "" {
			whose = shownName(f.User, f.Device)
		}
		fmt.Fprintf(b, "%s: %s\n", whose, cli.Shown(plainText(f.Broken)))
		switch {
		case f.Repair == "":
			b.WriteString("  nothing can be done\n")
		case done:
			fmt.Fprintf(b, "  done: %s\n", cli.Shown(f.Repair))
		default:
			fmt.Fprintf(b, "  to do: %s\n", cli.Shown(f.Repair))
		}
	}
}
