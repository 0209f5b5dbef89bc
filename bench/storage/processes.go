package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv"
)

// Targets of processes that share a store.
const (
	maxClientGet    = 60 * time.Microsecond
	maxGetByEcho    = 2.5 // by the smallest round trip between two processes
	maxClientCommit = 2.0 // a client's commit by one in the owner's process
	minManyClients  = 2.5 // the rate of clients together by that of one
	clients         = 8
	maxTakeover     = 60 * time.Millisecond // from the death of the owner to the next acknowledged commit
	takeovers       = 5                     // a round
)

// Names of the cases.
const (
	ownerGet     = "get, owner"
	clientEcho   = "echo, client" // over a socket, without a store
	clientGet    = "get, client"
	ownerCommit  = "commit, owner"
	clientCommit = "commit, client"
	manyCommit   = "commit, 8 clients, a key each"
)

// RunProcesses measures processes that share a store, this one being the owner
// of it, and how long it takes to replace an owner that is killed.
func RunProcesses(config Config) error {
	dir, err := os.MkdirTemp(config.Dir, "pawl-bench-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	results, err := shared(filepath.Join(dir, "store"), config)
	if err != nil {
		return err
	}
	gaps, err := replace(dir, config)
	if err != nil {
		return err
	}
	return printTable(config, results, processChecks(results, median(gaps)), "durable commits and reads of one store")
}

func shared(path string, config Config) (r *Results, err error) {
	store, err := badgerkv.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if err := fill(store, fillBatch, config.Value); err != nil {
		return nil, err
	}
	echoing, err := echo(path, config.Value)
	if err != nil {
		return nil, err
	}
	defer echoing.Close()
	var children []*client
	defer func() {
		for _, c := range children {
			err = errors.Join(err, c.finish())
		}
	}()
	for i := range clients {
		c, err := newClient(path, i, config)
		if err != nil {
			return nil, err
		}
		children = append(children, c)
	}
	here := worker{store: store, name: key(clients), value: make([]byte, config.Value)}
	if err := here.commit(context.Background(), 0); err != nil {
		return nil, err
	}
	cases := []struct {
		name string
		run  func() (Sample, error)
	}{
		{ownerGet, func() (Sample, error) { return measure(config.Duration, 1, here.get) }},
		{clientEcho, func() (Sample, error) { return together(children[:1], "echo") }},
		{clientGet, func() (Sample, error) { return together(children[:1], "get") }},
		{ownerCommit, func() (Sample, error) { return measure(config.Duration, 1, here.commit) }},
		{clientCommit, func() (Sample, error) { return together(children[:1], "commit") }},
		{manyCommit, func() (Sample, error) { return together(children, "commit") }},
	}
	r = &Results{samples: make(map[string][]Sample)}
	for _, c := range cases {
		r.order = append(r.order, c.name)
	}
	for range config.Rounds {
		for _, c := range cases {
			sample, err := c.run()
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			r.samples[c.name] = append(r.samples[c.name], sample)
		}
	}
	return r, nil
}

// replace kills owners, and returns the times until this process, whose commit
// waits, has it acknowledged.
func replace(dir string, config Config) ([]time.Duration, error) {
	var gaps []time.Duration
	for i := range takeovers * config.Rounds {
		gap, err := replaceOne(filepath.Join(dir, fmt.Sprint("takeover-", i)), config)
		if err != nil {
			return nil, err
		}
		gaps = append(gaps, gap)
	}
	return gaps, nil
}

func replaceOne(path string, config Config) (gap time.Duration, err error) {
	owner, err := newClient(path, 0, config)
	if err != nil {
		return 0, err
	}
	store, err := badgerkv.Open(path)
	if err != nil {
		return 0, errors.Join(err, owner.finish())
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	here := worker{store: store, name: key(1), value: make([]byte, config.Value)}
	for range 100 {
		if err := here.commit(context.Background(), 0); err != nil {
			return 0, err
		}
	}
	if store.Status().Owner {
		return 0, errors.New("the process that opened the store first does not own it")
	}
	if err := owner.kill(); err != nil {
		return 0, err
	}
	start := time.Now()
	if err := here.commit(context.Background(), 0); err != nil {
		return 0, err
	}
	return time.Since(start), nil
}

func processChecks(r *Results, gap time.Duration) []Check {
	rate := func(s Sample) float64 { return s.Rate }
	p50 := func(s Sample) float64 { return float64(s.P50) }
	get := float64(medianSample(r.samples[clientGet]).P50) / float64(time.Microsecond)
	echo := r.ratio(clientGet, clientEcho, p50)
	commit := r.ratio(clientCommit, ownerCommit, p50)
	many := r.ratio(manyCommit, clientCommit, rate)
	ms := float64(gap) / float64(time.Millisecond)
	return []Check{
		{"us for a client's get", get, fmt.Sprintf("<= %d", maxClientGet.Microseconds()), get <= float64(maxClientGet.Microseconds())},
		{"time of a client's get / an echo's", echo, fmt.Sprintf("<= %.1f", maxGetByEcho), echo <= maxGetByEcho},
		{"time of a client's commit / the owner's", commit, fmt.Sprintf("<= %.1f", maxClientCommit), commit <= maxClientCommit},
		{fmt.Sprintf("rate of %d clients / one's", clients), many, fmt.Sprintf(">= %.1f", minManyClients), many >= minManyClients},
		{"ms from an owner's death to the next commit, few entries", ms, fmt.Sprintf("<= %d", maxTakeover.Milliseconds()), gap <= maxTakeover},
	}
}

// worker is one process's use of the store.
type worker struct {
	store *badgerkv.Store
	name  string
	value []byte
	head  kv.Version // of the last commit
}

func (w *worker) get(ctx context.Context, _ int) error {
	snapshot := w.store.Snapshot()
	defer snapshot.Close()
	_, err := snapshot.Get(ctx, w.name)
	return err
}

func (w *worker) commit(ctx context.Context, _ int) error {
	b := &kv.Batch{ID: kv.NewCommitID(w.head), Writes: []kv.Write{{Key: w.name, Value: w.value}}, Sync: true}
	version, err := w.store.Commit(ctx, b)
	if errors.Is(err, kv.ErrExpired) { // others have made very many since
		snapshot := w.store.Snapshot()
		defer snapshot.Close()
		w.head, err = snapshot.Version(ctx)
		return err
	}
	w.head = version
	return err
}

// serveClient is what a client's process does: what it is told on standard
// input, each time with a sample on standard output.
func serveClient(path, name string, config Config) (err error) {
	store, err := badgerkv.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	w := worker{store: store, name: name, value: make([]byte, config.Value)}
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(config.Out)
	ops := map[string]operation{"get": w.get, "commit": w.commit}
	if echo, conn, err := echoes(path, config.Value); err == nil { // none where owners are replaced
		defer conn.Close()
		ops["echo"] = echo
	}
	if err := w.commit(context.Background(), 0); err != nil { // so that there is something to get
		return err
	}
	if err := out.Encode(Sample{}); err != nil {
		return err
	}
	for in.More() {
		var what string
		if err := in.Decode(&what); err != nil {
			return err
		}
		op := ops[what]
		if op == nil {
			return fmt.Errorf("nothing is called %q here", what)
		}
		sample, err := measure(config.Duration, 1, op)
		if err != nil {
			return err
		}
		if err := out.Encode(sample); err != nil {
			return err
		}
	}
	return nil
}
