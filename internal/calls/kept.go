package calls

import "sync"

// maxKept is how many tickets, and how many held tokens, of one Machine are remembered:
// there are as many as syncs under way.
const maxKept = 1000

// kept are values that have no form outside of the process, the newest of them, by
// their numbers. 0 is none.
type kept[T any] struct {
	mu   sync.Mutex
	last uint64
	all  map[uint64]T
}

func (k *kept[T]) add(v T) uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.all == nil {
		k.all = map[uint64]T{}
	}
	k.last++
	k.all[k.last] = v
	if k.last > maxKept {
		delete(k.all, k.last-maxKept)
	}
	return k.last
}

func (k *kept[T]) get(n uint64, name string) (T, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	v, ok := k.all[n]
	if !ok {
		return v, wrong(name, "is not one of the newest %d that this handle gave out", maxKept)
	}
	return v, nil
}
