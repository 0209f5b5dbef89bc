package kv_test

import (
	"testing"

	"github.com/pawlkv/pawl/kv"
)

type plain struct{ kv.Store }

type wrapper struct{ kv.Store }

func (w wrapper) Unwrap() kv.Store { return w.Store }

type counting struct{ kv.Store }

func (counting) Count() int { return 7 }

func TestAs(t *testing.T) {
	type counter interface{ Count() int }
	for name, test := range map[string]struct {
		store kv.Store
		found bool
	}{
		"nothing":               {nil, false},
		"a store without":       {plain{}, false},
		"a store with":          {counting{}, true},
		"wrapped":               {wrapper{counting{}}, true},
		"wrapped twice":         {wrapper{wrapper{counting{}}}, true},
		"wrapped and without":   {wrapper{plain{}}, false},
		"around nothing":        {wrapper{}, false},
		"hidden by who wraps":   {plain{counting{}}, false},
		"hidden further inside": {wrapper{plain{counting{}}}, false},
	} {
		c, found := kv.As[counter](test.store)
		if found != test.found || found && c.Count() != 7 {
			t.Errorf("%s: found %v, want %v", name, found, test.found)
		}
	}
}
