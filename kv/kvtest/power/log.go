package power

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
)

// Log records what is done to files, by their names, through whatever an engine
// has in the place of the file system. Its methods may be called from any number
// of goroutines.
type Log struct {
	// Beside returns files that the engine writes without it, as they are when a
	// step was acknowledged. Nil is none.
	Beside func() map[string][]byte

	mu     sync.Mutex
	before map[string][]byte // the files before the first operation
	ops    []Op
	beside []map[string][]byte // at each step
}

// Op is one thing done to a file, or a step that was acknowledged.
type Op struct {
	Kind Kind
	File string
	at   int64
	data []byte
}

// Kind is what an Op does.
type Kind string

// The kinds of operations.
const (
	Write    Kind = "write"
	Truncate Kind = "truncate"
	Sync     Kind = "sync"
	Delete   Kind = "delete"
	Step     Kind = "step" // was acknowledged
)

// Start tells which files there are before the first operation.
func (l *Log) Start(files map[string][]byte) { l.before = files }

func (l *Log) add(o Op) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ops = append(l.ops, o)
}

// Write notes bytes that were written at a place.
func (l *Log) Write(file string, at int64, data []byte) {
	l.add(Op{Kind: Write, File: file, at: at, data: bytes.Clone(data)})
}

// Truncate notes that a file was given a size.
func (l *Log) Truncate(file string, size int64) {
	l.add(Op{Kind: Truncate, File: file, at: size})
}

// Sync notes that a file is on the disk as it is.
func (l *Log) Sync(file string) { l.add(Op{Kind: Sync, File: file}) }

// Delete notes that a file is gone.
func (l *Log) Delete(file string) { l.add(Op{Kind: Delete, File: file}) }

// Acknowledge notes that a step was acknowledged.
func (l *Log) Acknowledge() {
	var beside map[string][]byte
	if l.Beside != nil {
		beside = l.Beside()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ops = append(l.ops, Op{Kind: Step})
	l.beside = append(l.beside, beside)
}

// Ops returns what was done so far.
func (l *Log) Ops() []Op {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ops[:len(l.ops):len(l.ops)]
}

// Outages returns each image that a power failure behind one of the operations
// may leave, from the first such step on, once. Of what was not synced it loses nothing,
// all, and so many times some, of which a write may be torn.
func (l *Log) Outages(rng *rand.Rand, random int) (outages []Outage) {
	seen := make(map[string]bool)
	steps := -1
	disk := newSurface(l.before)
	for n, o := range l.Ops() {
		disk.do(o)
		if o.Kind == Step {
			steps++
		}
		for i := 0; steps >= 0 && i < 2+random; i++ {
			loses, seed := [...]string{"nothing", "all", "some"}[min(i, 2)], rng.Uint64()
			id := fmt.Sprint(steps, disk.after(loses, seed, l.beside[steps]).sum())
			if seen[id] {
				continue
			}
			seen[id] = true
			what := fmt.Sprintf("after operation %d (%s %s), losing %s", n, o.Kind, o.File, loses)
			outages = append(outages, Outage{What: what, Steps: steps, Image: l.image(n+1, steps, loses, seed)})
		}
	}
	return outages
}

// image makes what a power failure leaves behind the first n operations. There
// are too many of them to keep.
func (l *Log) image(n, steps int, loses string, seed uint64) func() Image {
	return func() Image {
		disk := newSurface(l.before)
		for _, o := range l.Ops()[:n] {
			disk.do(o)
		}
		return disk.after(loses, seed, l.beside[steps])
	}
}

// ways says how a power failure treats a write that was not synced.
func ways(rng *rand.Rand) map[string]func() (whole, torn bool) {
	return map[string]func() (bool, bool){
		"nothing": func() (bool, bool) { return true, false },
		"all":     func() (bool, bool) { return false, false },
		"some":    func() (bool, bool) { n := rng.IntN(4); return n < 2, n == 2 },
	}
}

// surface is what is on a disk, and what is on its way there.
type surface struct {
	safe    map[string][]byte
	pending map[string][]Op
}

func newSurface(files map[string][]byte) *surface {
	d := &surface{safe: make(map[string][]byte), pending: make(map[string][]Op)}
	for name, data := range files {
		d.safe[name] = bytes.Clone(data)
	}
	return d
}

func (d *surface) do(o Op) {
	switch o.Kind {
	case Sync:
		for _, p := range d.pending[o.File] {
			d.safe[o.File] = p.apply(d.safe[o.File])
		}
		delete(d.pending, o.File)
	case Delete:
		delete(d.safe, o.File)
		delete(d.pending, o.File)
	case Write, Truncate:
		d.pending[o.File] = append(d.pending[o.File], o)
	}
}

// after returns all that was synced, and of the rest what a power failure does not
// lose, which may also tear a write.
func (d *surface) after(loses string, seed uint64, beside map[string][]byte) Image {
	keep := ways(rand.New(rand.NewPCG(seed, 0)))[loses]
	left := maps.Clone(d.safe)
	for _, name := range slices.Sorted(maps.Keys(d.pending)) {
		list := d.pending[name]
		data := bytes.Clone(left[name])
		made := left[name] != nil
		for _, o := range list {
			whole, torn := keep()
			if torn {
				o.data = o.data[:len(o.data)/2]
			}
			if whole || torn {
				data, made = o.apply(data), true
			}
		}
		if made {
			left[name] = data
		}
	}
	maps.Copy(left, beside)
	image := make(Image)
	for name, data := range left {
		image[name] = FileOf(data)
	}
	return image
}

func (o *Op) apply(data []byte) []byte {
	if o.Kind == Truncate {
		return append(data, make([]byte, max(0, o.at-int64(len(data))))...)[:o.at]
	}
	if end := o.at + int64(len(o.data)); end > int64(len(data)) {
		data = append(data, make([]byte, end-int64(len(data)))...)
	}
	copy(data[o.at:], o.data)
	return data
}
