package machine

import (
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/pawlkv/pawl/bench/result"
)

// A Gauge does two fixed things again and again, between what is measured: how
// much their times differ is what the machine does, and no design.
type Gauge struct {
	file       *os.File
	loadBefore float64
	cpu, sync  []time.Duration
}

// NewGauge writes into a directory, on the file system that counts.
func NewGauge(dir string) (*Gauge, error) {
	file, err := os.OpenFile(filepath.Join(dir, "gauge"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return &Gauge{file: file, loadBefore: load()}, nil
}

// Of each Sample: what is done, how often.
const (
	samples = 5
	hashed  = 1 << 20 // bytes, which takes about a millisecond
	block   = 4096
)

// Sample does both.
func (g *Gauge) Sample() error {
	data := make([]byte, hashed)
	for range samples {
		began := time.Now()
		sum := sha256.Sum256(data)
		g.cpu = append(g.cpu, time.Since(began))
		copy(data, sum[:]) // used, so that it is computed
		began = time.Now()
		if _, err := g.file.Write(data[:block]); err != nil {
			return err
		}
		if err := syncData(g.file); err != nil {
			return err
		}
		g.sync = append(g.sync, time.Since(began))
	}
	return nil
}

// Noise is that of all samples so far.
func (g *Gauge) Noise() result.Noise {
	return result.Noise{LoadBefore: g.loadBefore, LoadAfter: load(), CPU: spread(g.cpu), Sync: spread(g.sync)}
}

// Close removes the file.
func (g *Gauge) Close() error { return errors.Join(g.file.Close(), os.Remove(g.file.Name())) }

// spread is (75th - 25th percentile) / median.
func spread(d []time.Duration) float64 {
	v := slices.Sorted(slices.Values(d))
	if len(v) == 0 || v[len(v)/2] == 0 { // a clock may stand still for so long
		return 0
	}
	return float64(v[3*len(v)/4]-v[len(v)/4]) / float64(v[len(v)/2])
}
