package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pawlkv/pawl/bench/result"
)

var update = flag.Bool("update", false, "write testdata anew")

// TestWriteText: the whole of it, as it was when somebody last looked.
func TestWriteText(t *testing.T) {
	var b bytes.Buffer
	if err := WriteText(&b, madeUp()); err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "made-up.txt")
	if *update {
		if err := os.WriteFile(golden, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Error(diff)
	}
}

// TestWarnings: a disk that is none, a machine that is not quiet, a quick run.
func TestWarnings(t *testing.T) {
	r := madeUp()
	r.Quick, r.Machine.FileSystem, r.Machine.Noise.CPU = true, "tmpfs", 0.31
	var b bytes.Buffer
	if err := WriteText(&b, r); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(b.String()), " ")
	for _, want := range []string{
		"The stores were on tmpfs, which is memory", "This was a quick run", "a fixed computation varied by 31%", "The machine was not quiet",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %q", want)
		}
	}
}

// plotNames are what the fixture has the figures for.
var plotNames = []string{
	"split", "latency", "processes-badger", "processes-badger-same", "size-badger", "faults", "faults-client",
	"beside-peers-decrypt-1-message-a-commit", "beside-peers-decrypt-100-messages-a-commit",
}

// TestPlots: each is there once, is XML, and has no colour but those that follow
// light and dark.
func TestPlots(t *testing.T) {
	plots, err := Plots(madeUp())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range plots {
		names = append(names, p.Name)
		expectXML(t, p.Name, p.SVG())
		for _, name := range regexp.MustCompile(`var\(--(\w+)\)`).FindAllStringSubmatch(p.SVG(), -1) {
			if strings.Count(p.SVG(), "--"+name[1]+":") != 2 {
				t.Errorf("%s does not say what %s is in light and in the dark", p.Name, name[1])
			}
		}
		if fixed := regexp.MustCompile(`(rgb|#)[^;"]*`).FindAllString(string(p.Inline()), -1); len(fixed) > 0 {
			t.Errorf("%s: the colours %q are the same in the dark", p.Name, slices.Compact(fixed))
		}
	}
	if diff := cmp.Diff(plotNames, names); diff != "" {
		t.Error(diff)
	}
}

func expectXML(t *testing.T, name, text string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
}

// TestColours: each is painted as itself, or a name would stand for two.
func TestColours(t *testing.T) {
	seen := map[string]string{}
	for _, c := range everyColour() {
		painted := c.paint().String()
		if seen[painted] != "" || !strings.HasPrefix(painted, "rgb(") {
			t.Errorf("%s is painted as %s, like %q", c.name, painted, seen[painted])
		}
		seen[painted] = c.name
	}
	if len(partColours) != len(result.Parts) {
		t.Errorf("%d colours for %d parts", len(partColours), len(result.Parts))
	}
}

// TestContrast: text is legible on the page, as WCAG asks of it (4.5 to 1), and
// what is drawn can be seen on it (3 to 1 for lines), in light and in the dark.
func TestContrast(t *testing.T) {
	for _, mode := range []func(colour) string{lightOf, darkOf} {
		page := luminance(t, mode(pageColour))
		for _, c := range []colour{inkColour, axisColour} {
			expectContrast(t, mode(c), page, 4.5)
		}
		for _, c := range lineColours {
			expectContrast(t, mode(c), page, 3)
		}
	}
}

// TestPageStandsAlone: nothing in it is fetched from elsewhere, and nothing runs.
func TestPageStandsAlone(t *testing.T) {
	var b bytes.Buffer
	if err := WriteHTML(&b, madeUp()); err != nil {
		t.Fatal(err)
	}
	// The names of XML's own spaces are no addresses.
	text := regexp.MustCompile(`xmlns(:xlink)?="[^"]*"`).ReplaceAllString(b.String(), "")
	for _, from := range []string{"http:", "https:", "//", "<script", "<link", "<img", "@import", "url("} {
		if i := strings.Index(text, from); i >= 0 {
			t.Errorf("%q in %q", from, text[max(0, i-40):min(len(text), i+40)])
		}
	}
	for _, want := range []string{`<p class="answer">` + Headline(madeUp()), "not built: run &#39;make peers&#39;", `class="bad">6 wedged, 82 lost<`} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing", want)
		}
	}
	for _, name := range plotNames {
		if n := strings.Count(text, `<figure id="`+name+`">`); n != 1 {
			t.Errorf("%s is there %d times", name, n)
		}
	}
}

// TestPageEscapes: what a peer program says of itself is text.
func TestPageEscapes(t *testing.T) {
	r := madeUp()
	r.Rows[0].Notes = []string{`<script>alert(1)</script>`}
	r.Rows[1].Missing, r.Rows[1].Runs, r.Rows[1].Split = `<b onclick="x">`, nil, nil
	r.Rows[2].Workload = `<i>&"`
	var b bytes.Buffer
	if err := WriteHTML(&b, r); err != nil {
		t.Fatal(err)
	}
	for _, raw := range []string{"<script", "<b onclick", "<i>"} {
		if strings.Contains(b.String(), raw) {
			t.Errorf("%s is not escaped", raw)
		}
	}
}

// TestEmpty: a result of nothing is a report that says so.
func TestEmpty(t *testing.T) {
	r := result.Result{Format: result.Format}
	var page, text bytes.Buffer
	if err := errors.Join(WriteHTML(&page, r), WriteText(&text, r)); err != nil {
		t.Fatal(err)
	}
	for _, b := range []string{page.String(), strings.Join(strings.Fields(text.String()), " ")} {
		if !strings.Contains(b, noAnswer) {
			t.Errorf("it does not say so: %.300s", b)
		}
	}
}
