package kvtest

import (
	"strings"
	"testing"
)

// TestScriptsAreRead: a script that does not say what it means is refused, so
// that none passes by doing nothing.
func TestScriptsAreRead(t *testing.T) {
	for text, want := range map[string]string{
		"":                                     "last step must be final",
		"# nothing\n\n":                        "last step must be final",
		"T1 get x -> 1":                        "last step must be final",
		"setup x\nfinal":                       "line 1",
		"T1\nfinal":                            "no step",
		"T1 get x\nfinal":                      "arrow",
		"T1 put x=1 -> ok\nfinal":              "arrow",
		"T1 commit\nfinal":                     "arrow",
		"T1 get x y -> 1\nfinal":               "not what may be expected",
		"T1 get ->\nfinal":                     "not a step",
		"T1 commit -> maybe\nfinal":            "not what may be expected",
		"T1 commit -> conflict\nfinal":         "not what may be expected",
		"T1 commit -> ok again\nfinal":         "not what may be expected",
		"T1 scan a b -> a=1\nfinal":            "not a step",
		"T1 scan a -> a\nfinal":                "not what may be expected",
		"T1 frobnicate x\nfinal":               "not a step",
		"T1 put x\nfinal":                      "not a step",
		"T1 delete\nfinal x=1":                 "not a step",
		"T1 setup x=1\nfinal x=1":              "not a step",
		"T1 granted soon\nfinal":               "not a step",
		"W watch p/ from v1\nfinal":            "not a step",
		"setup x=1\nT1 get x -> 1\nfinal x":    "not what may be expected",
		"T1 get x -> 1 | 2\nfinal a=1 | | b=1": "3 things are expected, 2 on a line before",
	} {
		if _, err := parseScript(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("script %q: %v, want an error about %q", text, err, want)
		}
	}
	steps, err := parseScript("# why\nsetup x=1\n\nT1 commit -> conflict x a/*\nfinal x=1\n")
	if err != nil || len(steps) != 3 || steps[1].line != 4 || steps[1].who != "T1" || len(steps[1].want[0]) != 3 {
		t.Errorf("a script of three steps: %+v, %v", steps, err)
	}
	steps, err = parseScript("T1 scan x -> | x=1 | gone\nfinal | x=1 | \n")
	if err != nil || len(steps) != 2 || len(steps[0].want) != 3 || len(steps[0].want[0]) != 0 || len(steps[1].want) != 3 {
		t.Errorf("a script that expects three things: %+v, %v", steps, err)
	}
}
