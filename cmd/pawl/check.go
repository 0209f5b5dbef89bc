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
It lists what is broken, with every file of the engine that is wrong, and then
exits with 1. It changes nothing.
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
	var r checked
	cause := c.records(cmd, args, &r)
	if !r.done && !isFileDamage(cause) {
		return cause
	}
	p, err := parsePlace(args[0])
	if err != nil {
		return err
	}
	if p.sqlite || !r.done { // a directory that opens is whole
		r.files = p.faults()
	}
	if r.done || len(r.files) > 0 {
		if err := c.print(cmd.OutOrStdout(), &r); err != nil {
			return err
		}
	}
	switch broken := r.broken(); {
	case len(r.files) > 0:
		return filesError(p, r.files)
	case broken > 0:
		return fmt.Errorf("the store is damaged in %s: do not encrypt with an older copy of it ('pawl repair %s' says what can be done)", counted(broken, "place"), p)
	}
	return cause
}

// checked is what a check found.
type checked struct {
	done     bool // the records could be looked at
	accounts []checkedJSON
	store    []string // what belongs to no account that can be read
	files    []error
}

func (r *checked) broken() int {
	n := len(r.store)
	for _, a := range r.accounts {
		n += len(a.Broken)
	}
	return n
}

// records checks the records, and says whether it could. The error is then of what
// has been damaged since.
func (c *checkCommand) records(cmd *cobra.Command, args []string, r *checked) error {
	return c.passphraseFlags.look(cmd, args[0], func(o *opened) error {
		ids, unread, err := c.wanted(cmd.Context(), o)
		if err != nil {
			return err
		}
		found, err := o.Check(cmd.Context())
		if err != nil {
			return err
		}
		r.done = true
		r.accounts, r.store = c.sort(ids, found)
		return unread
	})
}

// sort puts what was found to the accounts that were asked for, and to the store.
func (c *checkCommand) sort(ids []pawl.Identity, found []pawl.Finding) (accounts []checkedJSON, store []string) {
	accounts, store = []checkedJSON{}, []string{}
	for _, id := range ids {
		accounts = append(accounts, checkedJSON{id.UserID, id.DeviceID, []string{}})
	}
	for _, f := range found {
		if f.User == "" {
			store = append(store, plainText(f.Broken))
		}
		for i := range accounts {
			if a := &accounts[i]; a.User == f.User && a.Device == f.Device {
				a.Broken = append(a.Broken, plainText(f.Broken))
			}
		}
	}
	return accounts, store
}

func (c *checkCommand) print(w io.Writer, r *checked) error {
	files := texts(r.files)
	if c.json && !r.done {
		return cli.PrintJSON(w, struct {
			OK    bool     `json:"ok"`
			Files []string `json:"files"`
		}{false, files})
	}
	if c.json {
		return cli.PrintJSON(w, struct {
			OK       bool          `json:"ok"`
			Files    []string      `json:"files,omitempty"`
			Store    []string      `json:"store,omitempty"`
			Accounts []checkedJSON `json:"accounts"`
		}{len(files)+r.broken() == 0, files, r.store, r.accounts})
	}
	var b strings.Builder
	for _, fault := range files {
		fmt.Fprintf(&b, "file: %s\n", cli.Shown(fmt.Sprint(fault)))
	}
	for _, broken := range r.store {
		fmt.Fprintf(&b, "store: %s\n", cli.Shown(fmt.Sprint(broken)))
	}
	for _, a := range r.accounts {
		if len(a.Broken) == 0 {
			fmt.Fprintf(&b, "%s: ok\n", shownName(a.User, a.Device))
		}
		for _, broken := range a.Broken {
			fmt.Fprintf(&b, "%s: %s\n", shownName(a.User, a.Device), cli.Shown(fmt.Sprint(broken)))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
