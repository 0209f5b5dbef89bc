package badgerkv_test

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// image is the files of a directory at a moment. Logs are mostly holes, so the
// zeros at their ends are not kept.
type image map[string]imageFile

type imageFile struct {
	data []byte
	size int64
}

// imageOf reads a directory. Badger merges tables in the background, so it reads
// again until it has seen the same files before and after.
func imageOf(t testing.TB, dir string) image {
	t.Helper()
	for {
		files, err := readFiles(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		again, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		manifest, err := os.ReadFile(filepath.Join(dir, "MANIFEST"))
		again = slices.DeleteFunc(again, func(e fs.DirEntry) bool { return e.Type() == fs.ModeSocket })
		same := len(again) == len(files) && (err != nil || bytes.Equal(bytes.TrimRight(manifest, "\x00"), files["MANIFEST"].data))
		for _, e := range again {
			_, known := files[e.Name()]
			same = same && known
		}
		if same {
			return files
		}
	}
}

func readFiles(dir string) (image, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	files := make(image)
	for _, e := range entries {
		if e.Type() == fs.ModeSocket {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		files[e.Name()] = imageFile{data: trim(data), size: int64(len(data))}
	}
	return files, nil
}

// trim takes the zeros off the end: by pages as long as it can, since there are
// many.
func trim(data []byte) []byte {
	blank := make([]byte, pageSize)
	for len(data) >= pageSize && bytes.Equal(data[len(data)-pageSize:], blank) {
		data = data[:len(data)-pageSize]
	}
	return bytes.TrimRight(data, "\x00")
}

// restore writes the image to a new directory.
func (i image) restore(t testing.TB) string {
	t.Helper()
	dir := newDir(t)
	if err := i.write(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// write makes a directory with the files of the image.
func (i image) write(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	for name, file := range i {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, file.data, 0o600); err != nil {
			return err
		}
		if err := os.Truncate(path, file.size); err != nil {
			return err
		}
	}
	return nil
}

// with returns the image with another file in place of one.
func (i image) with(name string, file imageFile) image {
	changed := maps.Clone(i)
	changed[name] = file
	return changed
}

func (i image) names() []string { return slices.Sorted(maps.Keys(i)) }

// flipped returns the file with some bits of the byte at a position flipped.
func (f imageFile) flipped(at int, bits byte) imageFile {
	data := bytes.Clone(f.data)
	data = append(data, make([]byte, max(0, at+1-len(data)))...)
	data[at] ^= bits
	return imageFile{data: data, size: f.size}
}

// cut returns the first bytes of the file.
func (f imageFile) cut(size int64) imageFile {
	return imageFile{data: f.data[:min(int64(len(f.data)), size)], size: size}
}
