package badgerkv_test

import (
	"testing"

	"github.com/pawlkv/pawl/kv/kvtest/power"
)

// imageOf reads a directory. Badger merges tables in the background, and says in
// the manifest which there are.
func imageOf(t testing.TB, dir string) power.Image {
	t.Helper()
	return power.ImageOf(t, dir, "MANIFEST")
}

// restored writes an image to a new directory.
func restored(t testing.TB, files power.Image) string {
	t.Helper()
	dir := newDir(t)
	if err := files.Write(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}
