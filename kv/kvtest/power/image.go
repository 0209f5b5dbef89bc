package power

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// PageSize is that of the kernel, which writes back one page or another.
const PageSize = 4096

// Image is the files of a directory at a moment, by their names.
type Image map[string]File

// File is the bytes of a file. Those at its end that are zero are not kept: logs
// are mostly holes.
type File struct {
	Data []byte
	Size int64
}

// FileOf returns a file of these bytes.
func FileOf(data []byte) File { return File{Data: trim(data), Size: int64(len(data))} }

// trim takes the zeros off the end: by pages as long as it can, since there are
// many.
func trim(data []byte) []byte {
	blank := make([]byte, PageSize)
	for len(data) >= PageSize && bytes.Equal(data[len(data)-PageSize:], blank) {
		data = data[:len(data)-PageSize]
	}
	return bytes.TrimRight(data, "\x00")
}

// ImageOf reads a directory while nobody writes to what matters. Files may come
// and go all the same, so it reads again until it has seen the same names, and
// the same bytes of the steady files, before and after.
func ImageOf(t testing.TB, dir string, steady ...string) Image {
	t.Helper()
	for {
		image, err := read(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if image.isOf(t, dir, steady) {
			return image
		}
	}
}

func read(dir string) (Image, error) {
	names, err := regular(dir)
	image := make(Image)
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		image[name] = FileOf(data)
	}
	return image, err
}

// regular names the files of a directory but sockets.
func regular(dir string) (names []string, err error) {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if e.Type() != fs.ModeSocket {
			names = append(names, e.Name())
		}
	}
	return names, err
}

// isOf reports whether the directory is as it was read.
func (i Image) isOf(t testing.TB, dir string, steady []string) bool {
	t.Helper()
	names, err := regular(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range steady {
		now, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil && !bytes.Equal(trim(now), i[name].Data) {
			return false
		}
	}
	return slices.Equal(names, i.Names())
}

// Write makes a directory with the files.
func (i Image) Write(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	for name, file := range i {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, file.Data, 0o600); err != nil {
			return err
		}
		if err := os.Truncate(path, file.Size); err != nil {
			return err
		}
	}
	return nil
}

// With returns the image with another file in place of one.
func (i Image) With(name string, file File) Image {
	changed := maps.Clone(i)
	changed[name] = file
	return changed
}

// Names returns the names of the files, sorted.
func (i Image) Names() []string { return slices.Sorted(maps.Keys(i)) }

// sum tells images apart.
func (i Image) sum() (id [sha256.Size]byte) {
	h := sha256.New()
	for _, name := range i.Names() {
		fmt.Fprintf(h, "%s %d %d\n", name, i[name].Size, len(i[name].Data))
		h.Write(i[name].Data)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// Flipped returns the file with some bits of the byte at a position flipped.
func (f File) Flipped(at int, bits byte) File {
	data := bytes.Clone(f.Data)
	data = append(data, make([]byte, max(0, at+1-len(data)))...)
	data[at] ^= bits
	return File{Data: data, Size: f.Size}
}

// Cut returns the first bytes of the file.
func (f File) Cut(size int64) File {
	return File{Data: f.Data[:min(int64(len(f.Data)), size)], Size: size}
}
