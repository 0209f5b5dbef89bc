package calls

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn/seal"
)

// Engine opens the engine of a store at a path.
type Engine func(ctx context.Context, path string, log *slog.Logger) (kv.Store, error)

// Library has all that a program has opened by numbers. Its methods may be called
// from any number of goroutines.
type Library struct {
	engines map[string]Engine
	log     *slog.Logger
	open    *handles
}

// New makes a library that opens stores of these engines, by their names.
func New(log *slog.Logger, engines map[string]Engine) *Library {
	return &Library{engines: engines, log: log, open: newHandles()}
}

// opened is a store that is open.
type opened struct {
	engine kv.Store
	store  *pawl.Store
	ended  context.Context // when it is closed
	end    context.CancelFunc
}

// machine is a Machine with what it handed out.
type machine struct {
	of      *opened
	machine *pawl.Machine
	tickets kept[pawl.SyncTicket]
	held    kept[*pawl.HeldToken]
	ended   context.Context
	end     context.CancelFunc
}

// openParams are the parameters of Open. What seals the store goes beside them.
type openParams struct {
	Engine string
	Path   string
	// Secret says what goes beside: "key", 32 bytes, or "passphrase".
	Secret string
	// Memory, in KiB, and Passes are what deriving the key from a passphrase takes, where one
	// is set; 0: as pawl.WithCost has it.
	Memory, Passes uint32
	// WithoutNoticingCopies is pawl.WithoutNoticingCopies.
	WithoutNoticingCopies bool
}

// openResult is the result of Open.
type openResult struct{ Store Handle }

// Open opens a store and returns its handle. Options are those that no parameters are: a
// witness of the program's own.
func (l *Library) Open(ctx context.Context, params, secret []byte, more ...pawl.Option) (result []byte, err error) {
	defer l.recovered(&err)
	var p openParams
	if err := decode(params, &p); err != nil {
		return nil, err
	}
	open, ok := l.engines[p.Engine]
	if !ok {
		return nil, wrong("engine", "is none of this library")
	}
	options, err := p.options(secret)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	engine, err := open(ctx, p.Path, l.log)
	if err != nil {
		return nil, err
	}
	store, err := pawl.Open(ctx, engine, append(append(options, pawl.WithLogger(l.log)), more...)...)
	if err != nil {
		_ = engine.Close() // nothing was written that is not durable
		return nil, err
	}
	return encode(openResult{l.Add(engine, store)}), nil
}

// Add returns the handle of a store that its caller opened, with options that no
// parameters have.
func (l *Library) Add(engine kv.Store, store *pawl.Store) Handle {
	o := &opened{engine: engine, store: store}
	o.ended, o.end = context.WithCancel(context.Background())
	return l.open.add(o)
}

func (p openParams) options(secret []byte) ([]pawl.Option, error) {
	var all []pawl.Option
	switch p.Secret {
	case "key":
		key, err := keyOf(secret)
		if err != nil {
			return nil, err
		}
		all = append(all, pawl.WithKey(key))
	case "passphrase":
		all = append(all, pawl.WithPassphrase(secret))
	default:
		return nil, wrong("secret", `must be "key" or "passphrase"`)
	}
	if p.Memory != 0 || p.Passes != 0 {
		all = append(all, pawl.WithCost(seal.Cost{Memory: p.Memory, Passes: p.Passes}))
	}
	if p.WithoutNoticingCopies {
		all = append(all, pawl.WithoutNoticingCopies())
	}
	return all, nil
}

func keyOf(secret []byte) (key [32]byte, err error) {
	if len(secret) != len(key) {
		return key, wrong("", "are for a key, and what goes beside them has not 32 bytes")
	}
	copy(key[:], secret)
	return key, nil
}

// hold adds a Machine.
func (l *Library) hold(o *opened, m *pawl.Machine, err error) (machineResult, error) {
	if err != nil {
		return machineResult{}, err
	}
	a := &machine{of: o, machine: m}
	a.ended, a.end = context.WithCancel(o.ended)
	return machineResult{l.open.addWithin(o.ended, a)}, nil
}

