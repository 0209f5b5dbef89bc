package pawlbot

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pawlkv/pawl/internal/proof/clients/bot"
	"github.com/pawlkv/pawl/kv"
)

// moments is an engine whose commits a test can wait at: a process is held until
// others have come as far, or ends. What random rounds meet by chance happens each time
// in this way. It knows kinds of records from keys, "<account>/<kind>/...".
type moments struct {
	kv.Store
	place string // a directory, in which who is held leaves a file
	tell  func(bot.Event)

	mu    sync.Mutex
	kind  string // of the record whose commit is held; "": none is
	count int    // of processes that meet
	left  int    // commits until the process ends
	dying bool
}

// Unwrap implements kv.Wrapper.
func (m *moments) Unwrap() kv.Store { return m.Store }

// mostWait is how long a process waits for others: it may be that they do not come,
// since another one did what they would.
const mostWait = 20 * time.Second

// meet lets the next commit that writes a record of a kind wait until so many
// processes have come to such a commit: all of them have read before any writes.
func (m *moments) meet(kind string, count int) error {
	if kind == "" || count < 1 {
		return errors.New("meet needs a kind and a count")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.kind, m.count = kind, count
	return os.MkdirAll(m.place, 0o700)
}

// dieAfter ends the process, as a kill does, once n more commits are made, before
// anybody in it hears of the last; at the next one if n is 0, before it is made. If n is
// less it goes on.
func (m *moments) dieAfter(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.left, m.dying = n, n >= 0
}

// Commit implements kv.Store.
func (m *moments) Commit(ctx context.Context, b *kv.Batch) (kv.Version, error) {
	if len(b.Writes) == 0 {
		return m.Store.Commit(ctx, b)
	}
	m.gather(b)
	m.step(0)
	v, err := m.Store.Commit(ctx, b)
	if err == nil {
		m.step(1)
	}
	return v, err
}

// step ends the process if its last commit is over, of which made are new.
func (m *moments) step(made int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.left -= made; !m.dying || m.left > 0 {
		return
	}
	if self, err := os.FindProcess(os.Getpid()); err == nil && self.Kill() == nil {
		select {} // it does not take long
	}
}

// gather waits for the others, if this is the commit that does.
func (m *moments) gather(b *kv.Batch) {
	m.mu.Lock()
	count, is := m.count, m.kind != "" && writes(b, m.kind)
	if is {
		m.kind = ""
	}
	m.mu.Unlock()
	if !is || os.WriteFile(filepath.Join(m.place, strconv.Itoa(os.Getpid())), nil, 0o600) != nil {
		return
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(mostWait); time.Now().Before(end); <-tick.C {
		if there, err := os.ReadDir(m.place); err != nil || len(there) >= count {
			m.tell(bot.Event{Name: "met"})
			return
		}
	}
}

func writes(b *kv.Batch, kind string) bool {
	for _, w := range b.Writes {
		if _, rest, _ := strings.Cut(w.Key, "/"); rest == kind || strings.HasPrefix(rest, kind+"/") {
			return true
		}
	}
	return false
}
