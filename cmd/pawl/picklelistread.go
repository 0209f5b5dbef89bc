package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/secret"
)

// readPickles reads a device from a list of pickles, all of it.
func readPickles(path, program string, p pickler, key secret.Value[[]byte]) (pawl.Import, error) {
	file, err := os.Open(path)
	if err != nil {
		return pawl.Import{}, fmt.Errorf("pickles: %w", err)
	}
	defer file.Close()
	all, digest, err := readList(file)
	if err != nil {
		return pawl.Import{}, err
	}
	l := list{pickler: p, secret: p.key(key.Reveal()), all: all}
	if p.keySize != 0 && len(l.secret) != p.keySize {
		return pawl.Import{}, fmt.Errorf("%w: want %d bytes, or these in base64", pawl.ErrPickleKey, p.keySize)
	}
	d, err := l.device()
	d.Program, d.Digest = program, digest
	return d, err
}

func notAList(format string, args ...any) error {
	return fmt.Errorf("%w: not a list of pickles: %s", pawl.ErrImport, fmt.Sprintf(format, args...))
}

// readList reads the entries of a list, and digests it.
func readList(from io.Reader) (all []listed, digest [32]byte, err error) {
	sum := sha256.New()
	bounded := &io.LimitedReader{R: from, N: maxList + 1}
	in := json.NewDecoder(io.TeeReader(bounded, sum))
	in.DisallowUnknownFields()
	if t, err := in.Token(); err != nil || t != json.Delim('[') {
		return nil, digest, notAList("want a JSON array")
	}
	for in.More() {
		var one listed
		if err := in.Decode(&one); err != nil {
			return nil, digest, notAList("entry %d: %v", len(all), jsonError(err))
		}
		if all = append(all, one); len(all) > maxPickles {
			return nil, digest, notAList("more than %d entries", maxPickles)
		}
	}
	if _, err := in.Token(); err != nil {
		return nil, digest, notAList("it ends within the array")
	}
	if _, err := in.Token(); err != io.EOF {
		return nil, digest, notAList("more follows the array")
	}
	if bounded.N == 0 {
		return nil, digest, notAList("longer than %d bytes", maxList)
	}
	return all, [32]byte(sum.Sum(nil)), nil
}

// jsonError says what is wrong with an entry without what is in it.
func jsonError(err error) error {
	var typed *json.UnmarshalTypeError
	if errors.As(err, &typed) {
		return fmt.Errorf("%s is of another type", typed.Field)
	}
	return err
}

// lineWithin is the first line of a text, without its end.
func lineWithin(text []byte) []byte {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r"))
}
