package pawl_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/pawlkv/pawl"
)

// TestExtras: a record is what was put last, whoever did, and of its space and account
// alone.
func TestExtras(t *testing.T) {
	alice, bob := pair(t)
	ctx := t.Context()
	twin := alice.on(alice.kv)
	put := func(space, name, value string) {
		t.Helper()
		err := alice.ChangeExtra(ctx, space, name, func([]byte) ([]byte, error) { return []byte(value), nil })
		if err != nil {
			t.Fatal(err)
		}
	}
	read := func(space, name string) string {
		t.Helper()
		value, err := twin.Extra(ctx, space, name)
		if err != nil {
			t.Fatal(err)
		}
		if value == nil {
			return "none"
		}
		return string(value)
	}
	put("one", "a", "1")
	put("one", "a", "2")
	put("one", "b", "")
	put("two", "a", "3")
	for _, c := range []struct{ space, name, want string }{{"one", "a", "2"}, {"one", "b", ""}, {"two", "a", "3"}, {"two", "b", "none"}} {
		if got := read(c.space, c.name); got != c.want {
			t.Errorf("%s of %s is %q, want %q", c.name, c.space, got, c.want)
		}
	}
	all, err := twin.Extras(ctx, "one")
	got := map[string]string{}
	for _, e := range all {
		got[e.Name] = string(e.Value)
	}
	if err != nil || fmt.Sprint(got) != "map[a:2 b:]" || strings.Contains(fmt.Sprint(all), "2") {
		t.Errorf("%v, %v, %v", got, all, err)
	}
	if value, err := bob.Extra(ctx, "one", "a"); value != nil || err != nil {
		t.Errorf("another account has %q, %v", value, err)
	}
	if err := twin.ChangeExtra(ctx, "one", "a", func([]byte) ([]byte, error) { return nil, nil }); err != nil || read("one", "a") != "none" {
		t.Error("it was not deleted", err)
	}
	failure := errors.New("a failure")
	if err := twin.ChangeExtra(ctx, "one", "b", func([]byte) ([]byte, error) { return []byte("x"), failure }); err != failure || read("one", "b") != "" {
		t.Error("it was changed", err)
	}
	if lines, err := twin.Check(ctx); err != nil || len(lines) > 0 {
		t.Errorf("%v, %v", lines, err)
	}
}

// TestExtrasTogether: changes that two processes make at once are all made.
func TestExtrasTogether(t *testing.T) {
	alice, _ := pair(t)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			handle := alice.on(alice.kv)
			for range 25 {
				err := handle.ChangeExtra(t.Context(), "one", "count", func(old []byte) ([]byte, error) { return append(old, 'x'), nil })
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if got, err := alice.Extra(t.Context(), "one", "count"); len(got) != 100 || err != nil {
		t.Errorf("%d changes, %v; want 100", len(got), err)
	}
}

// TestExtraBounds: what is out of bounds is refused, and changes nothing.
func TestExtraBounds(t *testing.T) {
	alice, _ := pair(t)
	long := func(n int) string { return strings.Repeat("x", n) }
	for _, c := range []struct {
		space, name string
		size        int
		want        error
	}{
		{"", "a", 1, pawl.ErrExtra}, {"a", "", 1, pawl.ErrExtra},
		{long(pawl.MaxExtraSpace), long(pawl.MaxExtraName), pawl.MaxExtraValue, nil},
		{long(pawl.MaxExtraSpace + 1), "a", 1, pawl.ErrExtra}, {"a", long(pawl.MaxExtraName + 1), 1, pawl.ErrExtra},
		{"a", "a", pawl.MaxExtraValue + 1, pawl.ErrExtra}, {"a", "\xff", 1, pawl.ErrExtra}, {"\xff", "a", 1, pawl.ErrExtra},
	} {
		err := alice.ChangeExtra(t.Context(), c.space, c.name, func([]byte) ([]byte, error) { return make([]byte, c.size), nil })
		if !errors.Is(err, c.want) {
			t.Errorf("%d, %d, %d bytes: %v, want %v", len(c.space), len(c.name), c.size, err, c.want)
		}
		if value, err := alice.Extra(t.Context(), c.space, c.name); c.want != nil && (value != nil || err != nil && !errors.Is(err, pawl.ErrExtra)) {
			t.Errorf("it was stored: %d bytes, %v", len(value), err)
		}
	}
}
