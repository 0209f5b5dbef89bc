package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/pawlkv/pawl/kv/badgerkv"
)

const (
	million     = 1_000_000
	readingTime = 20 * time.Second
)

// Memory is what a process that reads at random came to.
type Memory struct {
	Reads   int           `json:"reads"`
	Open    time.Duration `json:"open"`
	RssAnon int           `json:"rss_anon_kib"` // the most that was seen
	Holds   bool          `json:"holds"`
}

// RunMillion makes a store of a million sessions and lets a new process read
// it at random.
func RunMillion(config Config) error {
	dir, err := os.MkdirTemp(config.Dir, "pawl-bench-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "store")
	if err := makeStore(path, million, config.Value); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	out, err := exec.Command(self, "--read-store", path, "--duration", readingTime.String()).Output()
	if err != nil {
		return err
	}
	var m Memory
	if err := json.Unmarshal(out, &m); err != nil {
		return err
	}
	m.Holds = m.RssAnon < maxRssAnon
	if config.JSON {
		return json.NewEncoder(config.Out).Encode(m)
	}
	_, err = fmt.Fprintf(config.Out, "%d sessions, %d random reads: RssAnon %.1f MiB, target < %.1f MiB: %s (opened in %v)\n",
		million, m.Reads, float64(m.RssAnon)/1024, float64(maxRssAnon)/1024, verdict(m.Holds), m.Open.Round(time.Millisecond))
	return err
}

// ReadStore reads sessions at random and prints a Memory.
func ReadStore(path string, d time.Duration, out io.Writer) error {
	start := time.Now()
	store, err := badgerkv.Open(path)
	if err != nil {
		return err
	}
	m := Memory{Open: time.Since(start)}
	for start = time.Now(); time.Since(start) < d; m.Reads++ {
		snapshot := store.Snapshot()
		entries, err := snapshot.Get(context.Background(), sessionKey(rand.IntN(million)))
		snapshot.Close()
		if err != nil {
			return err
		}
		if !entries[0].Exists() {
			return errors.New("a session is missing")
		}
		if m.Reads%1000 != 0 {
			continue
		}
		rss, err := rssAnon()
		if err != nil {
			return err
		}
		m.RssAnon = max(m.RssAnon, rss)
	}
	return errors.Join(json.NewEncoder(out).Encode(m), store.Close())
}

// rssAnon returns the anonymous memory of this process in KiB.
func rssAnon() (int, error) {
	file, err := os.Open("/proc/self/status")
	if err != nil {
		return 0, err
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "RssAnon:"); ok {
			return strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
		}
	}
	return 0, errors.New("the system does not say how much memory is in use")
}
