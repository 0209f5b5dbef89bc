package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/bench/design"
	"github.com/pawlkv/pawl/internal/cli"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/ratchet"
)

const bobUser, bobDevice = "@bob:example.org", "PHONE"

// Serve is one of Bob's processes: it reads requests from r, a line each, and
// answers them on w, until it is told to exit or r ends. Then it closes its
// store.
func Serve(ctx context.Context, r io.Reader, w io.Writer) (err error) {
	b := &bob{}
	defer func() { err = errors.Join(err, b.close()) }()
	requests, answers := json.NewDecoder(r), json.NewEncoder(w)
	for {
		var q request
		if err := requests.Decode(&q); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("demo: request: %w", err)
		}
		if q.Op == opExit {
			return nil
		}
		if err := answers.Encode(b.answer(ctx, q)); err != nil {
			return fmt.Errorf("demo: answer: %w", err)
		}
	}
}

// bob is Bob's device as one process has it.
type bob struct {
	engine  kv.Store
	shared  design.Shared
	lens    lens
	store   *pawl.Store
	machine *pawl.Machine
}

// answer does what is asked and tells what it took.
func (b *bob) answer(ctx context.Context, q request) answer {
	var a answer
	tried := b.tries()
	b.lens.read, b.lens.wrote = nil, nil
	start := time.Now()
	err := b.do(ctx, q, &a)
	a.Micros, a.Retries = time.Since(start).Microseconds(), b.tries()-tried
	a.Read, a.Wrote = b.lens.read, b.lens.wrote
	if err != nil {
		a.Error, a.Again, a.Fatal = plain(err), repeatable(err), fatal(err)
	}
	return a
}

func (b *bob) do(ctx context.Context, q request, a *answer) error {
	if b.store == nil {
		if q.Op != opOpen {
			return errNotOpen
		}
		return b.open(ctx, q)
	}
	switch q.Op {
	case opRegister:
		return b.register(ctx, a)
	case opKey:
		return b.key(ctx, a)
	case opEncrypt:
		return b.encrypt(ctx, q, a)
	case opDecrypt:
		return b.decrypt(ctx, q, a)
	case opCheck:
		broken, err := b.machine.Check(ctx)
		a.Broken = broken
		return err
	}
	return fmt.Errorf("no operation %q", q.Op)
}

// open opens the store, and the account if there is one.
func (b *bob) open(ctx context.Context, q request) error {
	designs, err := chosen([]string{q.Design})
	if err != nil {
		return err
	}
	if b.engine == nil {
		if b.engine, err = openEngine(ctx, q.Engine, q.Dir); err != nil {
			return err
		}
	}
	b.shared = designs[0].Share(b.engine, q.Process)
	b.lens.Store = b.shared
	store, err := pawl.Open(ctx, &b.lens, append(options(designs[0]), pawl.WithLogger(cli.Logger(ctx)))...)
	if err != nil {
		return err
	}
	b.machine, err = store.Machine(ctx, bobUser, bobDevice)
	if err != nil && !errors.Is(err, pawl.ErrNoAccount) {
		return err
	}
	b.store = store
	return nil
}

func (b *bob) register(ctx context.Context, a *answer) error {
	m, err := b.store.Create(ctx, bobUser, bobDevice)
	if err != nil {
		return err
	}
	b.machine = m
	id, err := m.Identity(ctx)
	a.Key = id.Curve25519.String()
	return err
}

// key uploads a one-time key and answers it, as a server would to who claims it.
func (b *bob) key(ctx context.Context, a *answer) error {
	upload, err := b.machine.KeysForUpload(ctx, 1)
	if err != nil {
		return err
	}
	var body struct {
		Keys map[string]struct{ Key string } `json:"one_time_keys"`
	}
	if err := json.Unmarshal(upload.Body, &body); err != nil {
		return err
	}
	for _, k := range body.Keys {
		a.Key = k.Key
	}
	return b.machine.MarkPublished(ctx, upload)
}

func (b *bob) encrypt(ctx context.Context, q request, a *answer) error {
	peer, err := ratchet.ParsePublicKey(q.Peer)
	if err != nil {
		return err
	}
	release, err := b.shared.Hold(ctx, design.Encrypting)
	if err != nil {
		return err
	}
	defer release()
	made, err := b.machine.Encrypt(ctx, peer, q.Body)
	a.Type, a.Body, a.Session = made.Message.Type, made.Message.Body, made.Session[:]
	return err
}

func (b *bob) decrypt(ctx context.Context, q request, a *answer) error {
	peer, err := ratchet.ParsePublicKey(q.Peer)
	if err != nil {
		return err
	}
	release, err := b.shared.Hold(ctx, design.Decrypting)
	if err != nil {
		return err
	}
	defer release()
	got, err := b.machine.Decrypt(ctx, peer, ratchet.Message{Type: q.Type, Body: q.Body})
	a.Body = got.Plaintext
	return err
}

// tries returns how often something had to be done again so far.
func (b *bob) tries() int {
	if b.store == nil {
		return 0
	}
	stats := b.store.Stats()
	return stats.Attempts - stats.Transactions + b.shared.Refused()
}

func (b *bob) close() error {
	if b.engine == nil {
		return nil
	}
	return b.engine.Close()
}

var errNotOpen = errors.New("the store is not open")

func plain(err error) string {
	text := err.Error()
	if i := strings.LastIndex(text, ": ratchet: "); i >= 0 {
		text = text[i+len(": ratchet: "):]
	}
	return strings.TrimPrefix(text, "pawl: ")
}

// repeatable reports whether a call may simply be made again.
func repeatable(err error) bool {
	return errors.Is(err, kv.ErrUnavailable) || errors.Is(err, kv.ErrUnknown)
}

// fatal reports whether an error says nothing of the design.
func fatal(err error) bool {
	for _, e := range []error{context.Canceled, context.DeadlineExceeded, kv.ErrClosed, kv.ErrDiskFull, kv.ErrConflict, kv.ErrInUse, errNotOpen} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
