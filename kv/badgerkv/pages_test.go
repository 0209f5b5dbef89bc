package badgerkv_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
)

// pageSize is that of the kernel, which writes back one page or another.
const pageSize = 4096

// page is one that changed since a sync.
type page struct {
	name string
	at   int
}

// changedPages returns the pages of logs that are in both images and differ.
func changedPages(old, new image) (pages []page) {
	for _, name := range new.names() {
		before, there := old[name]
		if !there || filepath.Ext(name) != ".mem" {
			continue
		}
		now := new[name]
		for at := 0; at < max(len(before.data), len(now.data)); at += pageSize {
			if !bytes.Equal(before.page(at), now.page(at)) {
				pages = append(pages, page{name, at})
			}
		}
	}
	return pages
}

// page returns the page at a position, with the zeros at its end.
func (f imageFile) page(at int) []byte {
	p := make([]byte, pageSize)
	if at < len(f.data) {
		copy(p, f.data[at:])
	}
	return p
}

// withPage returns the file with the first bytes of a page of another.
func (f imageFile) withPage(other imageFile, at, size int) imageFile {
	data := bytes.Clone(f.data)
	data = append(data, make([]byte, max(0, at+pageSize-len(data)))...)
	copy(data[at:], other.page(at)[:size])
	return imageFile{data: bytes.TrimRight(data, "\x00"), size: max(f.size, other.size)}
}

// writtenBack returns the old image with some pages of the new one.
func writtenBack(old, new image, pages []page, torn *page, at int) image {
	mixed := old
	for _, p := range pages {
		size := pageSize
		if torn != nil && *torn == p {
			size = at
		}
		mixed = mixed.with(p.name, mixed[p.name].withPage(new[p.name], p.at, size))
	}
	return mixed
}

// mixture is what a power failure may leave between two syncs.
type mixture struct {
	what string
	image
}

// mixtures returns the old image with none, all, some and torn ones of the
// pages that changed. Few pages are mixed in every way, many in random ones.
func mixtures(rng *rand.Rand, old, new image, random int) []mixture {
	pages := changedPages(old, new)
	all := []mixture{
		{"none", old},
		{"all", writtenBack(old, new, pages, nil, 0)},
	}
	const few = 3
	ways := random
	if len(pages) <= few {
		ways = 1<<len(pages) - 2
	}
	for i := range max(ways, 0) {
		kept := slices.DeleteFunc(slices.Clone(pages), func(p page) bool {
			if len(pages) > few {
				return rng.IntN(2) == 0
			}
			return (i+1)>>slices.Index(pages, p)&1 == 0
		})
		all = append(all, mixture{fmt.Sprintf("%v of %d", kept, len(pages)), writtenBack(old, new, kept, nil, 0)})
	}
	for _, p := range pages {
		at := 1 + rng.IntN(pageSize-1)
		all = append(all, mixture{fmt.Sprintf("%v torn at %d", p, at), writtenBack(old, new, pages, &p, at)})
	}
	return all
}
