package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/cli"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/matrix"
)

type checkCommand struct {
	storeFlags
	json bool
}

func newCheck() *cobra.Command {
	var c checkCommand
	cmd := &cobra.Command{
		Use:   "check STORE",
		Short: "Verify that nothing in the store is broken",
		Long: `Verify every invariant of all accounts, or of one: that each record opens and
decodes, that keys belong together, and that records name only what is there.
It lists what is broken and then exits with 1. It changes nothing.

Where the engine does not open the store it lists every file that is wrong.
'pawl repair' says what can be done.`,
		Args: cli.Arguments(oneStore),
		RunE: c.run,
	}
	c.bind(cmd)
	cli.BindJSON(cmd, &c.json)
	return cmd
}

// checkedJSON is what the check of one account found.
type checkedJSON struct {
	User   matrix.UserID   `json:"user"`
	Device matrix.DeviceID `json:"device"`
	Broken []string        `json:"broken"`
}

func (c *checkCommand) run(cmd *cobra.Command, args []string) error {
	checked := false
	err := c.records(cmd, args, &checked)
	if checked || !errors.Is(err, kv.ErrCorrupt) {
		return err
	}
	// The records could not be looked at: are the files whole?
	return c.files(cmd, args[0], err)
}

// files lists all files of a store that are wrong. cause is why its records could
// not be checked.
func (c *checkCommand) files(cmd *cobra.Command, store string, cause error) error {
	p, err := parsePlace(store)
	if err != nil {
		return err
	}
	_, faults, err := p.salvage()
	if err != nil || len(faults) == 0 {
		return cause
	}
	w := cmd.OutOrStdout()
	if c.json {
		err = cli.PrintJSON(w, struct {
			OK    bool     `json:"ok"`
			Files []string `json:"files"`
		}{false, texts(faults)})
	}
	for _, fault := range faults {
		if !c.json && err == nil {
			_, err = fmt.Fprintf(w, "file: %v\n", fault)
		}
	}
	if err != nil {
		return err
	}
	return fmt.Errorf("the files of the store are damaged in %d places: 'pawl repair %s --to NEW' copies what can be read", len(faults), p)
}

// records checks the records, and says whether it could.
func (c *checkCommand) records(cmd *cobra.Command, args []string, done *bool) error {
	return c.passphraseFlags.use(cmd, args[0], func(o *opened) error {
		ids, unread, err := c.wanted(cmd.Context(), o)
		if err != nil {
			return err
		}
		found, err := o.Check(cmd.Context())
		if err != nil {
			return err
		}
		*done = true
		checked, store := c.sort(ids, found)
		broken := len(store)
		for _, a := range checked {
			broken += len(a.Broken)
		}
		if err := c.print(cmd.OutOrStdout(), checked, store); err != nil {
			return err
		}
		switch {
		case broken > 0:
			return fmt.Errorf("the store is damaged in %d places: do not encrypt with an older copy of it ('pawl repair %s' says what can be done)", broken, o.place)
		case unread != nil: // damaged since
			return unread
		}
		return nil
	})
}

// sort puts what was found to the accounts that were asked for, and to the store.
func (c *checkCommand) sort(ids []pawl.Identity, found []pawl.Finding) (checked []checkedJSON, store []string) {
	checked, store = []checkedJSON{}, []string{}
	for _, id := range ids {
		checked = append(checked, checkedJSON{id.UserID, id.DeviceID, []string{}})
	}
	for _, f := range found {
		if f.User == "" {
			store = append(store, f.Broken)
		}
		for i := range checked {
			if a := &checked[i]; a.User == f.User && a.Device == f.Device {
				a.Broken = append(a.Broken, f.Broken)
			}
		}
	}
	return checked, store
}

func (c *checkCommand) print(w io.Writer, checked []checkedJSON, store []string) error {
	if c.json {
		ok := len(store) == 0 && !slices.ContainsFunc(checked, func(a checkedJSON) bool { return len(a.Broken) > 0 })
		return cli.PrintJSON(w, struct {
			OK       bool          `json:"ok"`
			Store    []string      `json:"store,omitempty"` // what belongs to no account that can be read
			Accounts []checkedJSON `json:"accounts"`
		}{ok, store, checked})
	}
	var b strings.Builder
	for _, broken := range store {
		fmt.Fprintf(&b, "store: %s\n", broken)
	}
	for _, a := range checked {
		if len(a.Broken) == 0 {
			fmt.Fprintf(&b, "%s/%s: ok\n", a.User, a.Device)
		}
		for _, broken := range a.Broken {
			fmt.Fprintf(&b, "%s/%s: %s\n", a.User, a.Device, broken)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
