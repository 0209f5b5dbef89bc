package witness

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// Container is a file system of layers: what is written to it goes to a layer of
// its own, above those of an image.
type Container struct {
	Dir   string // where it is mounted
	Layer string // its own
	Image string // the layer under that
}

// EachBase calls f with directories on file systems of several kinds that
// containers can be on, and that keep times of birth. It takes the right to mount.
func EachBase(t *testing.T, f func(t *testing.T, base string)) {
	tmpfs := t.TempDir()
	if err := unix.Mount("tmpfs", tmpfs, "tmpfs", 0, ""); err != nil {
		t.Logf("no file system of our own: %v", err)
		return
	}
	t.Cleanup(func() { unix.Unmount(tmpfs, unix.MNT_DETACH) })
	for name, base := range map[string]string{"disk": t.TempDir(), "memory": tmpfs} {
		file, err := os.Create(filepath.Join(base, "probe"))
		if err != nil {
			t.Fatal(err)
		}
		id, _, err := identityOf(file)
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
		if err != nil || id.birth == 0 {
			t.Logf("%s: no times of birth: %+v, %v", name, id, err)
			continue
		}
		t.Run(name, func(t *testing.T) { f(t, base) })
	}
}

// Start makes a container of an image, or starts one again. It returns false
// where there are none.
func (c Container) Start(t *testing.T) bool {
	t.Helper()
	work := c.Layer + ".work"
	for _, dir := range []string{c.Dir, c.Layer, work, c.Image} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	options := "lowerdir=" + c.Image + ",upperdir=" + c.Layer + ",workdir=" + work
	if err := unix.Mount("overlay", c.Dir, "overlay", 0, options); err != nil {
		t.Logf("no overlay: %v", err)
		return false
	}
	t.Cleanup(func() { unix.Unmount(c.Dir, unix.MNT_DETACH) })
	return true
}

// Stop ends a container, whose layer stays.
func (c Container) Stop(t *testing.T) {
	t.Helper()
	if err := unix.Unmount(c.Dir, 0); err != nil {
		t.Fatal(err)
	}
}

// NewContainer names the directories of a container.
func NewContainer(base, name, image string) Container {
	home := filepath.Join(base, name)
	return Container{Dir: filepath.Join(home, "root"), Layer: filepath.Join(home, "layer"), Image: image}
}

// TestTwins: two containers begin with one image, in which there is a file. Its
// inode and time of birth are the same in both, and to neither is it its own.
func TestTwins(t *testing.T) {
	EachBase(t, func(t *testing.T, base string) {
		build := NewContainer(base, "build", filepath.Join(base, "empty"))
		if !build.Start(t) {
			return
		}
		in := func(c Container) string { return filepath.Join(c.Dir, "witness") }
		saveOnce(t, in(build), at(5))
		saveOnce(t, in(build), at(6))
		build.Stop(t)
		if !build.Start(t) { // another mount, and another device number
			t.Fatal("it does not start again")
		}
		loads(t, in(build), at(6), nil)
		build.Stop(t)

		one, two := NewContainer(base, "one", build.Layer), NewContainer(base, "two", build.Layer)
		for _, twin := range []Container{one, two} {
			twin.Start(t)
			looksAlike(t, in(twin))
		}
		for _, twin := range []Container{one, two, one, two} {
			loads(t, in(twin), at(6), ErrCopied)
		}
		saveOnce(t, in(one), Mark{storeA, 2, 6})
		one.Stop(t)
		one.Start(t)
		loads(t, in(one), Mark{storeA, 2, 6}, nil)
		loads(t, in(two), at(6), ErrCopied)
	})
}

// saveOnce is a process that saves a mark and ends.
func saveOnce(t *testing.T, path string, m Mark) {
	t.Helper()
	f := NewFile(path)
	save(t, f, m)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// looksAlike fails the test unless the file cannot be told from the one that was
// written by who only reads it.
func looksAlike(t *testing.T, path string) {
	t.Helper()
	p, err := openPage(path, os.O_RDONLY)
	if err != nil {
		t.Fatal(err)
	}
	defer p.file.Close()
	if m, err := p.mark(); err != nil || m != at(6) {
		t.Fatalf("read: %+v, %v; want %+v", m, err, at(6))
	}
}

// TestSnapshotOfAVolume: a snapshot of a subvolume has the same inodes and times
// of birth as the subvolume.
func TestSnapshotOfAVolume(t *testing.T) {
	dir := t.TempDir()
	image, root := filepath.Join(dir, "image"), filepath.Join(dir, "root")
	command := func(name string, args ...string) error { return exec.Command(name, args...).Run() }
	if err := os.Mkdir(root, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, 128<<20); err != nil {
		t.Fatal(err)
	}
	mount := func() error { return command("mount", "-o", "loop", image, root) }
	if err := command("mkfs.btrfs", "-q", image); err != nil {
		t.Logf("no Btrfs: %v", err)
		return
	}
	if err := mount(); err != nil {
		t.Logf("no Btrfs: %v", err)
		return
	}
	t.Cleanup(func() { unix.Unmount(root, unix.MNT_DETACH) })
	original, snapshot := filepath.Join(root, "original"), filepath.Join(root, "snapshot")
	if err := command("btrfs", "subvolume", "create", original); err != nil {
		t.Fatal(err)
	}
	saveOnce(t, filepath.Join(original, "witness"), at(5))
	if err := command("btrfs", "subvolume", "snapshot", original, snapshot); err != nil {
		t.Fatal(err)
	}
	for range 2 { // and mounted again
		loads(t, filepath.Join(original, "witness"), at(5), nil)
		loads(t, filepath.Join(snapshot, "witness"), at(5), ErrCopied)
		if err := unix.Unmount(root, 0); err != nil {
			t.Fatal(err)
		}
		if err := mount(); err != nil {
			t.Fatal(err)
		}
	}
}