type machineResult struct{ Machine Handle }

type accountParams struct {
	User   matrix.UserID
	Device matrix.DeviceID
}

// Call makes a call by its name, and returns its result. params are JSON; body is what
// goes beside them. Both may change once it has returned.
func (l *Library) Call(ctx context.Context, on Handle, name string, params, body []byte) (result []byte, err error) {
	defer l.recovered(&err)
	target, err := l.open.get(on)
	if err != nil {
		return nil, err
	}
	c, err := callOn(target, name)
	if err != nil {
		return nil, err
	}
	if len(body) > 0 && c.body == "" {
		return nil, wrong("", "have bytes beside them, of which %s takes none", name)
	}
	answer, err := c.run(given{ctx: ctx, library: l, body: body}, target, params)
	if err != nil {
		return nil, err
	}
	return encode(answer), nil
}

// recovered turns a panic of ours into an error. What it was about may be secret, and so
// may what functions were given, which a stack of Go's own shows: only where it was is
// told.
func (l *Library) recovered(err *error) {
	if recover() != nil {
		l.log.Error("pawl: a call panicked", "where", where())
		*err = ErrFailed
	}
}

// where lists the functions that run, with their lines, from the one that panicked on.
func where() []string {
	var callers [64]uintptr
	frames := runtime.CallersFrames(callers[:runtime.Callers(3, callers[:])])
	var all []string
	for more := true; more; {
		var f runtime.Frame
		f, more = frames.Next()
		all = append(all, fmt.Sprintf("%s %s:%d", f.Function, f.File, f.Line))
	}
	return all
}

// Close closes a store with all that is open of it, a machine with its streams, a
// stream, or gives up a token.
func (l *Library) Close(n Handle) (err error) {
	defer l.recovered(&err)
	what, err := l.open.take(n)
	if err != nil {
		return err
	}
	switch v := what.(type) {
	case *opened:
		v.end()
		l.open.takeThose(func(w any) bool { return belongs(w, v) })
		return v.engine.Close()
	case *machine:
		v.end()
		l.open.takeThose(func(w any) bool { s, ok := w.(*stream); return ok && s.of == v })
	case *stream:
		v.end()
	case *token:
		v.cancel()
	}
	return nil
}

func belongs(what any, to *opened) bool {
	switch v := what.(type) {
	case *machine:
		return v.of == to
	case *stream:
		return v.of.of == to
	}
	return false
}

// token cancels the calls that are made with it.
type token struct {
	done   context.Context
	cancel context.CancelFunc
}

// Token makes a token.
func (l *Library) Token() Handle {
	t := &token{}
	t.done, t.cancel = context.WithCancel(context.Background())
	return l.open.add(t)
}

// Cancel cancels all calls that are made with a token, now and later.
func (l *Library) Cancel(n Handle) error {
	t, err := find[*token](l.open, n)
	if err != nil {
		return err
	}
	t.cancel()
	return nil
}

// Within makes the context of a call: milliseconds that it may take, below 0 for any,
// and the token that cancels it, 0 for none.
func (l *Library) Within(milliseconds int64, by Handle) (context.Context, context.CancelFunc, error) {
	ctx := context.Background()
	if by != 0 {
		t, err := find[*token](l.open, by)
		if err != nil {
			return nil, nil, err
		}
		ctx = t.done
	}
	if milliseconds < 0 {
		ctx, cancel := context.WithCancel(ctx)
		return ctx, cancel, nil
	}
	longest := int64(1<<63-1) / int64(time.Millisecond)
	ctx, cancel := context.WithTimeout(ctx, time.Duration(min(milliseconds, longest))*time.Millisecond)
	return ctx, cancel, nil
}

// raw checks that what goes beside the parameters is JSON, where Go wants that.
func (g given) raw() (json.RawMessage, error) {
	if !json.Valid(g.body) {
		return nil, wrong("", "have beside them what is not JSON")
	}
	return json.RawMessage(g.body), nil
}
