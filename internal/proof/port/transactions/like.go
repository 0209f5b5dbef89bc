package transactions

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
)

// none is the result of a vector that has none, where the one that it is like has some.
var none = json.RawMessage("null")

// Like leaves out of a vector what it has in common with the one that it is like.
func (v Vector) Like(first Vector) Vector {
	v.As = first.Name
	v.Setup, v.Time = "", 0
	if len(v.Before) == len(first.Before) {
		v.Before = nil
	}
	v.Call = Call{Random: v.Random}
	switch {
	case v.Expect == first.Expect && bytes.Equal(v.Result, first.Result):
		v.Result = nil
	case v.Result == nil && v.Expect == first.Expect:
		v.Result = none
	}
	short := make([]Attempt, len(v.Attempts))
	for i, a := range v.Attempts {
		if i < len(first.Attempts) {
			a = a.like(first.Attempts[i])
		}
		short[i] = a
	}
	v.Attempts = short
	return v
}

func (a Attempt) like(first Attempt) Attempt {
	if len(a.Meanwhile) > 0 && reflect.DeepEqual(a.Meanwhile, first.Writes) {
		a.Another, a.Meanwhile = true, nil
	}
	if !a.AsBefore && !first.AsBefore && same(a, first) {
		a = Attempt{Same: true, Another: a.Another, Meanwhile: a.Meanwhile, Answers: a.Answers}
	}
	return a
}

// Whole returns the vectors with all that they have in common with others before them.
func Whole(short []Vector) ([]Vector, error) {
	known := map[string]Vector{}
	whole := make([]Vector, len(short))
	for i, v := range short {
		if v.As != "" {
			first, ok := known[v.As]
			if !ok {
				return nil, fmt.Errorf("%s is as %q, which does not come before it", v.Name, v.As)
			}
			var err error
			if v, err = v.whole(first); err != nil {
				return nil, err
			}
		}
		if _, twice := known[v.Name]; twice {
			return nil, fmt.Errorf("two vectors are called %q", v.Name)
		}
		known[v.Name], whole[i] = v, v
	}
	return whole, nil
}

func (v Vector) whole(first Vector) (Vector, error) {
	v.As, v.Setup, v.Time = "", first.Setup, first.Time
	if v.Before == nil {
		v.Before = first.Before
	}
	random := v.Random
	v.Call = first.Call
	v.Random = random
	switch {
	case bytes.Equal(v.Result, none):
		v.Result = nil
	case v.Expect == first.Expect && v.Result == nil:
		v.Result = first.Result
	}
	all := make([]Attempt, len(v.Attempts))
	for i, a := range v.Attempts {
		if (a.Same || a.Another) && i >= len(first.Attempts) {
			return v, fmt.Errorf("%s has an attempt more than %s, which is said to be the same", v.Name, first.Name)
		}
		if a.Another {
			a.Meanwhile, a.Another = first.Attempts[i].Writes, false
		}
		if a.Same {
			of := first.Attempts[i]
			of.Meanwhile, of.Answers = a.Meanwhile, a.Answers
			a = of
		}
		all[i] = a
	}
	v.Attempts = all
	return v, nil
}
