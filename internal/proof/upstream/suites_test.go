package main

import (
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	const passes = `{"Action":"start","Package":"a"}
{"Action":"output","Package":"a","Test":"TestOne","Output":"    one_test.go:3: seed 7\n"}
{"Action":"pass","Package":"a","Test":"TestOne/part"}
{"Action":"pass","Package":"a","Test":"TestOne"}
{"Action":"pass","Package":"a"}
`
	cases := []struct{ name, out, want string }{
		{"passes", passes, "power: passed, 1 tests, 0s"},
		{"no test fits", passes + `{"Action":"start","Package":"b"}{"Action":"pass","Package":"b"}`, "power: NO TESTS in b"},
		{"fails", passes + `{"Action":"start","Package":"b"}
			{"Action":"output","Package":"b","Test":"TestTwo","Output":"    two_test.go:9: lost\n"}
			{"Action":"fail","Package":"b","Test":"TestTwo"}{"Action":"fail","Package":"b"}`,
			"power: FAILED, TestTwo of 2 tests, 0s\n    one_test.go:3: seed 7\n    two_test.go:9: lost\n"},
		{"panics", `{"Action":"start","Package":"b"}
			{"Action":"output","Package":"b","Output":"panic: no\n"}{"Action":"fail","Package":"b"}`,
			"power: FAILED, b of 0 tests, 0s\npanic: no\n"},
		{"does not build", `{"Action":"build-output","Output":"undefined: x\n"}{"Action":"build-fail"}
			{"Action":"start","Package":"b"}{"Action":"fail","Package":"b"}`,
			"power: DOES NOT BUILD\nundefined: x\n"},
	}
	for _, c := range cases {
		r, err := suite{name: "power"}.read(strings.NewReader(c.out))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if got := r.String(); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		if passed := c.name == "passes"; r.passed() != passed {
			t.Errorf("%s: passed is %v", c.name, r.passed())
		}
	}
}

func TestChanges(t *testing.T) {
	before := versions{"a": "v1.0.0", "b": "v1.0.0", "c": "v1.0.0"}
	got := before.changes(versions{"a": "v1.1.0", "b": "v1.0.0", "d": "v0.1.0"})
	if len(got) != 2 || got[0] != (change{"a", "v1.0.0", "v1.1.0"}) || got[1] != (change{"d", "", "v0.1.0"}) {
		t.Errorf("changes are %v", got)
	}
}
