package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"

	"github.com/pawlkv/pawl/kv"
)

// served is where a store is that is kept by a server, under a name. Its key file, and what
// this machine has seen of it, are in the user's configuration directory.
type served interface {
	String() string                           // what the user gives for it
	companion(suffix string) string           // a file of this machine for it
	open(context.Context) (kv.Store, error)   // and makes it
	look(context.Context) (kv.Store, error)   // so that nothing is written in it
	exists(context.Context) (bool, error)     // whether there is something
	name() string                             // in the server
	aside(more string) served                 // with more in its name
	rename(to string) error                   // when nobody has it open
	remove() error                            // for good
	leftovers(infix string) ([]served, error) // whose names begin with this one's and an infix
}

// passwordShown is the error of a URL with a password: whatever is on a command line
// everybody on the machine can read.
const passwordShown = "the URL has a password, which everybody on this machine can see: give it in "

// parseServed takes no password, and no error of it repeats what was given. Of what is no
// URL it returns nil: that is in no server.
func parseServed(text string) (served, error) {
	scheme, rest, _ := strings.Cut(text, ":") // in any case (RFC 3986, section 3.1)
	switch scheme = strings.ToLower(scheme); scheme {
	case "postgres", "postgresql":
		return parsePG(scheme + ":" + rest)
	case "etcd":
		return parseEtcd(scheme + ":" + rest)
	}
	return nil, nil
}

// companionOf is the path of a file for what a server of some kind keeps.
func companionOf(kind, what, suffix string) string {
	dir, err := os.UserConfigDir()
	if err != nil {
		dir = "." // as without a home: beside where the command runs
	}
	of := sha256.Sum256([]byte(what))
	return filepath.Join(dir, "pawl", kind+"-"+hex.EncodeToString(of[:12])+suffix)
}

// servedStore is an open store, which closes its connections with itself.
type servedStore struct {
	kv.Store
	done func() error
}

// Unwrap implements kv.Wrapper.
func (s servedStore) Unwrap() kv.Store { return s.Store }

// Close implements kv.Store.
func (s servedStore) Close() error {
	err := s.Store.Close()
	if ended := s.done(); err == nil {
		err = ended
	}
	return err
}
