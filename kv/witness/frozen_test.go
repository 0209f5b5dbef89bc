package witness

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pawlkv/pawl/kv/memkv"
)

// frozen is a witness that does not answer.
type frozen struct{}

func (frozen) Load(ctx context.Context) (Mark, error) { <-ctx.Done(); return Mark{}, ctx.Err() }
func (frozen) Save(ctx context.Context, _ Mark) error { <-ctx.Done(); return ctx.Err() }

// TestFrozenWitness: commits wait for a witness that does not answer no longer than
// SaveWait, those that come at the same time all at once, and succeed.
func TestFrozenWitness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := 0
		store := Wrap(memkv.New(), frozen{}, at(0), OnError(func(error) { told++ }))
		began := time.Now()
		var commits sync.WaitGroup
		for i := range 8 {
			commits.Go(func() {
				if _, err := store.Commit(context.Background(), put(string(rune('a'+i)), true)); err != nil {
					t.Error(err)
				}
			})
		}
		commits.Wait()
		if took := time.Since(began); took > 2*SaveWait || told > 2 {
			t.Errorf("eight commits took %v, and the witness was asked %d times", took, told)
		}
	})
}
