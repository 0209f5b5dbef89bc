package kv

// Wrapper is a Store around another one, which it may see, count or change the
// calls of. What the engine inside offers beyond Store is found through it; one
// that means to hide that is no Wrapper.
type Wrapper interface {
	Store
	Unwrap() Store
}

// As returns the first of a store and those it wraps that is a T: an interface of
// what some engines offer beyond Store, say.
func As[T any](store Store) (t T, ok bool) {
	for store != nil {
		if t, ok = store.(T); ok {
			return t, true
		}
		w, wraps := store.(Wrapper)
		if !wraps {
			break
		}
		store = w.Unwrap()
	}
	return t, false
}
