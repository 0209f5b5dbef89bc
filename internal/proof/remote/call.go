// Package remote is a device whose calls are made somewhere else: in another process, in a
// program that is not written in Go, or in a tab. Both sides say what docs/calls.txt has:
// a [Call] and its [Answer] are values of JSON, and how these travel is the test's affair.
//
// [Device] is the side that asks; [Here] is the other one, where it is in Go.
package remote

import (
	"encoding/json"
	"errors"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/calls"
	"github.com/pawlkv/pawl/kv"
)

// Call is a call of a machine.
type Call struct {
	Name   string          `json:"name"`
	Params json.RawMessage `json:"params,omitempty"` // with "v"
	Body   []byte          `json:"body,omitempty"`   // what goes beside them
}

// Answer is what came of a call: a result or a failure.
type Answer struct {
	Result json.RawMessage `json:"result,omitempty"`
	Failed *Failure        `json:"failed,omitempty"`
}

// Failure is an error on its way, as every program has it that calls Pawl.
type Failure struct {
	Code    pawl.Code `json:"code"`
	Message string    `json:"message"`
	// Result is what the part of the call returned that was done, where one was.
	Result json.RawMessage `json:"result,omitempty"`
	// Kinds are the codes of all that the error is, from programs that know: those in Go.
	Kinds []pawl.Code `json:"kinds,omitempty"`
}

// kinds are what an error may be beside its code: an unknown outcome is often that of a
// store that cannot be reached.
var kinds = []error{
	kv.ErrConflict, kv.ErrUnknown, kv.ErrUnavailable, kv.ErrDiskFull, kv.ErrCorrupt, kv.ErrClosed, kv.ErrInUse, kv.ErrUnusable,
	pawl.ErrNoAccount, pawl.ErrAlreadyProcessed, pawl.ErrNeedsRecovery,
}

// FailureOf is nil of nil.
func FailureOf(err error) *Failure {
	if err == nil {
		return nil
	}
	f := &Failure{}
	if broken := json.Unmarshal(calls.Failure(err), f); broken != nil {
		f.Code, f.Message = pawl.CodeOther, broken.Error()
	}
	for _, kind := range kinds {
		if errors.Is(err, kind) {
			f.Kinds = append(f.Kinds, pawl.CodeOf(kind))
		}
	}
	return f
}

// Err is the error, nil where there was none.
func (f *Failure) Err() error {
	if f == nil {
		return nil
	}
	return f
}

// Error implements error.
func (f *Failure) Error() string { return f.Message }

// Is makes errors.Is true for errors that have the code of the one that it was.
func (f *Failure) Is(target error) bool {
	code := pawl.CodeOf(target)
	if code == pawl.CodeOther {
		return false // says nothing of what it is
	}
	for _, kind := range f.Kinds {
		if kind == code {
			return true
		}
	}
	return f.Code == code
}
