// Package canonicaljson reads JSON strictly and writes it in the one form that
// Matrix signs: the shortest UTF-8 encoding with object keys sorted by code
// point and integers only (Matrix specification, appendices, "Canonical JSON").
//
// A JSON value is one of nil, bool, int64, string, []any, map[string]any.
// [Encode] also takes int. Everything is safe for concurrent use; nothing is
// kept between calls.
//
// Stricter than encoding/json on purpose, because two readers of one signed
// text must see the same value: duplicate keys, invalid UTF-8, lone surrogate
// escapes, fractions and integers outside [-MaxInt, MaxInt] are errors.
package canonicaljson

import "errors"

// Every error of this package is or wraps one of these.
var (
	// ErrSyntax: not one JSON value in valid UTF-8, or nested too deeply.
	ErrSyntax = errors.New("canonicaljson: not valid JSON")
	// ErrNumber: a number with a fraction or outside [-MaxInt, MaxInt].
	ErrNumber = errors.New("canonicaljson: number is not an integer within 2^53-1")
	// ErrDuplicate: an object has the same key twice.
	ErrDuplicate = errors.New("canonicaljson: duplicate key in an object")
	// ErrType: Encode was given a Go value that is not a JSON value, or a
	// string that is not UTF-8.
	ErrType = errors.New("canonicaljson: value has no canonical form")
)

const (
	// MaxInt is the largest integer, 2^53-1: above it, readers that keep
	// numbers as IEEE doubles would disagree.
	MaxInt = 1<<53 - 1
	// MaxDepth bounds nesting, so that input cannot exhaust the stack.
	MaxDepth = 128
)
