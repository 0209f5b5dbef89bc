package effort

import (
	"flag"
	"testing"
)

var given = Flag("effort.test", 40, 4, "for the test of it")

func TestFlag(t *testing.T) {
	short := flag.Lookup("test.short").Value
	before := short.String()
	defer short.Set(before)
	for _, c := range []struct {
		short string
		want  int
	}{{"false", 40}, {"true", 4}} {
		short.Set(c.short)
		if n := given(); n != c.want {
			t.Errorf("-short=%s: %d, want %d", c.short, n, c.want)
		}
	}
	if err := flag.Set("effort.test", "many"); err == nil {
		t.Error("the flag takes what is no number")
	}
	if n := given(); n != 4 {
		t.Errorf("after a flag that was wrong: %d, want 4", n)
	}
	if err := flag.Set("effort.test", "0"); err != nil {
		t.Fatal(err)
	}
	if n := given(); n != 0 {
		t.Errorf("with -short and -effort.test=0: %d, want what the flag says", n)
	}
}

func TestProcesses(t *testing.T) {
	short := flag.Lookup("test.short").Value
	before := short.String()
	defer short.Set(before)
	for _, c := range []struct {
		short string
		want  bool
	}{{"false", false}, {"true", true}} {
		short.Set(c.short)
		var skipped bool
		t.Run("short="+c.short, func(t *testing.T) {
			defer func() { skipped = t.Skipped() }()
			Processes(t)
		})
		if skipped != c.want {
			t.Errorf("-short=%s: skipped %v, want %v", c.short, skipped, c.want)
		}
	}
}
