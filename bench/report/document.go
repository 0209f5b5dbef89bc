package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/pawlkv/pawl/bench/result"
)

// maxDocument is far above what a suite leaves behind, some hundred kilobytes.
const maxDocument = 64 << 20

// ErrDocument is what all errors of Read and Validate wrap.
var ErrDocument = errors.New("report: not a result")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrDocument, fmt.Errorf(format, args...))
}

// Write writes a result as a document that Read accepts.
func Write(w io.Writer, r result.Result) error {
	if err := Validate(r); err != nil {
		return err
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// Read reads a document. It refuses what it does not know, because a figure
// that is left out silently makes the others lie. Errors: ErrDocument, and those
// of the reader.
func Read(r io.Reader) (result.Result, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxDocument+1))
	if err != nil {
		return result.Result{}, err
	}
	if len(text) > maxDocument {
		return result.Result{}, malformed("it is larger than %d MiB", maxDocument>>20)
	}
	if err := checkFormat(text); err != nil {
		return result.Result{}, err
	}
	var res result.Result
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&res); err != nil {
		return result.Result{}, malformed("%w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return result.Result{}, malformed("something follows the document")
	}
	return res, Validate(res)
}

// checkFormat comes first: the fields of another format are not wrong, only
// unknown.
func checkFormat(text []byte) error {
	var head struct {
		Format int `json:"format"`
	}
	// The first value alone: what follows it is Read's to find.
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&head); err != nil {
		return malformed("%w", err)
	}
	if head.Format != result.Format {
		return malformed("its format is %d, want %d", head.Format, result.Format)
	}
	return nil
}
