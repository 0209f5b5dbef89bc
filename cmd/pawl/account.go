package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/cli"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/matrix"
)

// storeFlags are those of the commands that work on accounts of a store.
type storeFlags struct {
	passphraseFlags
	account string
}

func (f *storeFlags) bind(cmd *cobra.Command) {
	f.passphraseFlags.bind(cmd)
	cmd.Flags().StringVar(&f.account, "account", "", "the account, as `USER/DEVICE`, or as USER or DEVICE where only one has it")
}

// use opens the store and the one account that is meant.
func (f *storeFlags) use(cmd *cobra.Command, dir string, fn func(*opened, *pawl.Machine) error) error {
	return f.passphraseFlags.use(cmd, dir, f.onOne(cmd, fn))
}

// onOne calls fn with the one account of an open store that is meant.
func (f *storeFlags) onOne(cmd *cobra.Command, fn func(*opened, *pawl.Machine) error) func(*opened) error {
	return func(o *opened) error {
		id, err := f.chosen(cmd.Context(), o)
		if err != nil {
			return err
		}
		m, err := o.Machine(cmd.Context(), id.UserID, id.DeviceID)
		if err != nil {
			return err
		}
		return fn(o, m)
	}
}

// each opens the store and calls fn with every account, or with the one that
// is meant by --account.
func (f *storeFlags) each(cmd *cobra.Command, dir string, fn func(*pawl.Machine, pawl.Identity) error) error {
	return f.passphraseFlags.use(cmd, dir, func(o *opened) error {
		return f.eachOf(cmd.Context(), o, fn)
	})
}

// eachOf goes on with the next account when one is damaged, and returns that
// when all are done.
func (f *storeFlags) eachOf(ctx context.Context, o *opened, fn func(*pawl.Machine, pawl.Identity) error) error {
	ids, damaged, err := f.wanted(ctx, o)
	if err != nil {
		return err
	}
	for _, id := range ids {
		m, err := o.Machine(ctx, id.UserID, id.DeviceID)
		if err == nil {
			err = fn(m, id)
		}
		if err != nil && !errors.Is(err, kv.ErrCorrupt) {
			return err
		}
		damaged = errors.Join(damaged, err)
	}
	return damaged
}

// wanted returns the accounts that match --account, sorted; without it all that
// can be read, and what is damaged of the others.
func (f *storeFlags) wanted(ctx context.Context, o *opened) (ids []pawl.Identity, damaged, err error) {
	ids, err = o.Accounts(ctx)
	if errors.Is(err, kv.ErrCorrupt) {
		damaged, err = err, nil
	}
	if err != nil {
		return nil, nil, err
	}
	slices.SortFunc(ids, byName)
	if f.account == "" {
		return ids, damaged, nil
	}
	matching := selectAccounts(ids, f.account)
	switch {
	case len(matching) > 0:
		return matching, nil, nil
	case damaged != nil:
		return nil, nil, fmt.Errorf("the store has %s; whether it has %q cannot be read: %w", names(ids), f.account, damaged)
	}
	return nil, nil, fmt.Errorf("the store has no account %q: it has %s", f.account, names(ids))
}

func (f *storeFlags) chosen(ctx context.Context, o *opened) (pawl.Identity, error) {
	ids, damaged, err := f.wanted(ctx, o)
	switch {
	case err != nil:
		return pawl.Identity{}, err
	case damaged != nil && len(ids) == 0:
		return pawl.Identity{}, damaged
	case damaged != nil: // the one that was meant may be damaged
		return pawl.Identity{}, fmt.Errorf("give --account: the store has %s, and what cannot be read: %w", names(ids), damaged)
	case len(ids) == 0:
		return pawl.Identity{}, fmt.Errorf("the store has no account yet: make one with 'pawl init %s --user USER --device DEVICE'", o.place)
	case len(ids) > 1:
		return pawl.Identity{}, fmt.Errorf("give --account: the store has %s", names(ids))
	}
	return ids[0], nil
}

// selectAccounts returns the accounts that a selector names. USER/DEVICE names
// one at most: a user id has a colon before any slash that follows its server.
func selectAccounts(ids []pawl.Identity, selector string) []pawl.Identity {
	for _, id := range ids {
		if accountName(id) == selector {
			return []pawl.Identity{id}
		}
	}
	var matching []pawl.Identity
	for _, id := range ids {
		if string(id.UserID) == selector || string(id.DeviceID) == selector {
			matching = append(matching, id)
		}
	}
	return matching
}

// byName is the order in which accounts are shown.
func byName(a, b pawl.Identity) int {
	return cmp.Or(cmp.Compare(a.UserID, b.UserID), cmp.Compare(a.DeviceID, b.DeviceID))
}

func accountName(id pawl.Identity) string { return string(id.UserID) + "/" + string(id.DeviceID) }

// shownName is an account's name as people may see it: others choose such names.
func shownName(user matrix.UserID, device matrix.DeviceID) string {
	return cli.Shown(string(user) + "/" + string(device))
}

func names(ids []pawl.Identity) string {
	var all []string
	for _, id := range ids {
		all = append(all, shownName(id.UserID, id.DeviceID))
	}
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, ", ")
}
