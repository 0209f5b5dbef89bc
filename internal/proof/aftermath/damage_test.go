package aftermath

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/kv/badgerkv"
	"github.com/pawlkv/pawl/kv/sqlitekv"
)

var (
	damages    = flag.Int("aftermath.damages", 40, "how many places of the files of a store are damaged; 0: every byte, in each way")
	damageSeed = flag.Uint64("aftermath.seed", 0, "of what is damaged; 0 is another each time")
)

// refusal judges why an engine does not open its files.
func (r *remains) refusal(changed string, err error) (Verdict, error) {
	// What says which file it is, and of which format, may say something else
	// now.
	says := errors.Is(err, badgerkv.ErrNewer) && changed == "pawl.format" ||
		(errors.Is(err, sqlitekv.ErrForeign) || errors.Is(err, sqlitekv.ErrNewer)) && changed == "store.db"
	if !says && !IsClear(err) {
		return 0, fmt.Errorf("open the engine: %w", err)
	}
	return Refused, nil
}

// Ways to damage a file.
const (
	flip   = iota // one bit of a byte
	cut           // it ends there
	sector        // 512 bytes are zeros from there on
	ways
)

func (f file) damaged(way, at int, bit byte) file {
	data := bytes.Clone(f.data)
	switch way {
	case flip:
		data[at] ^= bit
	case cut:
		return file{data[:at], int64(at)}
	case sector:
		clear(data[at:min(at+512, len(data))])
	}
	return file{data, f.size}
}

// TestDamage damages the files of a store, of a device with sessions and
// messages, that was killed or closed: each answer is right, or it is a clear
// refusal.
func TestDamage(t *testing.T) {
	seed := *damageSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-aftermath.seed=%d", seed)
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			killed, closed := leave(t, e)
			for name, r := range map[string]*remains{"killed": killed, "closed": closed} {
				rng := rand.New(rand.NewPCG(seed, 0))
				t.Run(name, func(t *testing.T) { r.damageAll(t, rng) })
			}
		})
	}
}

func (r *remains) damageAll(t *testing.T, rng *rand.Rand) {
	if verdict, err := r.judge(t, "", file{}); verdict != Whole || err != nil {
		t.Fatalf("undamaged: %v, %v", verdict, err)
	}
	var verdicts [3]int
	try := func(name string, way, at int) {
		bit := byte(1) << rng.IntN(8)
		verdict, err := r.judge(t, name, r.files[name].damaged(way, at, bit))
		if err != nil {
			t.Errorf("%s: byte %d, damaged in way %d with bit %d: %v: %v", name, at, way, bit, verdict, err)
		}
		verdicts[verdict]++
	}
	names := r.names()
	for i := range *damages {
		if f := r.files[names[i%len(names)]]; len(f.data) > 0 {
			try(names[i%len(names)], rng.IntN(ways), rng.IntN(len(f.data)))
		}
	}
	for _, name := range names {
		for at := 0; *damages == 0 && at < len(r.files[name].data); at++ {
			for way := range ways {
				try(name, way, at)
			}
		}
	}
	t.Logf("%d times whole, %d refused, %d marked", verdicts[Whole], verdicts[Refused], verdicts[Marked])
}

// TestKnownDamage damages what is known to matter.
func TestKnownDamage(t *testing.T) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			killed, closed := leave(t, e)
			for _, d := range known[e.name] {
				r := killed
				if d.closed {
					r = closed
				}
				name := r.named(t, d.file)
				verdict, err := r.judge(t, name, r.files[name].damaged(d.way, d.at(len(bytes.TrimRight(r.files[name].data, "\x00"))), 1))
				if verdict != d.want || err != nil {
					t.Errorf("%s: %v, %v; want %v", d.name, verdict, err, d.want)
				}
			}
		})
	}
}

func at(n int) func(int) int      { return func(int) int { return n } }
func fromEnd(n int) func(int) int { return func(size int) int { return size - n } }

type knownDamage struct {
	name   string
	file   string // how its name ends
	closed bool
	way    int
	at     func(size int) int
	want   Verdict
}

var known = map[string][]knownDamage{
	"badger": {
		{"the newest commit is torn", ".mem", false, flip, fromEnd(5), Marked},
		{"the newest commits are gone", ".mem", false, sector, fromEnd(400), Marked},
		{"an older commit is bad", ".mem", false, flip, at(200), Refused},
		{"a table is bad", ".sst", true, flip, at(100), Refused},
		{"a table is cut", ".sst", true, cut, fromEnd(1), Refused},
		{"the manifest is bad", "MANIFEST", true, flip, at(20), Refused},
		{"the format is bad", "pawl.format", true, flip, at(3), Refused},
		{"the witness's header is bad", "pawl.witness", true, flip, at(20), Marked},
		{"the witness is empty", "pawl.witness", true, cut, at(0), Marked},
		{"an unused part of the witness is bad", "pawl.witness", true, flip, at(100), Whole},
	},
	"sqlite": {
		{"the newest commit is torn", "-wal", false, flip, fromEnd(5), Refused},
		{"the newest commits are gone", "-wal", false, cut, fromEnd(20000), Refused},
		{"the log is gone", "-wal", false, cut, at(0), Refused},
		{"the gate is bad", "-gate", false, flip, at(10), Whole},
		{"the gate is empty", "-gate", true, cut, at(0), Whole},
		{"a page is bad", ".db", true, flip, at(5000), Refused},
		{"the file is cut", ".db", true, cut, fromEnd(4096), Refused},
		{"the witness's header is bad", ".witness", true, flip, at(20), Marked},
		{"the witness is empty", ".witness", true, cut, at(0), Marked},
	},
}

// TestLossIsNamed: who reads the refusal of a lost end learns what is left.
func TestLossIsNamed(t *testing.T) {
	killed, _ := leave(t, engines[1])
	name := killed.named(t, "-wal")
	dir := scratch(t) + "/store"
	must(t, killed.place(dir, name, killed.files[name].damaged(cut, len(killed.files[name].data)/2, 0)))
	_, err := killed.open(dir)
	if !IsClear(err) || !strings.Contains(err.Error(), "it goes to version") {
		t.Errorf("half of the log is gone: %v", err)
	}
}
