package power

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// Pages takes images of a directory around each sync, while nobody writes: what
// was on disk after the one before, and what has changed since. It is for engines
// that write through memory maps, whose pages the kernel writes back when it likes.
type Pages struct {
	T      testing.TB
	Dir    string
	Mapped func(name string) bool // whether a file is written through a memory map
	Steady []string               // as of ImageOf
	Rand   *rand.Rand             // of what is written back before a sync
	Random int                    // how many random sets of pages are

	safe    Image // after the last sync
	syncs   int
	steps   int
	begun   bool
	outages []Outage
}

// Sync makes a sync, which the engine has asked for, and takes images before and
// after it.
func (p *Pages) Sync(sync func() error) error {
	if p.begun {
		p.between(ImageOf(p.T, p.Dir, p.Steady...))
	}
	p.syncs++
	err := sync()
	p.safe = ImageOf(p.T, p.Dir, p.Steady...)
	return err
}

// between adds what may be left of the time since the last sync.
func (p *Pages) between(now Image) {
	for _, m := range p.mixtures(p.safe, now) {
		what := fmt.Sprintf("before sync %d, written back %s", p.syncs, m.what)
		p.outages = append(p.outages, Outage{What: what, Steps: p.steps, Image: func() Image { return m.image }})
	}
}

// Opened tells that the store was opened: all that is there is on disk.
func (p *Pages) Opened() { p.safe = ImageOf(p.T, p.Dir, p.Steady...) }

// Acknowledge notes that a step was acknowledged.
func (p *Pages) Acknowledge() {
	if p.begun {
		p.steps++
	}
	p.begun = true
}

// Outages returns each image that a power failure between two syncs may leave,
// from the first such step on.
func (p *Pages) Outages(*rand.Rand, int) []Outage {
	return append(p.outages, Outage{What: "at the end", Steps: p.steps, Image: func() Image { return p.safe }})
}

// page is one that changed since a sync.
type page struct {
	name string
	at   int
}

// mixture is what a power failure may leave between two syncs.
type mixture struct {
	what  string
	image Image
}

// mixtures returns the old image with none, all, some and torn ones of the
// pages that changed. Few pages are mixed in every way, many in random ones.
func (p *Pages) mixtures(old, new Image) []mixture {
	pages := p.changed(old, new)
	all := []mixture{
		{"none", old},
		{"all", writtenBack(old, new, pages, nil, 0)},
	}
	const few = 3
	many := p.Random
	if len(pages) <= few {
		many = 1<<len(pages) - 2
	}
	for i := range max(many, 0) {
		kept := slices.DeleteFunc(slices.Clone(pages), func(one page) bool {
			if len(pages) > few {
				return p.Rand.IntN(2) == 0
			}
			return (i+1)>>slices.Index(pages, one)&1 == 0
		})
		all = append(all, mixture{fmt.Sprintf("%v of %d", kept, len(pages)), writtenBack(old, new, kept, nil, 0)})
	}
	for _, one := range pages {
		at := 1 + p.Rand.IntN(PageSize-1)
		all = append(all, mixture{fmt.Sprintf("%v torn at %d", one, at), writtenBack(old, new, pages, &one, at)})
	}
	return all
}

// changed returns the pages of mapped files that are in both images and differ.
func (p *Pages) changed(old, new Image) (pages []page) {
	for _, name := range new.Names() {
		before, there := old[name]
		if !there || !p.Mapped(name) {
			continue
		}
		now := new[name]
		for at := 0; at < max(len(before.Data), len(now.Data)); at += PageSize {
			if !bytes.Equal(before.page(at), now.page(at)) {
				pages = append(pages, page{name, at})
			}
		}
	}
	return pages
}

// page returns the page at a position, with the zeros at its end.
func (f File) page(at int) []byte {
	p := make([]byte, PageSize)
	if at < len(f.Data) {
		copy(p, f.Data[at:])
	}
	return p
}

// withPage returns the file with the first bytes of a page of another.
func (f File) withPage(other File, at, size int) File {
	data := bytes.Clone(f.Data)
	data = append(data, make([]byte, max(0, at+PageSize-len(data)))...)
	copy(data[at:], other.page(at)[:size])
	return File{Data: bytes.TrimRight(data, "\x00"), Size: max(f.Size, other.Size)}
}

// writtenBack returns the old image with some pages of the new one.
func writtenBack(old, new Image, pages []page, torn *page, at int) Image {
	mixed := old
	for _, p := range pages {
		size := PageSize
		if torn != nil && *torn == p {
			size = at
		}
		mixed = mixed.With(p.name, mixed[p.name].withPage(new[p.name], p.at, size))
	}
	return mixed
}
