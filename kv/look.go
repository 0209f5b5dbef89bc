package kv

import "context"

// Looker is what views are to which each call is a round trip, and which make several
// calls in one.
type Looker interface {
	// Look is Get of keys, of which there may be none, and for each prefix what Scan yields
	// first: no more than most entries. The view has returned all that, as if it had been
	// asked for each. Errors: those of Get.
	Look(ctx context.Context, keys, prefixes []string, most int) ([]Entry, []Begun, error)
}

// Begun is how a scan begins.
type Begun struct {
	Entries []Entry // in the order of their keys
	Whole   bool    // there are no others
}
