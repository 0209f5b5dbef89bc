package kv_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/kv"
)

// TestBatchCheck: what no engine may take is refused, for what it is, and what is
// as large as it may be is not.
func TestBatchCheck(t *testing.T) {
	limits := kv.Limits{Bytes: 10, Writes: 2, Checks: 4}
	read := []kv.Read{{Key: "r", Version: 1}}
	whole := kv.Batch{
		ID:     kv.NewCommitID(kv.MaxVersion),
		Reads:  read,
		Scans:  []kv.ScanRead{{Prefix: "p"}, {Prefix: "q", Entries: []kv.Read{{Key: "q1", Version: kv.MaxVersion}, {Key: "q2", Version: 1}}}},
		Writes: []kv.Write{{Key: "k", Value: []byte("12345678")}, {Key: "l", Delete: true, Value: []byte("ignored")}},
	}
	for name, c := range map[string]struct {
		change func(*kv.Batch)
		want   error
	}{
		"as large as may be":        {func(*kv.Batch) {}, nil},
		"no writes and no ID":       {func(b *kv.Batch) { b.Writes, b.ID = nil, kv.CommitID{} }, nil},
		"one write more":            {func(b *kv.Batch) { b.Writes = append(slices.Clone(b.Writes), kv.Write{Key: "m"}) }, kv.ErrTooLarge},
		"one byte more":             {func(b *kv.Batch) { b.Writes = []kv.Write{{Key: "k", Value: []byte("1234567890")}} }, kv.ErrTooLarge},
		"one read more":             {func(b *kv.Batch) { b.Reads = append(slices.Clone(read), read...) }, kv.ErrTooLarge},
		"one empty scan more":       {func(b *kv.Batch) { b.Scans = append(slices.Clone(b.Scans), kv.ScanRead{Prefix: "s"}) }, kv.ErrTooLarge},
		"no ID":                     {func(b *kv.Batch) { b.ID = kv.CommitID{} }, kv.ErrInvalid},
		"a key of no bytes":         {func(b *kv.Batch) { b.Reads = []kv.Read{{}} }, kv.ErrInvalid},
		"a key that is too long":    {func(b *kv.Batch) { b.Reads = []kv.Read{{Key: strings.Repeat("k", kv.MaxKey+1)}} }, kv.ErrInvalid},
		"a key written twice":       {func(b *kv.Batch) { b.Writes = []kv.Write{{Key: "k"}, {Key: "k", Delete: true}} }, kv.ErrInvalid},
		"a version too great":       {func(b *kv.Batch) { b.Reads = []kv.Read{{Key: "r", Version: kv.MaxVersion + 1}} }, kv.ErrInvalid},
		"a beginning that is later": {func(b *kv.Batch) { b.ID.Began = kv.MaxVersion + 1 }, kv.ErrInvalid},
		"an entry that is later": {func(b *kv.Batch) {
			b.Scans = []kv.ScanRead{{Prefix: "q", Entries: []kv.Read{{Key: "q1", Version: kv.MaxVersion + 1}}}}
		}, kv.ErrInvalid},
	} {
		b := whole
		c.change(&b)
		if err := b.Check(limits); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if whole.Checks() != 4 || whole.Size() != 10 {
		t.Errorf("%d checks and %d bytes, want 4 and 10", whole.Checks(), whole.Size())
	}
}
