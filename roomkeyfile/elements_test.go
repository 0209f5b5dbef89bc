package roomkeyfile

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// TestElements: of every text of a few characters that JSON is made of, within an array
// and by itself, the elements are those that encoding/json finds, or there are none.
func TestElements(t *testing.T) {
	accepted := 0
	judge := func(text string) {
		var want []json.RawMessage
		right := json.Unmarshal([]byte(text), &want) == nil
		var got [][]byte
		var failed error
		for raw, err := range elements(iotest.OneByteReader(strings.NewReader(text))) {
			if failed = err; err == nil {
				got = append(got, bytes.Clone(raw))
			}
		}
		same := slices.EqualFunc(got, want, func(a []byte, b json.RawMessage) bool { return bytes.Equal(a, b) })
		if right != (failed == nil) || right && !same {
			t.Errorf("of %s: %q, %v; want %q", text, got, failed, want)
		}
		if right {
			accepted++
		}
	}
	const alphabet = `[]{},:"\1 `
	texts := []string{""}
	for n := range 5 {
		var longer []string
		for _, text := range texts {
			judge("[" + text + "]")
			judge(text)
			if n < 4 {
				for _, c := range alphabet {
					longer = append(longer, text+string(c))
				}
			}
		}
		texts = longer
	}
	if accepted < 100 {
		t.Errorf("%d texts are arrays", accepted)
	}
}
