// Package secret keeps key bytes from being printed by accident.
//
// Methods alone cannot do that: fmt calls no method on a value held in an
// unexported field, and none at all for %p. It follows at most one pointer
// below the top level, and that only for a verb that does not suit a pointer.
// So a secret lives in a [Value], two pointers away, and a type that holds one
// embeds [Guard], which redacts the type where methods are called and refuses
// JSON. [Exposed] finds the fields that break the rule.
package secret

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// Redacted is what every guarded value prints as.
const Redacted = "[redacted]"

// ErrMarshal is the refusal to write a secret as JSON or text.
var ErrMarshal = errors.New("secret: refusing to marshal a secret")

// Guard is embedded in a struct that holds secrets. It redacts the struct
// under every verb of fmt and in slog, and makes marshalling fail.
type Guard struct{}

// Format implements [fmt.Formatter] for every verb and flag.
func (Guard) Format(s fmt.State, _ rune) { io.WriteString(s, Redacted) }

// String implements [fmt.Stringer].
func (Guard) String() string { return Redacted }

// LogValue implements [slog.LogValuer].
func (Guard) LogValue() slog.Value { return slog.StringValue(Redacted) }

// MarshalJSON always fails with [ErrMarshal].
func (Guard) MarshalJSON() ([]byte, error) { return nil, ErrMarshal }

// Value hides a T. The zero Value holds nothing; see [Value.IsZero].
// Values are immutable and may be shared between goroutines.
type Value[T any] struct {
	Guard
	p **T
}

// box keeps the secret and the inner of the two pointers in one allocation.
type box[T any] struct {
	inner *T
	value T
}

// Key is 32 secret bytes: a Curve25519 scalar, a message key, a data key.
type Key = Value[[32]byte]

// Hide returns a Value holding v.
func Hide[T any](v T) Value[T] {
	b := &box[T]{value: v}
	b.inner = &b.value
	return Value[T]{p: &b.inner}
}

// Reveal returns what was hidden, or the zero T. What it returns is no longer
// protected: keep it in local variables.
func (v Value[T]) Reveal() (t T) {
	if v.p != nil {
		t = **v.p
	}
	return t
}

// Peek returns a pointer to what was hidden, for reading without a copy, or
// nil. Nothing may be written through it.
func (v Value[T]) Peek() *T {
	if v.p == nil {
		return nil
	}
	return *v.p
}

// IsZero reports whether nothing is hidden here.
func (v Value[T]) IsZero() bool { return v.p == nil }

// hides marks Values for [Exposed].
func (Value[T]) hides() {}
