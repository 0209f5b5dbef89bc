package txn

import "context"

// Do runs fn in a transaction, commits what it wrote, and returns its result.
// fn may run several times; see the package documentation for what it may do
// and what the result is worth.
//
// Exactly one of these happens:
//
//   - fn's result and no error: committed, durable unless [Tx.Unsynced].
//   - An error of fn, unchanged: nothing was written.
//   - [*UnknownError]: may have been written; the result is withheld for good.
//   - [*StarvedError], or an error of the store or the context (wrapped; see
//     package kv for what each means): nothing was written.
//   - [ErrNested], [ErrDone], [ErrNoSealer]: a mistake of the caller.
//
// If fn panics or ends its goroutine nothing is written, and the panic goes on.
func Do[T any](ctx context.Context, db *DB, fn func(tx *Tx) (T, error)) (T, error) {
	return run(ctx, db, readWrite, fn)
}

// View runs fn in a transaction that cannot write, and returns its result. It
// is Do otherwise; writes fail with [ErrReadOnly].
func View[T any](ctx context.Context, db *DB, fn func(tx *Tx) (T, error)) (T, error) {
	return run(ctx, db, readOnly, fn)
}

func run[T any](ctx context.Context, db *DB, m mode, fn func(tx *Tx) (T, error)) (T, error) {
	var zero T
	c, err := begin(ctx, db, m)
	if err != nil {
		return zero, err
	}
	defer c.end() // also when fn panics
	for {
		tx, err := c.attempt()
		if err != nil {
			return zero, err
		}
		v, failure := fn(tx)
		again, err := c.settle(failure)
		if again {
			continue
		}
		c.end()
		if err != nil {
			return zero, err
		}
		tx.committed()
		return v, nil
	}
}
