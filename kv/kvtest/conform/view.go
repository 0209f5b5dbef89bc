package conform

import (
	"context"
	"fmt"
	"iter"

	"github.com/pawlkv/pawl/kv"
)

// view is a kv.Snapshot that a program keeps. It begins with the first call that
// has its number.
type view struct {
	store  *store
	number int64
}

// Get implements kv.Snapshot.
func (v *view) Get(ctx context.Context, keys ...string) ([]kv.Entry, error) {
	a, err := v.store.call(ctx, request{Call: "get", ofView: &ofView{v.number}, ofKeys: &ofKeys{bytesOf(keys)}})
	if err != nil {
		return nil, err
	}
	return entriesOf(a), nil
}

// A scan is read in parts: the first entries one by one, so that a reader who breaks
// off has passed over no more than it was given, and more at a time later.
const (
	oneByOne = 8
	mostRead = 512
)

// Scan implements kv.Snapshot.
func (v *view) Scan(ctx context.Context, prefix string) iter.Seq2[kv.Entry, error] {
	return func(yield func(kv.Entry, error) bool) {
		part := ofScan{Most: 1}
		for seen := 0; ; {
			a, err := v.store.call(ctx, request{Call: "scan", ofView: &ofView{v.number}, ofPrefix: &ofPrefix{[]byte(prefix)}, ofScan: &part})
			if err == nil && a.More && len(a.Entries) == 0 {
				err = fmt.Errorf("conform: a part of a scan without an entry, and there is more")
			}
			for _, e := range entriesOf(a) {
				if err = ctx.Err(); err != nil {
					break
				}
				if !yield(e, nil) {
					return
				}
				part.After = []byte(e.Key)
				seen++
			}
			switch {
			case err != nil:
				yield(kv.Entry{}, err)
				return
			case !a.More:
				return
			case seen >= oneByOne:
				part.Most = min(2*part.Most, mostRead)
			}
		}
	}
}

// Version implements kv.Snapshot.
func (v *view) Version(ctx context.Context) (kv.Version, error) {
	a, err := v.store.call(ctx, request{Call: "version", ofView: &ofView{v.number}})
	return a.Version, err
}

// Close implements kv.Snapshot.
func (v *view) Close() {
	_, _ = v.store.call(context.Background(), request{Call: "end", ofView: &ofView{v.number}})
}

func entriesOf(a answer) []kv.Entry {
	entries := make([]kv.Entry, 0, len(a.Entries))
	for _, e := range a.Entries {
		entries = append(entries, kv.Entry{Key: string(e.Key), Value: e.Value, Version: e.Version})
	}
	return entries
}
