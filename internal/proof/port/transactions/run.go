// Package transactions makes the calls of vectors of transactions, and says what each read,
// checked and wrote. The test that makes the vectors and the one that holds the program
// to them do the same: they run this, with a store in memory between.
package transactions

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/calls"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
	"github.com/pawlkv/pawl/txn/seal"
)

// Ring is a keyring and what opens it: that of all the stores, since names in paths are
// blinded with it.
type Ring struct {
	Record []byte
	Key    [32]byte
}

// keyringPath is that of the one record that is not sealed.
const keyringPath = "_/keyring"

// Run makes the calls of a vector and returns it as it went. What the store does to the
// commits of the call (Meanwhile, and those Answers that are unknown) is taken from v's
// attempts, in their order; random gives the calls their randomness, those before first.
func (r Ring) Run(ctx context.Context, s Setup, v Vector, random io.Reader) (Vector, error) {
	p, err := r.open(ctx, s, v, random)
	if err != nil {
		return v, err
	}
	for i := range v.Before {
		_ = p.call(ctx, &v.Before[i], nil) // what comes of it is another vector's
	}
	t := &tape{engine: p.engine, ring: p.ring, own: p.own, plan: v.Attempts}
	p.tape.Store(t)
	err = p.call(ctx, &v.Call, &v.Result)
	t.end()
	v.Attempts, v.Expect = t.attempts, Done
	if t.err != nil {
		return v, t.err
	}
	if err != nil {
		v.Expect = string(calls.CodeOf(err))
	}
	return v, nil
}

// player is an open store with a machine, and the tape that what it does is recorded on.
type player struct {
	library *calls.Library
	store   calls.Handle
	machine calls.Handle
	engine  kv.Store
	ring    seal.Keyring
	own     string
	random  *drawn
	tape    atomic.Pointer[tape] // a stream that was closed may still be ending
}

// open opens the store and the machine of a setup; then comes what the vector has beside
// it.
func (r Ring) open(ctx context.Context, s Setup, v Vector, random io.Reader) (*player, error) {
	ring, err := seal.Open(r.Record, seal.RawKey(r.Key))
	if err != nil {
		return nil, err
	}
	p := &player{library: calls.New(slog.New(slog.DiscardHandler), nil), engine: memkv.New(), ring: ring, random: &drawn{from: random}}
	// docs/format.md, "Keys": the length keeps "@a:b" "CD" and "@a:bC" "D" apart.
	p.own = ring.Blind(strconv.Itoa(len(s.User)) + ":" + s.User + s.Device)
	keyring := kv.Write{Key: keyringPath, Value: txn.Plaintext.Seal(nil, keyringPath, r.Record)}
	if err := put(ctx, p.engine, append(p.sealed(s.Entries), keyring)); err != nil {
		return nil, err
	}
	recorded := faulty.Wrap(p.engine, faulty.Hooks{
		Before: func(ctx context.Context, c faulty.Call) error { return p.tape.Load().before(ctx, c) },
		After:  func(ctx context.Context, c faulty.Call, err error) error { return p.tape.Load().after(ctx, c, err) },
	})
	at := time.UnixMilli(v.Time)
	store, err := pawl.Open(ctx, recorded, pawl.WithKey(r.Key), pawl.WithRand(p.random), pawl.WithClock(func() time.Time { return at }),
		pawl.WithTransactions(txn.WithSleep(func(ctx context.Context, _ time.Duration) error { return ctx.Err() })))
	if err != nil {
		return nil, err
	}
	p.store = p.library.Add(p.engine, store)
	if p.machine, err = p.account(ctx, s); err != nil {
		return nil, err
	}
	if len(v.With) > 0 {
		err = put(ctx, p.engine, p.sealed(v.With))
	}
	return p, err
}

func (p *player) account(ctx context.Context, s Setup) (calls.Handle, error) {
	params, err := json.Marshal(map[string]any{"v": calls.Version, "user": matrix.UserID(s.User), "device": s.Device})
	if err != nil {
		return 0, err
	}
	b, err := p.library.Call(ctx, p.store, "machine", params, nil)
	if err != nil {
		return 0, err
	}
	var made struct{ Machine calls.Handle }
	return made.Machine, json.Unmarshal(b, &made)
}

// call makes a call on the store or the machine, whichever has it, and notes what
// randomness it took.
func (p *player) call(ctx context.Context, c *Call, result *json.RawMessage) error {
	params := c.Params
	if params != nil {
		params = append([]byte(`{"v":1,`), bytes.TrimPrefix(bytes.TrimSpace(params), []byte("{"))...)
		if string(bytes.TrimSpace(c.Params)) == "{}" {
			params = []byte(`{"v":1}`)
		}
	}
	p.random.taken = nil
	var b []byte
	var err error
	if c.Items > 0 {
		b, err = p.stream(ctx, c.Call, params, c.Items)
	} else {
		b, err = p.library.Call(ctx, p.machine, c.Call, params, []byte(c.Body))
		if errors.Is(err, calls.ErrNoCall) {
			b, err = p.library.Call(ctx, p.store, c.Call, params, []byte(c.Body))
		}
	}
	c.Random = p.random.taken
	if result != nil {
		*result = nil
		if err == nil {
			*result, err = withoutHandles(b)
		}
	}
	return err
}

func (p *player) stream(ctx context.Context, name string, params []byte, most int) ([]byte, error) {
	b, err := p.library.Stream(p.machine, name, params)
	if err != nil {
		return nil, err
	}
	var made struct{ Stream calls.Handle }
	if err := json.Unmarshal(b, &made); err != nil {
		return nil, err
	}
	items := []json.RawMessage{}
	for range most {
		item, err := p.library.Next(ctx, made.Stream)
		if errors.Is(err, calls.ErrEnd) {
			break
		}
		if err != nil {
			return nil, err
		}
		if item, err = withoutHandles(item); err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	all, err := json.Marshal(map[string]any{"v": calls.Version, "items": items})
	return all, errors.Join(err, p.library.Close(made.Stream))
}

// handles are fields of results that say nothing outside of a process, and version
// stands in all of them.
var handles = []string{"v", "machine"}

// withoutHandles leaves out of a result what is not the same in all processes. What an
// error says in words is left out too, wherever one stands.
func withoutHandles(b []byte) (json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var all map[string]any
	if err := d.Decode(&all); err != nil {
		return nil, err
	}
	for _, name := range handles {
		delete(all, name)
	}
	withoutWords(all)
	if len(all) == 0 {
		return nil, nil
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	err := e.Encode(all)
	return bytes.TrimSpace(out.Bytes()), err
}

// withoutWords makes of each error its code, and drops what is empty.
func withoutWords(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if code, is := v["code"].(string); is && v["remedy"] != nil && v["message"] != nil {
			return code
		}
		for name, value := range v {
			if value = withoutWords(value); value == nil || value == "" {
				delete(v, name)
			} else {
				v[name] = value
			}
		}
	case []any:
		if len(v) == 0 {
			return nil
		}
		for i := range v {
			v[i] = withoutWords(v[i])
		}
	}
	return v
}

// drawn is a source of randomness that keeps what was taken from it.
type drawn struct {
	from  io.Reader
	taken []byte
}

// Read implements io.Reader.
func (d *drawn) Read(b []byte) (int, error) {
	n, err := d.from.Read(b)
	d.taken = append(d.taken, b[:n]...)
	return n, err
}
