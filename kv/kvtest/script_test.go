package kvtest

import (
	"strings"
	"testing"
)

// TestScriptsAreRead: a script that does not say what it means is refused, so
// that none passes by doing nothing.
func TestScriptsAreRead(t *testing.T) {
	for text, want := range map[string]string{
		"":                                  "last step must be final",
		"# nothing\n\n":                     "last step must be final",
		"T1 get x -> 1":                     "last step must be final",
		"setup x\nfinal":                    "line 1",
		"T1\nfinal":                         "no step",
		"T1 get x\nfinal":                   "arrow",
		"T1 put x=1 -> ok\nfinal":           "arrow",
		"T1 commit\nfinal":                  "arrow",
		"T1 get x y -> 1\nfinal":            "not a step",
		"T1 get ->\nfinal":                  "not a step",
		"T1 commit -> maybe\nfinal":         "not a step",
		"T1 commit -> conflict\nfinal":      "not a step",
		"T1 scan a b -> a=1\nfinal":         "not a step",
		"T1 scan a -> a\nfinal":             "key=value",
		"T1 frobnicate x\nfinal":            "not a step",
		"T1 put x\nfinal":                   "key=value",
		"T1 delete\nfinal x=1":              "not a step",
		"setup x=1\nT1 get x -> 1\nfinal x": "key=value",
	} {
		if _, err := parseScript(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("script %q: %v, want an error about %q", text, err, want)
		}
	}
	steps, err := parseScript("# why\nsetup x=1\n\nT1 commit -> conflict x a/*\nfinal x=1\n")
	if err != nil || len(steps) != 3 || steps[1].line != 4 || steps[1].who != "T1" || len(steps[1].want) != 3 {
		t.Errorf("a script of three steps: %+v, %v", steps, err)
	}
}
