package lineage

import (
	"errors"
	"fmt"
	"testing"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/witness"
)

func mark(store byte, generation uint64, head kv.Version) witness.Mark {
	return witness.Mark{Store: witness.StoreID{store}, Generation: generation, Head: head}
}

// TestCauseOf has each answer of a witness beside what the store says.
func TestCauseOf(t *testing.T) {
	locked := errors.New("the keychain is locked")
	for name, c := range map[string]struct {
		stored, seen witness.Mark
		answer       error
		lost         kv.Version
		cause        account.Cause
		err          error
	}{
		"the same":                       {mark(1, 1, 5), mark(1, 1, 5), nil, 0, 0, nil},
		"the witness lags":               {mark(1, 1, 9), mark(1, 1, 5), nil, 0, 0, nil},
		"behind by a commit":             {mark(1, 1, 4), mark(1, 1, 5), nil, 0, account.Behind, nil},
		"of an earlier generation":       {mark(1, 1, 9), mark(1, 2, 5), nil, 0, account.Behind, nil},
		"of a later generation":          {mark(1, 2, 9), mark(1, 1, 5), nil, 0, account.Unwitnessed, nil},
		"another store's witness":        {mark(1, 1, 9), mark(2, 1, 5), nil, 0, account.Unwitnessed, nil},
		"no witness any more":            {mark(1, 1, 9), mark(0, 0, 0), witness.ErrNone, 0, account.Unwitnessed, nil},
		"damaged":                        {mark(1, 1, 9), mark(0, 0, 0), witness.ErrDamaged, 0, account.Unwitnessed, nil},
		"copied":                         {mark(1, 1, 9), mark(1, 1, 5), fmt.Errorf("by hand: %w", witness.ErrCopied), 0, account.Copied, nil},
		"never witnessed, nothing there": {mark(1, 0, 9), mark(0, 0, 0), witness.ErrNone, 0, 0, nil},
		"never witnessed, another's":     {mark(1, 0, 9), mark(2, 3, 5), nil, 0, 0, nil},
		"never witnessed, its own":       {mark(1, 0, 4), mark(1, 1, 5), nil, 0, account.Behind, nil},
		"never witnessed, begun to be":   {mark(1, 0, 9), mark(1, 1, 5), nil, 0, 0, nil},
		"never witnessed, of a later":    {mark(1, 0, 9), mark(1, 2, 5), nil, 0, account.Behind, nil},
		"no answer":                      {mark(1, 1, 5), mark(0, 0, 0), locked, 0, 0, locked},
		"without its end":                {mark(1, 1, 4), mark(1, 1, 4), nil, 7, account.Behind, nil},
		"without its end, witness lost":  {mark(1, 1, 4), mark(0, 0, 0), witness.ErrNone, 7, account.Behind, nil},
		"without its end, no witness":    {mark(1, 0, 4), mark(0, 0, 0), witness.ErrNone, 7, account.Behind, nil},
		"without its end, no answer":     {mark(1, 1, 4), mark(0, 0, 0), locked, 7, 0, locked},
	} {
		if cause, err := causeOf(c.stored, c.seen, c.answer, c.lost); cause != c.cause || !errors.Is(err, c.err) {
			t.Errorf("%s: cause %v, error %v; want %v, %v", name, cause, err, c.cause, c.err)
		}
	}
}

// TestNextGeneration: it never falls, and rises where there is a cause.
func TestNextGeneration(t *testing.T) {
	for name, c := range map[string]struct {
		stored, seen witness.Mark
		cause        account.Cause
		want         uint64
	}{
		"the first":               {mark(1, 0, 0), mark(0, 0, 0), 0, 1},
		"as before":               {mark(1, 3, 9), mark(1, 3, 5), 0, 3},
		"the witness's":           {mark(1, 3, 9), mark(1, 5, 5), account.Behind, 6},
		"the store's":             {mark(1, 5, 9), mark(1, 3, 5), account.Unwitnessed, 6},
		"not that of another":     {mark(1, 1, 9), mark(2, 7, 5), account.Unwitnessed, 2},
		"first, after an older's": {mark(1, 0, 4), mark(1, 4, 5), account.Behind, 5},
	} {
		if got := nextGeneration(c.stored, c.seen, c.cause); got != c.want {
			t.Errorf("%s: generation %d, want %d", name, got, c.want)
		}
	}
}
