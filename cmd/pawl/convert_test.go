package main

import (
	"encoding/json"
	"errors"
	"flag"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/proof/effort"
	"github.com/pawlkv/pawl/keyfile"
	"github.com/pawlkv/pawl/kv"
)

// TestConvertBusy: what processes do with a store while it is moved is in the
// new one if they were told that it was done, and they are refused afterwards.
func TestConvertBusy(t *testing.T) {
	for from, to := range map[string]string{"phone": "sqlite:new.db", "sqlite:phone.db": "new"} {
		t.Run(from+" to "+to, func(t *testing.T) {
			t.Chdir(t.TempDir())
			run(t, initArgs(from, 1)[0]...)
			var offered atomic.Int64
			var all sync.WaitGroup
			begun := make(chan struct{}, 2)
			for range 2 {
				all.Go(func() {
					for first := true; ; first = false {
						r := atOnce(t, nil, []string{"keys", from, "--count", "1"})[0]
						if first {
							begun <- struct{}{}
						}
						if !r.ok {
							if !strings.Contains(r.stderr.String(), "account was moved to another store") {
								t.Errorf("it is refused with %s", &r.stderr)
							}
							return
						}
						offered.Add(1)
					}
				})
			}
			<-begun
			<-begun
			run(t, "convert", from, to)
			all.Wait()
			seen := content(t, to)["accounts"].([]any)[0].(map[string]any)["one_time_keys"].(map[string]any)
			if got := int64(seen["offered"].(float64)); got != offered.Load() {
				t.Errorf("the new store has offered %d keys, and its users %d", got, offered.Load())
			}
			run(t, "check", to)
		})
	}
}

var convertRounds = flag.Int("convert.rounds", 1, "how often convert is killed at random, for each pair of engines")

