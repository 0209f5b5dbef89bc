package calls

import (
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/group"
)

// Errors of calling, beside those of Pawl. Nothing was done, but for ErrFailed.
var (
	// ErrHandle: the number is none of a store, machine, stream or token, or of another
	// kind than the call is for, or what it was for was closed.
	ErrHandle = errors.New("no such handle, or one that was closed, or of another kind")
	// ErrNoCall: there is no call of this name, for what the handle is of.
	ErrNoCall = errors.New("no such call")
	// ErrForked: the process was forked off one that had the library already. It can use
	// it only after exec.
	ErrForked = errors.New("the library cannot be used in a process that was forked off another one: start a program")
	// ErrEnd: the stream has nothing more.
	ErrEnd = errors.New("the stream has ended")
	// ErrFailed: the library failed in itself, which is to be reported. Whether the call
	// had its effect is not known, as with "unknown".
	ErrFailed = errors.New("the library has failed in itself: please report it; whether the call had its effect is not known")
)

// ownCodes are the codes of errors that pawl.CodeOf does not know.
var ownCodes = []struct {
	err    error
	code   pawl.Code
	remedy pawl.Remedy
	means  string
}{
	{ErrHandle, "handle", pawl.RemedyCall, "not the number of something open, or of another kind of thing"},
	{ErrParams, "params", pawl.RemedyCall, "the parameters are not those of the call"},
	{ErrNoCall, "no_call", pawl.RemedyCall, "no call has this name"},
	{ErrForked, "forked", pawl.RemedyNone, "a forked process cannot use the library"},
	{ErrEnd, "end", pawl.RemedyNone, "a stream has nothing more"},
	{ErrFailed, "failed", pawl.RemedyRetry, "the library failed in itself, and whether the call had its effect is not known"},
}

//go:embed numbers.txt
var numbersText string

// numbers are those of all codes. 0 is that of success; each was assigned once and is
// never used for another.
var numbers = func() map[pawl.Code]int32 {
	all := map[pawl.Code]int32{}
	for line := range strings.Lines(numbersText) {
		number, code, _ := strings.Cut(strings.TrimSpace(line), " ")
		n, err := strconv.ParseInt(number, 10, 32)
		if err != nil {
			panic("calls: numbers.txt: " + err.Error())
		}
		all[pawl.Code(code)] = int32(n)
	}
	return all
}()

// CodeOf is pawl.CodeOf, and knows the errors of this package too.
func CodeOf(err error) pawl.Code {
	for _, own := range ownCodes {
		if errors.Is(err, own.err) {
			return own.code
		}
	}
	return pawl.CodeOf(err)
}

// Number is the number of an error's code, 0 of none.
func Number(err error) int32 {
	if err == nil {
		return 0
	}
	return numbers[CodeOf(err)]
}

// Code is a code with its number.
type Code struct {
	Number int32
	Name   pawl.Code
	Remedy pawl.Remedy
	Means  string
}

// Codes are all codes there are.
func Codes() []Code {
	var all []Code
	for _, c := range pawl.Codes() {
		all = append(all, Code{numbers[c], c, c.Remedy(), c.Means()})
	}
	for _, own := range ownCodes {
		all = append(all, Code{numbers[own.code], own.code, own.remedy, own.means})
	}
	return all
}

// failure is an error as callers get it.
type failure struct {
	Code    pawl.Code
	Number  int
	Remedy  pawl.Remedy
	Message string
	// Requests are those that have no answer yet, of "not_shared".
	Requests []pawl.RequestID
	// Why another key is to be shared, of "rotate".
	Why group.Why
	// Withheld is the code of the notice that says why there is no room key, and
	// WithheldReason the text in it.
	Withheld       group.Code
	WithheldReason string
	// First is the first index that the room key reads, of "too_early".
	First *uint32
}

func failureOf(err error) failure {
	f := failure{Code: CodeOf(err), Number: int(Number(err)), Message: err.Error()}
	f.Remedy = f.Code.Remedy()
	for _, own := range ownCodes {
		if own.code == f.Code {
			f.Remedy = own.remedy
		}
	}
	var notShared *pawl.NotSharedError
	if errors.As(err, &notShared) {
		f.Requests = notShared.Requests
	}
	var rotate *pawl.RotateError
	if errors.As(err, &rotate) {
		f.Why = rotate.Why
	}
	var withheld *group.WithheldError
	if errors.As(err, &withheld) {
		f.Withheld, f.WithheldReason = withheld.Code, withheld.Reason
	}
	var index *group.IndexError
	if errors.As(err, &index) {
		f.First = &index.First
	}
	return f
}

// partialError is an error of a call that had done a part, with what that part returned.
type partialError struct {
	err    error
	result any
}

func (e *partialError) Error() string { return e.err.Error() }
func (e *partialError) Unwrap() error { return e.err }

// partly keeps what a call returned beside its error.
func partly(result any, err error) (any, error) {
	if err != nil {
		return nil, &partialError{err, result}
	}
	return result, nil
}

// Failure writes an error as JSON: its code, and what the caller may do. Where a part
// was done before it, "result" is what that returned.
func Failure(err error) []byte {
	b := encode(failureOf(err))
	var part *partialError
	if errors.As(err, &part) {
		result := encode(part.result)
		b = fmt.Appendf(b[:len(b)-1], `,"result":%s}`, result)
	}
	return b
}
