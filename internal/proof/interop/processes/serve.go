//go:build unix

package processes

import (
	"context"
	"encoding/gob"
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
	s := &server{answers: gob.NewEncoder(w), openers: openers}
	requests := gob.NewDecoder(r)
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
		if q.Op == opOpen || q.Op == opWatch { // before what comes after it
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
	answers *gob.Encoder

	setup   Setup
	engine  engine
	machine *pawl.Machine
	watch   watch
}

func (s *server) answer(q request) {
	a := answer{Number: q.Number}
	a.Fault = faultOf(s.do(q, &a))
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

func (s *server) do(q request, a *answer) error {
	switch {
	case q.Op == opOpen:
		return s.open(q.Setup)
	case s.machine == nil:
		return errors.New("processes: the store is not open")
	case q.Op == opWatch:
		s.watch.begin(q.Moment)
		return nil
	}
	within := s.setup.Within
	if within == 0 || q.Leisure {
		within = unbounded
	}
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	return s.call(ctx, q, a)
}

// call makes one call of the Machine.
func (s *server) call(ctx context.Context, q request, a *answer) (err error) {
	m := s.machine
	switch q.Op {
	case opIdentity:
		a.Identity, err = m.Identity(ctx)
	case opDecrypt:
		var d pawl.Decrypted
		d, err = m.Decrypt(ctx, q.Messages[0].Sender, q.Messages[0].Message)
		a.Decrypted = []decrypted{sent(pawl.Result{Decrypted: d})}
	case opBatch:
		var results []pawl.Result
		results, err = m.DecryptBatch(ctx, q.Messages)
		for _, r := range results {
			a.Decrypted = append(a.Decrypted, sent(r))
		}
	case opEncrypt:
		a.Encrypted, err = m.Encrypt(ctx, q.Peer, q.Text)
	case opEncryptNew:
		a.Encrypted, err = m.Encrypt(ctx, q.Peer, q.Text, pawl.WithOneTimeKey(q.Key))
	case opUpload:
		a.Upload, err = m.KeysForUpload(ctx, q.Count)
	case opPublished:
		err = m.MarkPublished(ctx, q.Upload)
	case opAbandon:
		err = m.Abandon(ctx, q.Upload)
	case opAcknowledge:
		err = m.Acknowledge(ctx, q.Receipts...)
	case opSweep:
		a.Swept, err = m.Sweep(ctx, q.Now)
	case opCheck:
		a.Broken, err = m.Check(ctx)
	case opInspect:
		a.Found, err = m.Inspect(ctx)
	case opRecover:
		_, err = m.Recover(ctx)
	default:
		err = fmt.Errorf("processes: no operation %d", q.Op)
	}
	return err
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
	find := opened.Machine
	if setup.Create {
		find = opened.Create
	}
	s.machine, err = find(context.Background(), user, deviceName)
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