// TestConvertKilled kills convert at random instants, and lets another finish.
// At each moment one store at most is usable, and at the end the new one is, with
// all that was in the old one.
func TestConvertKilled(t *testing.T) {
	effort.Processes(t)
	if runtime.GOOS == "windows" {
		t.Logf("open files cannot be renamed on %s, where a killed process lets go of them late", runtime.GOOS)
		return
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for _, pair := range [][2]string{
		{"phone", "sqlite:new.db"}, {"sqlite:phone.db", "new"}, {"phone", "new"}, {"sqlite:phone.db", "sqlite:new.db"},
	} {
		t.Run(pair[0]+" to "+pair[1], func(t *testing.T) {
			k := newKilling(t, pair[0], pair[1])
			for range *convertRounds {
				after := time.Duration(random.Int64N(int64(k.takes + k.takes/10)))
				k.round(t, func(<-chan struct{}) { <-time.After(after) }) // at any instant
			}
			t.Logf("killed before it retires %d times, after it %d times, too late %d times", k.before, k.after, k.late)
		})
	}
}

// steps are what convert leaves of itself, one after the other, as patterns after
// the name of the new store.
var steps = map[string][]string{
	"sqlite:new.db": {".converting", copyingInfix + "*", movedInfix + "*", keySuffix, witnessSuffix, ""},
	"new":           {".converting", copyingInfix + "*", movedInfix + "*", movedInfix + "*/pawl.key", movedInfix + "*/pawl.witness", ""},
}

// TestConvertKilledAtEachStep kills convert as soon as it has come to each of its
// steps, of which some are before the accounts are retired and some after.
func TestConvertKilledAtEachStep(t *testing.T) {
	effort.Processes(t)
	if runtime.GOOS == "windows" {
		t.Logf("open files cannot be renamed on %s, where a killed process lets go of them late", runtime.GOOS)
		return
	}
	for _, pair := range [][2]string{{"phone", "sqlite:new.db"}, {"sqlite:phone.db", "new"}} {
		t.Run(pair[0]+" to "+pair[1], func(t *testing.T) {
			k := newKilling(t, pair[0], pair[1])
			for _, step := range steps[k.to] {
				k.round(t, func(ended <-chan struct{}) { k.await(t, step, ended) })
			}
			t.Logf("killed before it retires %d times, after it %d times, too late %d times", k.before, k.after, k.late)
			if k.before == 0 || k.after+k.late == 0 {
				t.Error("there are steps on both sides of retiring")
			}
		})
	}
}

// await waits until a step shows, or convert has ended.
func (k *killing) await(t *testing.T, step string, ended <-chan struct{}) {
	pattern := mustPlace(t, k.to).path + step
	for {
		if found, err := filepath.Glob(pattern); err != nil || len(found) > 0 {
			return
		}
		select {
		case <-ended:
			return
		case <-time.After(100 * time.Microsecond):
		}
	}
}

// killing is a store that is converted again and again.
type killing struct {
	master, from, to string // the master is where the store is copied from
	takes            time.Duration
	content          map[string]any

	before, after, late int
}

func newKilling(t *testing.T, from, to string) *killing {
	t.Chdir(t.TempDir())
	k := &killing{from: from, to: to}
	run(t, "init", from, "--user", "@alice:example.org", "--device", "PHONE")
	run(t, "init", from, "--user", "@alice:example.org", "--device", "TABLET")
	run(t, "keys", from, "--account", "PHONE", "--count", "400")
	k.content = content(t, from)
	k.master = t.TempDir()
	shell(t, "cp -a . "+k.master)
	start := time.Now()
	run(t, "convert", from, to)
	k.takes = time.Since(start)
	if got := content(t, to); !reflect.DeepEqual(got, k.content) {
		t.Fatalf("the new store has %v, want %v", got, k.content)
	}
	return k
}

// round begins with the store as it was, kills one convert when wait returns, and
// runs another.
func (k *killing) round(t *testing.T, wait func(ended <-chan struct{})) {
	t.Helper()
	t.Chdir(t.TempDir())
	shell(t, "cp -a "+k.master+"/. .")
	run(t, "recover", k.from) // it is a copy
	k.content = content(t, k.from)

	cmd := exec.Command("pawl", "convert", k.from, k.to)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended, done := make(chan struct{}), false
	go func() {
		done = cmd.Wait() == nil
		close(ended)
	}()
	wait(ended)
	_ = cmd.Process.Kill()
	<-ended
	switch retired := k.retired(t); {
	case done:
		k.late++
	case retired:
		k.after++
	default:
		k.before++
		k.expectUnusable(t)
		run(t, "keys", k.from, "--account", "TABLET", "--count", "0") // it goes on
		k.content = content(t, k.from)
	}
	run(t, "convert", k.from, k.to)
	if !k.retired(t) {
		t.Fatal("the old store is not retired")
	}
	if got := content(t, k.to); !reflect.DeepEqual(got, k.content) {
		t.Fatalf("the new store has %v, want %v", got, k.content)
	}
	if left, err := filepath.Glob(mustPlace(t, k.to).path + copyingInfix + "*"); err != nil || len(left) > 0 {
		t.Fatalf("left behind: %q, %v", left, err)
	}
	run(t, "check", k.to)
	run(t, "keys", k.to, "--account", "PHONE", "--count", "1")
	if r := atOnce(t, nil, []string{"keys", k.from, "--account", "PHONE"})[0]; r.ok {
		t.Fatal("both stores are usable")
	}
}

func (k *killing) retired(t *testing.T) bool {
	t.Helper()
	r := atOnce(t, nil, []string{"inspect", k.from})[0]
	if !r.ok {
		t.Fatalf("the old store: %s", &r.stderr)
	}
	n := strings.Count(r.stdout.String(), "retired ")
	if n == 1 {
		t.Fatal("one account is retired and one is not")
	}
	return n == 2
}

// expectUnusable: what there is of the new store opens with no key.
func (k *killing) expectUnusable(t *testing.T) {
	t.Helper()
	from, to := mustPlace(t, k.from), mustPlace(t, k.to)
	if err := to.require(t.Context()); err == nil {
		t.Fatal("the new store is there before the old one is retired")
	}
	key, err := keyfile.Read(from.keyFile())
	if err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(to.path + ".*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if copyName.MatchString(name) {
			k.expectNoKeyring(t, place{sqlite: to.sqlite, path: name}, key)
		}
	}
}

// copyName is that of a copy's directory or file.
var copyName = regexp.MustCompile(`\.(copying|moved)-[0-9a-f]+$`)

func (k *killing) expectNoKeyring(t *testing.T, p place, key keyfile.Key) {
	t.Helper()
	engine, err := p.open(t.Context())
	if err != nil {
		return // not even made
	}
	defer engine.Close()
	if empty, err := keyfile.IsEmpty(t.Context(), engine); err != nil || empty {
		return
	}
	if _, err := pawl.Open(t.Context(), engine, pawl.WithKey(key.Reveal())); !errors.Is(err, kv.ErrCorrupt) {
		t.Fatalf("opening %s: %v, want ErrCorrupt (no keyring)", p, err)
	}
}

func mustPlace(t *testing.T, store string) place {
	t.Helper()
	p, err := parsePlace(store)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// content is what inspect tells of the accounts, without where they went.
func content(t *testing.T, store string) map[string]any {
	t.Helper()
	r := atOnce(t, nil, []string{"inspect", store, "--json"})[0]
	if !r.ok {
		t.Fatalf("inspect %s: %s", store, &r.stderr)
	}
	var seen map[string]any
	if err := json.Unmarshal(r.stdout.Bytes(), &seen); err != nil {
		t.Fatal(err)
	}
	for _, a := range seen["accounts"].([]any) {
		delete(a.(map[string]any), "retired")
	}
	return seen
}

func shell(t *testing.T, command string) {
	t.Helper()
	if out, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
}
