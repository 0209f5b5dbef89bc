package pawl_test

import (
	"context"
	"testing"

	"github.com/pawlkv/pawl/internal/proof/story"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/txn"
)

// engines that the stories run on. The stores are empty.
var engines = map[string]func(t *testing.T) kv.Store{
	"memkv": func(*testing.T) kv.Store { return newMemory() },
	"files": func(t *testing.T) kv.Store {
		open := openSQLite
		if badgerRuns {
			open = openBadger
		}
		store, err := open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := store.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
		return store
	},
}

var policies = map[string]txn.CachePolicy{"NoCache": txn.NoCache, "Validated": txn.Validated}

// eachStore runs a test on every engine with every cache policy; at the floor
// in memory only.
func eachStore(t *testing.T, test func(t *testing.T, s story.Setting)) {
	for engine, open := range engines {
		if *atFloor && engine != "memkv" {
			continue
		}
		for name, policy := range policies {
			t.Run(engine+"/"+name, func(t *testing.T) {
				test(t, story.Setting{Seed: 1, Store: open(t), Policy: policy})
			})
		}
	}
}

// stage is what a story is played with. open returns the handle of a process.
type stage struct {
	*testing.T
	*story.World
	ctx  context.Context
	open func(process string) *story.Handle
	// together makes calls of several processes at once; of one process, whose
	// cache has no lock, in a row.
	together func(calls ...func())
}

// plot is what happens in a story. It returns the handles that are alive at its end.
type plot struct {
	name string
	play func(t stage) []*story.Handle
	// wedges are oracles that a stale cache fails; none where the story does
	// not need two processes to know the same thing.
	wedges []story.Oracle
}

var plots = []plot{
	{"receive, send, receive", receiveSendReceive, []story.Oracle{story.FalseFailure}},
	{"the extension lives while the app talks", extensionLives, []story.Oracle{story.FalseFailure}},
	{"both sides send", bothSend, []story.Oracle{story.KeyReuse, story.Unreadable}},
	{"two processes send at once", sendAtOnce, []story.Oracle{story.KeyReuse, story.Unreadable}},
	{"a pre-key message twice", preKeyTwice, nil},
	{"a pre-key message at two processes at once", preKeyRace, nil},
	{"two pre-key messages of one session at once", twoPreKeys, nil},
	{"a malformed pre-key message consumes nothing", malformedPreKey, nil},
	{"two sessions with the fallback key", fallbackTwice, nil},
	{"two processes upload at once", uploadAtOnce, []story.Oracle{story.Uploads}},
	{"acknowledging while the message comes again", acknowledgeRace, nil},
	{"a process outlives its successor's start", outlive, []story.Oracle{story.FalseFailure}},
}

func TestStories(t *testing.T) {
	for _, one := range plots {
		t.Run(one.name, func(t *testing.T) {
			eachStore(t, func(t *testing.T, s story.Setting) {
				if broken := play(t, one, s, false); len(broken) > 0 {
					t.Errorf("broken:\n%s", broken)
				}
			})
		})
	}
}

// TestStoriesOnStaleCache shows that the oracles see the wedge: with a cache in
// each process that nothing invalidates, as first shipped in several SDKs.
func TestStoriesOnStaleCache(t *testing.T) {
	for _, one := range plots {
		if one.wedges == nil {
			continue
		}
		t.Run(one.name, func(t *testing.T) {
			broken := play(t, one, story.Setting{Seed: 1, Store: newMemory(), Design: story.Stale}, false)
			for _, want := range one.wedges {
				if !broken.Has(want) {
					t.Errorf("oracle %s holds with a stale cache; broken are:\n%s", want, broken)
				}
			}
		})
	}
}

// TestStaleCacheIsRightAlone shows that the oracles blame nothing else: one
// process with such a cache passes.
func TestStaleCacheIsRightAlone(t *testing.T) {
	for _, one := range plots {
		t.Run(one.name, func(t *testing.T) {
			s := story.Setting{Seed: 1, Store: newMemory(), Design: story.Stale}
			if broken := play(t, one, s, true); len(broken) > 0 {
				t.Errorf("broken:\n%s", broken)
			}
		})
	}
}

// play plays a story to its end and returns what was broken. With alone, all
// handles are of one process.
func play(t *testing.T, one plot, s story.Setting, alone bool) story.Violations {
	t.Helper()
	ctx := t.Context()
	w, err := story.NewWorld(ctx, s, 3)
	if err != nil {
		t.Fatal(err)
	}
	var only *story.Handle
	open := func(process string) *story.Handle {
		if alone && only != nil {
			return only
		}
		h, err := w.Open(ctx, process)
		if err != nil {
			t.Fatal(err)
		}
		only = h
		return h
	}
	if alone {
		return w.Quiesce(ctx, one.play(stage{t, w, ctx, open, inARow})...)
	}
	return w.Finish(ctx, one.play(stage{t, w, ctx, open, story.Together})...)
}

func inARow(calls ...func()) {
	for _, call := range calls {
		call()
	}
}
