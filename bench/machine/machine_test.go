package machine

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// TestDescribe: what every system can tell.
func TestDescribe(t *testing.T) {
	m := Describe(t.TempDir())
	if m.OS != runtime.GOOS || m.Arch != runtime.GOARCH || m.Cores != runtime.NumCPU() {
		t.Errorf("%+v", m)
	}
	if runtime.GOOS == "linux" && (m.Kernel == "" || m.Memory < 1<<20 || m.FileSystem == "") {
		t.Errorf("linux tells nothing: %+v", m)
	}
	if m := Describe(filepath.Join(t.TempDir(), "none")); m.FileSystem != "" {
		t.Errorf("the file system of what is not there: %s", m.FileSystem)
	}
}

// TestSpread of known times.
func TestSpread(t *testing.T) {
	for _, c := range []struct {
		d    []time.Duration
		want float64
	}{
		{nil, 0},
		{[]time.Duration{0, 0, 0, 5}, 0},
		{[]time.Duration{7, 7, 7}, 0},
		{[]time.Duration{30, 10, 20, 40, 25, 15, 35, 45}, 20.0 / 30}, // 40 - 20 of 30
	} {
		if got := spread(c.d); got != c.want {
			t.Errorf("%v: %v, want %v", c.d, got, c.want)
		}
	}
}

// TestGauge samples as often as it says, and leaves nothing behind.
func TestGauge(t *testing.T) {
	dir := t.TempDir()
	g, err := NewGauge(dir)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := g.Sample(); err != nil {
			t.Fatal(err)
		}
	}
	if len(g.cpu) != 2*samples || len(g.sync) != 2*samples {
		t.Errorf("%d and %d samples", len(g.cpu), len(g.sync))
	}
	if n := g.Noise(); n.CPU < 0 || n.Sync < 0 {
		t.Errorf("%+v", n)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
