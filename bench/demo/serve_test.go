package demo

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// serve gives a process requests and returns its answers.
func serve(t *testing.T, requests string) ([]answer, error) {
	t.Helper()
	var out bytes.Buffer
	err := Serve(t.Context(), strings.NewReader(requests), &out)
	var answers []answer
	for d := json.NewDecoder(&out); d.More(); {
		var a answer
		if err := d.Decode(&a); err != nil {
			t.Fatal(err)
		}
		answers = append(answers, a)
	}
	return answers, err
}

func TestServe(t *testing.T) {
	open := func(design string) string {
		return fmt.Sprintf(`{"op":"open","engine":"sqlite","dir":%q,"design":%q,"process":"app"}`, t.TempDir(), design)
	}
	for _, c := range []struct {
		requests string
		last     string // error of the last answer
		fatal    bool
		err      string
	}{
		{requests: ""},
		{requests: `{"op":"exit"} never read`},
		{requests: `{"op":"key"}`, last: "the store is not open", fatal: true},
		{requests: open("best"), last: `demo: no design "best": there are stale, lease, none, validated`},
		{requests: open("none") + `{"op":"sing"}`, last: `no operation "sing"`},
		{requests: open("lease") + `{"op":"register"}{"op":"key"}{"op":"check"}`},
		{requests: open("none") + `{"op":"register"}{"op":"register"}`, last: "the store already has this account"},
		{requests: open("none") + `{"op":"register"}{"op":"encrypt","peer":"x"}`, last: "malformed"},
		{requests: open("none") + `{"op":"register"}{"op":"decrypt","peer":"3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08","type":7}`, last: "message type is neither"},
		{requests: `{"op":`, err: "unexpected EOF"},
		{requests: `[]`, err: "cannot unmarshal array"},
	} {
		answers, err := serve(t, c.requests)
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %v, want %q", c.requests, err, c.err)
		}
		var last answer
		if len(answers) > 0 {
			last = answers[len(answers)-1]
		}
		if (last.Error == "") != (c.last == "") || !strings.Contains(last.Error, c.last) || last.Fatal != c.fatal {
			t.Errorf("%s: last answer %+v, want the error %q", c.requests, last, c.last)
		}
	}
}
