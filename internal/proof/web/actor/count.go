//go:build js

package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/proof/web/calls"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/idbkv"
)

// counter takes one number after the other, which no other tab may have taken, as a
// ratchet has keys. It tells the server of the test what it took, and what went wrong.
type counter struct {
	actor *actor
	name  string // of the store
	ended chan struct{}
	stop  chan struct{}
}

// Keys of what counters share: which store it is, how far they have come, and who took
// which number.
const (
	epochKey  = "epoch"
	nextKey   = "next"
	tookStart = "took/"
)

// callsWithin is the deadline of every call.
const callsWithin = 10 * time.Second

func (a *actor) count(_ context.Context, args []string) (string, error) {
	a.counter = &counter{actor: a, name: args[0], ended: make(chan struct{}), stop: make(chan struct{})}
	a.counter.reopen()
	go a.counter.run()
	return "", nil
}

// stopCounting returns once the counter has ended.
func (a *actor) stopCounting(context.Context, []string) (string, error) {
	close(a.counter.stop)
	<-a.counter.ended
	return "", nil
}

func (c *counter) run() {
	defer close(c.ended)
	for {
		select {
		case <-c.stop:
			return
		default:
		}
		err := c.take()
		switch code := pawl.CodeOf(err); {
		case err == nil, errors.Is(err, kv.ErrConflict):
		case errors.Is(err, kv.ErrUnavailable), errors.Is(err, kv.ErrDiskFull), errors.Is(err, context.DeadlineExceeded):
			c.tell(calls.Count{Code: string(code)})
			time.Sleep(50 * time.Millisecond) // it may take until somebody makes room
		default:
			c.tell(calls.Count{Code: string(code), Why: err.Error()})
			c.reopen()
		}
	}
}

// tell tells the server, which may be gone.
func (c *counter) tell(what calls.Count) {
	if err := exchange("/count", c.actor.id, what, nil); err != nil {
		fmt.Println(err)
	}
}

// reopen opens the store until it is open.
func (c *counter) reopen() {
	for {
		if c.actor.store != nil {
			c.actor.store.Close()
			c.actor.store = nil
		}
		ctx, cancel := context.WithTimeout(context.Background(), callsWithin)
		store, err := idbkv.Open(ctx, c.name, idbkv.WithWait(callsWithin/4))
		cancel()
		if err == nil {
			c.actor.store = store
			return
		}
		c.tell(calls.Count{Code: "open " + string(pawl.CodeOf(err)), Why: err.Error()})
		select {
		case <-c.stop:
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// state is what a counter has read.
type state struct {
	epoch string
	next  int
	reads []kv.Read
	head  kv.Version
}

func (c *counter) read() (st state, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), callsWithin)
	defer cancel()
	view := c.actor.store.Snapshot()
	defer view.Close()
	entries, err := view.Get(ctx, epochKey, nextKey)
	if err != nil {
		return st, err
	}
	for _, e := range entries {
		st.reads = append(st.reads, kv.Read{Key: e.Key, Version: e.Version})
	}
	if st.epoch = string(entries[0].Value); entries[1].Exists() {
		if st.next, err = strconv.Atoi(string(entries[1].Value)); err != nil {
			return st, err
		}
	}
	st.head, err = view.Version(ctx)
	return st, err
}

// take takes the next number.
func (c *counter) take() error {
	began := time.Now()
	st, err := c.read()
	if err != nil {
		return err
	}
	took := calls.Count{Epoch: st.epoch, Number: st.next, Token: rand.Text()}
	b := &kv.Batch{ID: kv.NewCommitID(st.head), Sync: true, Reads: st.reads, Writes: []kv.Write{
		{Key: nextKey, Value: []byte(strconv.Itoa(st.next + 1))},
		{Key: fmt.Sprintf("%s%09d", tookStart, st.next), Value: []byte(took.Token)},
	}}
	if st.epoch == "" {
		took.Epoch = rand.Text()
		b.Writes = append(b.Writes, kv.Write{Key: epochKey, Value: []byte(took.Epoch)})
	}
	for {
		ctx, cancel := context.WithTimeout(context.Background(), callsWithin)
		_, err := c.actor.store.Commit(ctx, b)
		cancel()
		switch kv.OutcomeOf(err) {
		case kv.Applied:
			took.Taken, took.Milli = true, time.Since(began).Milliseconds()
			c.tell(took)
			return nil
		case kv.Unknown:
			c.tell(calls.Count{Code: string(pawl.CodeOf(err))})
		case kv.Undecided:
			c.tell(calls.Count{Code: string(pawl.CodeOf(err)), Why: err.Error()})
			c.reopen()
			now, err := c.read()
			if err != nil || now.epoch != st.epoch { // another store has its place
				return err
			}
		default:
			return err
		}
		b.Again = true
	}
}

// counted returns what is in the store: which it is, how many numbers were taken, and by
// whom.
func (a *actor) counted(ctx context.Context, _ []string) (string, error) {
	c := &counter{actor: a}
	st, err := c.read()
	if err != nil {
		return "", err
	}
	said := fmt.Sprintf("%s %d", st.epoch, st.next)
	view := a.store.Snapshot()
	defer view.Close()
	for e, err := range view.Scan(ctx, tookStart) {
		if err != nil {
			return "", err
		}
		said += fmt.Sprintf(" %s=%s", e.Key[len(tookStart):], e.Value)
	}
	return said, nil
}
