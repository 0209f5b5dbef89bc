//go:build cgo

package main

// #include <stdlib.h>
// #include "enter.h"
import "C"

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"
	"slices"
	"unsafe"

	"github.com/pawlkv/pawl/internal/calls"
)

// lines hands log lines to the callback that is set.
var lines = newLines()

var library = calls.New(slog.New(lines), engines)

func init() {
	// A host has memory of its own to think of: return what a burst took sooner.
	debug.SetGCPercent(50)
}

// input is what C gave: it is C's again when the call returns, so a call has a copy,
// which is wiped then.
type input struct {
	data   *C.uint8_t
	length C.size_t
}

// mostInput is how long an input may be. One that is longer is an error number, or a
// difference below 0, that was taken for a length: to read it would end the program.
const mostInput = 1 << 30

// with hands copies of two inputs to a call.
func with(params, beside input, do func(params, beside []byte) ([]byte, error)) ([]byte, error) {
	var copies [2][]byte
	for i, in := range []input{params, beside} {
		if in.length > mostInput {
			return nil, fmt.Errorf("%w: an input of %d bytes, of at most %d", calls.ErrParams, uint64(in.length), mostInput)
		}
		if in.length > 0 && in.data == nil {
			return nil, fmt.Errorf("%w: an input of %d bytes is not in memory", calls.ErrParams, uint64(in.length))
		}
		copies[i] = []byte(unsafe.String((*byte)(unsafe.Pointer(in.data)), int(in.length)))
		defer clear(copies[i])
	}
	return do(copies[0], copies[1])
}

// answer gives a result or an error to C.
func answer(out *C.pawl_bytes, result []byte, err error) C.pawl_code {
	if err != nil {
		result = calls.Failure(err)
	}
	out.data = (*C.uint8_t)(C.CBytes(result)) // ends the program where there is no memory
	out.length = C.size_t(len(result))
	clear(result)
	return C.pawl_code(calls.Number(err))
}

// within runs a call under its deadline and token.
func within(deadline C.int64_t, token C.pawl_handle, out *C.pawl_bytes, do func(context.Context) ([]byte, error)) C.pawl_code {
	ctx, end, err := library.Within(int64(deadline), calls.Handle(token))
	if err != nil {
		return answer(out, nil, err)
	}
	defer end()
	result, err := do(ctx)
	return answer(out, result, err)
}

// named is a name that C gave, "" for none.
func named(name *C.char) string {
	if name == nil {
		return ""
	}
	return C.GoString(name)
}

//export goPawlOpen
func goPawlOpen(params *C.uint8_t, paramsLength C.size_t, secret *C.uint8_t, secretLength C.size_t,
	deadline C.int64_t, token C.pawl_handle, out *C.pawl_bytes) C.pawl_code {
	return within(deadline, token, out, func(ctx context.Context) ([]byte, error) {
		return with(input{params, paramsLength}, input{secret, secretLength}, func(params, secret []byte) ([]byte, error) {
			return library.Open(ctx, params, secret)
		})
	})
}

//export goPawlCall
func goPawlCall(on C.pawl_handle, name *C.char, params *C.uint8_t, paramsLength C.size_t, body *C.uint8_t, bodyLength C.size_t,
	deadline C.int64_t, token C.pawl_handle, out *C.pawl_bytes) C.pawl_code {
	return within(deadline, token, out, func(ctx context.Context) ([]byte, error) {
		return with(input{params, paramsLength}, input{body, bodyLength}, func(params, body []byte) ([]byte, error) {
			return library.Call(ctx, calls.Handle(on), named(name), params, body)
		})
	})
}

//export goPawlStream
func goPawlStream(on C.pawl_handle, name *C.char, params *C.uint8_t, paramsLength C.size_t, out *C.pawl_bytes) C.pawl_code {
	result, err := with(input{params, paramsLength}, input{}, func(params, _ []byte) ([]byte, error) {
		return library.Stream(calls.Handle(on), named(name), params)
	})
	return answer(out, result, err)
}

//export goPawlNext
func goPawlNext(stream C.pawl_handle, deadline C.int64_t, token C.pawl_handle, out *C.pawl_bytes) C.pawl_code {
	return within(deadline, token, out, func(ctx context.Context) ([]byte, error) {
		return library.Next(ctx, calls.Handle(stream))
	})
}

//export goPawlClose
func goPawlClose(handle C.pawl_handle) C.pawl_code {
	return C.pawl_code(calls.Number(library.Close(calls.Handle(handle))))
}

//export goPawlToken
func goPawlToken(token *C.pawl_handle) C.pawl_code {
	*token = C.pawl_handle(library.Token())
	return 0
}

//export goPawlCancel
func goPawlCancel(token C.pawl_handle) C.pawl_code {
	return C.pawl_code(calls.Number(library.Cancel(calls.Handle(token))))
}

//export goPawlCodes
func goPawlCodes(out *C.pawl_bytes) C.pawl_code {
	type code struct {
		Number int32  `json:"number"`
		Code   string `json:"code"`
		Remedy string `json:"remedy"`
		Means  string `json:"means"`
	}
	var all []code
	for _, c := range calls.Codes() {
		all = append(all, code{c.Number, string(c.Name), string(c.Remedy), c.Means})
	}
	return answerJSON(out, map[string]any{"v": calls.Version, "codes": all})
}

//export goPawlNames
func goPawlNames(out *C.pawl_bytes) C.pawl_code {
	store, machine, streams := calls.Names()
	return answerJSON(out, map[string]any{
		"v": calls.Version, "engines": slices.Sorted(maps.Keys(engines)), "store": store, "machine": machine, "streams": streams,
	})
}

func answerJSON(out *C.pawl_bytes, v any) C.pawl_code {
	text, err := json.Marshal(v)
	return answer(out, text, err)
}
