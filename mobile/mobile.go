// Package mobile is what gobind makes classes for Java, Kotlin, Swift and Objective-C of:
// the calls of internal/calls in types that it knows. docs/calls.txt lists the calls with
// every field, and docs/c-library.md tells how they are made; what differs here is this:
//
//   - A result is a text of JSON. An error is an exception whose message is one, with the
//     code, the remedy and a text for people.
//   - A deadline is in milliseconds from now, below 0 for none; a token is 0, or one that
//     [Cancel] cancels the call by.
//   - Stores are those of kv/sqlitekv ("sqlite") and, for tests, in memory ("memory").
//
// No device has run it. Binding needs the NDK or Xcode; "make bind" checks, without either,
// that gobind takes the package and that the Go side of what it makes compiles.
package mobile

import (
	"context"
	"log/slog"

	"github.com/pawlkv/pawl/internal/calls"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/kv/sqlitekv"
)

var library = calls.New(slog.New(slog.DiscardHandler), map[string]calls.Engine{
	"memory": func(context.Context, string, *slog.Logger) (kv.Store, error) { return memkv.New(), nil },
	"sqlite": func(_ context.Context, path string, log *slog.Logger) (kv.Store, error) {
		return sqlitekv.Open(path, sqlitekv.WithLogger(log))
	},
})

// failure is an error that says all that callers may know, as JSON.
type failure struct{ error }

// Error implements error.
func (f failure) Error() string { return string(calls.Failure(f.error)) }

// Unwrap returns what failed.
func (f failure) Unwrap() error { return f.error }

func answer(result []byte, err error) (string, error) {
	if err != nil {
		return "", failure{err}
	}
	return string(result), nil
}

func within(deadline, token int64, do func(context.Context) ([]byte, error)) (string, error) {
	ctx, end, err := library.Within(deadline, calls.Handle(token))
	if err != nil {
		return answer(nil, err)
	}
	defer end()
	return answer(do(ctx))
}

// Open opens a store: secret is the key of 32 bytes or the passphrase, and stays the
// caller's.
func Open(params string, secret []byte, deadline, token int64) (string, error) {
	return within(deadline, token, func(ctx context.Context) ([]byte, error) {
		return library.Open(ctx, []byte(params), secret)
	})
}

// Call makes a call on a store or a machine. body goes beside the parameters.
func Call(on int64, name, params string, body []byte, deadline, token int64) (string, error) {
	return within(deadline, token, func(ctx context.Context) ([]byte, error) {
		return library.Call(ctx, calls.Handle(on), name, []byte(params), body)
	})
}

// Stream begins a stream of a machine. The result names its handle.
func Stream(machine int64, name, params string) (string, error) {
	return answer(library.Stream(calls.Handle(machine), name, []byte(params)))
}

// Next waits for the next item of a stream. At its end the code is "end".
func Next(stream, deadline, token int64) (string, error) {
	return within(deadline, token, func(ctx context.Context) ([]byte, error) {
		return library.Next(ctx, calls.Handle(stream))
	})
}

// Close closes a store with all that is open of it, a machine, a stream, or a token.
func Close(handle int64) error {
	if err := library.Close(calls.Handle(handle)); err != nil {
		return failure{err}
	}
	return nil
}

// Token makes a token.
func Token() int64 { return int64(library.Token()) }

// Cancel cancels all calls that are made with a token, those that are made later too.
func Cancel(token int64) error {
	if err := library.Cancel(calls.Handle(token)); err != nil {
		return failure{err}
	}
	return nil
}
