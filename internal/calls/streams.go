package calls

import (
	"context"
	"iter"
	"reflect"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/matrix"
)

// streamCall is one that returns many results, one after the other.
type streamCall struct {
	method string
	params reflect.Type
	result reflect.Type
	begin  func(ctx context.Context, a *machine, params []byte) (iter.Seq2[any, error], error)
}

func addStream[P, R any](name, method string, begin func(ctx context.Context, a *machine, p P) iter.Seq2[R, error]) {
	onStreams[name] = streamCall{method, reflect.TypeFor[P](), reflect.TypeFor[R](),
		func(ctx context.Context, a *machine, params []byte) (iter.Seq2[any, error], error) {
			var p P
			if err := decode(params, &p); err != nil {
				return nil, err
			}
			return func(yield func(any, error) bool) {
				for r, err := range begin(ctx, a, p) {
					if !yield(r, err) {
						return
					}
				}
			}, nil
		}}
}

func init() {
	addStream("events", "Machine.Events", func(ctx context.Context, a *machine, p afterParams) iter.Seq2[pawl.Event, error] {
		return a.machine.Events(ctx, p.After)
	})
	addStream("export_room_keys", "Machine.ExportRoomKeys", func(ctx context.Context, a *machine, p roomsParams) iter.Seq2[exported, error] {
		return exportedKeys(ctx, a, p)
	})
}

type (
	afterParams struct{ After pawl.EventPosition }
	roomsParams struct {
		Rooms []matrix.RoomID
		// SkipDamaged goes on where a record cannot be read, and tells of it.
		SkipDamaged bool
	}
	// exported is a key, or a record that cannot be read.
	exported struct {
		Key     *roomKey
		Damaged error
	}
)

func exportedKeys(ctx context.Context, a *machine, p roomsParams) iter.Seq2[exported, error] {
	return func(yield func(exported, error) bool) {
		var damaged []error
		how := pawl.RoomKeyExport{Rooms: p.Rooms}
		if p.SkipDamaged {
			how.Damaged = func(err error) { damaged = append(damaged, err) }
		}
		tell := func() bool {
			for _, err := range damaged {
				if !yield(exported{Damaged: err}, nil) {
					return false
				}
			}
			damaged = nil
			return true
		}
		for k, err := range a.machine.ExportRoomKeys(ctx, how) {
			var key roomKey
			if err == nil {
				key, err = writtenKey(k)
			}
			if !tell() || !yield(exported{Key: &key}, err) || err != nil {
				return
			}
		}
		tell()
	}
}

// stream is a sequence under way. Whoever waits for its next item may give up, and miss
// nothing.
type stream struct {
	of    *machine
	end   context.CancelFunc
	items chan []byte   // JSON
	over  chan struct{} // closed after err was set
	err   error
}

type streamResult struct{ Stream Handle }

// Stream begins a stream of a machine.
func (l *Library) Stream(on Handle, name string, params []byte) (result []byte, err error) {
	defer l.recovered(&err)
	a, err := find[*machine](l.open, on)
	if err != nil {
		return nil, err
	}
	c, ok := onStreams[name]
	if !ok {
		return nil, ErrNoCall
	}
	s := &stream{of: a, items: make(chan []byte), over: make(chan struct{})}
	ctx, end := context.WithCancel(a.ended)
	s.end = end
	all, err := c.begin(ctx, a, params)
	if err != nil {
		end()
		return nil, err
	}
	n := l.open.addWithin(a.ended, s)
	go s.run(ctx, l, all)
	return encode(streamResult{n}), nil
}

func (s *stream) run(ctx context.Context, l *Library, all iter.Seq2[any, error]) {
	defer close(s.over)
	defer l.recovered(&s.err)
	s.err = ErrEnd
	for item, err := range all {
		if err != nil {
			s.err = err
			return
		}
		select {
		case s.items <- encode(item):
		case <-ctx.Done():
			s.err = ctx.Err()
			return
		}
	}
}

// Next waits for the next item of a stream. At its end the error is ErrEnd, or why it
// ended. Several callers share the items between them.
func (l *Library) Next(ctx context.Context, n Handle) ([]byte, error) {
	next, err := l.Items(n)
	if err != nil {
		return nil, err
	}
	return next(ctx)
}

// Items returns what Next is for a stream, also once that is closed: then it ends.
func (l *Library) Items(n Handle) (next func(context.Context) ([]byte, error), err error) {
	s, err := find[*stream](l.open, n)
	if err != nil {
		return nil, err
	}
	return s.next, nil
}

// next takes what is there also when nobody would wait for it.
func (s *stream) next(ctx context.Context) ([]byte, error) {
	select {
	case item := <-s.items:
		return item, nil
	case <-s.over:
		return nil, s.err
	default:
	}
	select {
	case item := <-s.items:
		return item, nil
	case <-s.over:
		return nil, s.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
