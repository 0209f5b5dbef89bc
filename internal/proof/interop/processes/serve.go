//go:build unix

package processes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/bench/design"
	"github.com/pawlkv/pawl/internal/proof/remote"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/txn"
)

// The device that the processes are.
const (
	user       = "@alice:example.org"
	deviceName = "PHONE"
)

// Called reports whether this program was started as a [Process].
func Called() bool { return os.Getenv(environment) != "" }

// environment marks the processes.
const environment = "PAWL_PROCESS"

// Serve is the life of a process: it answers requests from r on w until there
// are no more, and closes the store. It opens stores of Badger and SQLite, and those of
// other engines by their openers.
func Serve(r io.Reader, w io.Writer, openers map[string]Opener) error {
	s := &server{answers: json.NewEncoder(w), openers: openers}
	requests := json.NewDecoder(r)
	var calls sync.WaitGroup
	for {
		var q request
		err := requests.Decode(&q)
		if err != nil {
			calls.Wait()
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return errors.Join(err, s.close())
		}
		if q.Call == nil { // before what comes after it
			s.answer(q)
			continue
		}
		calls.Go(func() { s.answer(q) })
	}
}

// Opener opens the store of a setup. Closing the store gives up all that it has opened.
type Opener func(Setup) (kv.Store, error)

type server struct {
	openers map[string]Opener

	mu      sync.Mutex // of answers
	answers *json.Encoder

	setup  Setup
	engine engine
	device *remote.Here
	watch  watch
}

func (s *server) answer(q request) {
	a := answer{Answer: s.do(q), Number: q.Number}
	a.Owner = s.engine.owner != nil && s.engine.owner()
	s.say(a)
}

// say writes an answer. It fails only when the parent is gone, and then nobody
// is left to be told.
func (s *server) say(a answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.answers.Encode(a)
}

func (s *server) tell(m Moment) { s.say(answer{Moment: m}) }

func (s *server) close() error {
	if s.engine.Store == nil {
		return nil
	}
	return s.engine.Close()
}

func (s *server) do(q request) remote.Answer {
	switch {
	case q.Open != nil:
		return remote.Answer{Failed: remote.FailureOf(s.open(*q.Open))}
	case s.device == nil:
		return remote.Answer{Failed: remote.FailureOf(errors.New("processes: the store is not open"))}
	case q.Call == nil:
		s.watch.begin(q.Watch)
		return remote.Answer{}
	}
	within := s.setup.Within
	if within == 0 || q.Leisure {
		within = unbounded
	}
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	return s.device.Answer(ctx, *q.Call)
}

func (s *server) open(setup Setup) error {
	if err := setup.restrict(); err != nil {
		return err
	}
	s.setup = setup
	s.watch.tell = s.tell
	engine, err := setup.open(s.openers, func() { s.tell(Opening) })
	if err != nil {
		return err
	}
	s.engine = engine
	var store kv.Store = faulty.Wrap(engine, faulty.Hooks{Before: s.watch.before, After: s.watch.after})
	if setup.Stale {
		store = design.NewStale(store)
	}
	cache := txn.NoCache
	if setup.Validated {
		cache = txn.Validated
	}
	options := []pawl.Option{pawl.WithKey([32]byte{2}), pawl.WithCache(cache)}
	if setup.Skew != 0 {
		options = append(options, pawl.WithClock(func() time.Time { return time.Now().Add(setup.Skew) }))
	}
	if s.setup.Patience > 0 {
		options = append(options, pawl.WithTransactions(txn.WithPatience(s.setup.Patience)))
	}
	opened, err := pawl.Open(context.Background(), store, options...)
	if err != nil {
		return err
	}
	if setup.Create {
		if _, err := opened.Create(context.Background(), user, deviceName); err != nil {
			return err
		}
	}
	s.device, err = remote.Find(context.Background(), store, opened, user, deviceName)
	return err
}

// restrict takes from this process what the setup takes.
func (s Setup) restrict() error {
	if s.FileSize > 0 {
		signal.Ignore(syscall.SIGXFSZ) // the write fails
		limit := syscall.Rlimit{Cur: s.FileSize, Max: s.FileSize}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			return fmt.Errorf("processes: limit the size of files: %w", err)
		}
	}
	if s.User == 0 {
		return nil
	}
	return errors.Join(syscall.Setgroups(nil), syscall.Setgid(s.User), syscall.Setuid(s.User))
}
