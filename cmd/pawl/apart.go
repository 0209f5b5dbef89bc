package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/pawlkv/pawl/internal/files"
)

// apart refuses two places of which one is the other, or lies in it: whatever they
// are called, by links, say.
func apart(one, other place) error {
	if one.server != nil || other.server != nil {
		if one.companion("") == other.companion("") {
			return fmt.Errorf("%s: that is where the store is: give another place", one)
		}
		return nil
	}
	if !one.covers(other.path) && !other.covers(one.path) {
		return nil
	}
	where := other.path
	if _, err := os.Lstat(where); err == nil {
		where += " is there already"
	}
	return fmt.Errorf("%s: it and %s are one place, or one is inside the other: give another", where, one)
}

// covers reports whether a path leads to a file of the store, or into its
// directory. It need not exist.
func (p place) covers(path string) bool {
	if p.server != nil {
		return false
	}
	found, err := files.Resolve(path)
	if err != nil {
		return false // whoever opens it says why
	}
	if !p.sqlite {
		return isBelow(found, p.path)
	}
	for _, suffix := range append([]string{"", keySuffix, keyLockSuffix, witnessSuffix}, sqliteSuffixes...) {
		own, err := files.Resolve(p.path + suffix)
		if err == nil && (own == found || isOne(own, found)) {
			return true
		}
	}
	return false
}

// isBelow reports whether a path, without links, is that of a directory or leads
// into it.
func isBelow(path, dir string) bool {
	found, err := files.Resolve(dir)
	for ; ; path = filepath.Dir(path) {
		if err == nil && found == path || isOne(path, dir) {
			return true
		}
		if filepath.Dir(path) == path {
			return false
		}
	}
}

// isOne reports whether two names are of one file or directory that exists.
func isOne(one, other string) bool {
	a, err := os.Stat(one)
	if err != nil {
		return false
	}
	b, err := os.Stat(other)
	return err == nil && os.SameFile(a, b)
}

// apartFrom refuses a file that a command reads or writes beside the store and that
// is one of the store's.
func (p place) apartFrom(what, path string) error {
	if path != "" && p.covers(path) {
		return fmt.Errorf("%s %s is a file of the store, or inside it: give another", what, path)
	}
	return nil
}

// apartFromOutput refuses standard output that goes into the store.
func (p place) apartFromOutput(w io.Writer) error {
	file, ok := w.(*os.File)
	if !ok {
		return nil
	}
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil // nobody reads it, or it is no file
	}
	for _, path := range p.ownFiles() {
		if there, err := os.Stat(path); err == nil && os.SameFile(info, there) {
			return fmt.Errorf("standard output goes to %s, which is inside the store: give another file", path)
		}
	}
	return nil
}

// ownFiles are the files of the store, and all that lie in its directory.
func (p place) ownFiles() (paths []string) {
	if p.server != nil {
		return nil
	}
	if p.sqlite {
		for _, suffix := range append([]string{"", keySuffix, keyLockSuffix, witnessSuffix}, sqliteSuffixes...) {
			paths = append(paths, p.real()+suffix)
		}
		return paths
	}
	entries, _ := os.ReadDir(p.path) // whoever opens it says why it cannot be read
	for _, e := range entries {
		paths = append(paths, filepath.Join(p.path, e.Name()))
	}
	return paths
}

// apart refuses a passphrase file and an output that are inside the store.
func (f *passphraseFlags) apart(cmd *cobra.Command, p place) error {
	if err := p.apartFrom("the passphrase file", f.file); err != nil {
		return err
	}
	return p.apartFromOutput(cmd.OutOrStdout())
}
