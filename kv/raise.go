package kv

import "context"

// Format numbers what is stored, as a whole: which programs can read it. See
// docs/format.md.
type Format int

// The formats that there are. A store is made in the newest.
const (
	Format1 Format = 1
	Format2 Format = 2

	NewestFormat = Format2
)

// Raiser is what engines offer whose stores programs of different age may have
// open at the same time.
type Raiser interface {
	// Raise makes the store one of the newest format, durably, unless a program
	// has it open that cannot read that, and returns the format that the store
	// has then. From then on such programs cannot open it, and say ErrNewer. That
	// one is in the way is no error: Raise is called again now and then.
	//
	// It may wait for as long as a program takes to come back whose connection
	// was lost, half a second. It may end views (ErrConflict), at most once for
	// each call. Errors: the context's, ErrUnavailable, ErrClosed, ErrDiskFull,
	// and why the store could not be written.
	Raise(ctx context.Context) (Format, error)
}

// Raise raises a store; see [Raiser]. A store that is none is of the newest
// format: whoever has it open is this program.
func Raise(ctx context.Context, store Store) (Format, error) {
	if r, can := As[Raiser](store); can {
		return r.Raise(ctx)
	}
	return NewestFormat, nil
}

// Formatted is what engines offer whose stores say which format they have.
type Formatted interface {
	// Format returns the format that the store has now, and raises nothing. Errors:
	// the context's, ErrClosed, and why the store could not be read.
	Format(ctx context.Context) (Format, error)
}

// FormatOf returns the format that a store has now, as [Raise] does.
func FormatOf(ctx context.Context, store Store) (Format, error) {
	if f, can := As[Formatted](store); can {
		return f.Format(ctx)
	}
	return NewestFormat, nil
}
