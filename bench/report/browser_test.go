//go:build browser

package report

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"html"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pawlkv/pawl/bench/result"
)

// "make browser" looks at the page in a real one. The pictures stay in a
// directory if one is given, for somebody to look at them as well.
var (
	chromium = flag.String("browser.chromium", "chromium", "the browser")
	pictures = flag.String("browser.out", "", "where the pictures go")
)

// patience is for a browser on a busy machine.
const patience = 3 * time.Minute

// browse starts the browser, which knows nothing and reaches nobody, and returns
// what it prints.
func browse(t *testing.T, args ...string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	flags := []string{
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--hide-scrollbars", "--host-resolver-rules=MAP * ~NOTFOUND",
		"--user-data-dir=" + t.TempDir(),
	}
	cmd := exec.CommandContext(ctx, *chromium, append(flags, args...)...)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", *chromium, err, &complaint)
	}
	return out
}

// written is the page of the made-up result in a file.
func written(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "report.html")
	put(t, path, pageOf(t, madeUp()))
	return path
}

func pageOf(t *testing.T, r result.Result) string {
	t.Helper()
	var b bytes.Buffer
	if err := WriteHTML(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func pictureDir(t *testing.T) string {
	t.Helper()
	if *pictures == "" {
		return t.TempDir()
	}
	if err := os.MkdirAll(*pictures, 0o755); err != nil {
		t.Fatal(err)
	}
	dir, err := filepath.Abs(*pictures)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestBrowserColours: the page is light, and dark for who wants that, as are the
// plots by themselves.
func TestBrowserColours(t *testing.T) {
	page, dir := written(t), pictureDir(t)
	plots, err := Plots(madeUp())
	if err != nil {
		t.Fatal(err)
	}
	plot := filepath.Join(t.TempDir(), "plot.svg")
	put(t, plot, plots[0].SVG())
	for _, c := range []struct {
		name, path, scheme string
		of                 func(colour) string
	}{
		{"page-light", page, "1", lightOf}, {"page-dark", page, "0", darkOf}, {"plot-light", plot, "1", lightOf}, {"plot-dark", plot, "0", darkOf},
	} {
		picture := filepath.Join(dir, c.name+".png")
		browse(t, "--window-size=1200,5200", "--blink-settings=preferredColorScheme="+c.scheme, "--screenshot="+picture, "file://"+c.path)
		shown := decodePNG(t, picture)
		r, g, b, _ := shown.At(2, shown.Bounds().Dy()/2).RGBA() // a plot alone is in the middle
		if got := fmt.Sprintf("#%02x%02x%02x", r>>8, g>>8, b>>8); got != c.of(pageColour) {
			t.Errorf("%s: the ground is %s, want %s", c.name, got, c.of(pageColour))
		}
	}
}

func decodePNG(t *testing.T, path string) image.Image {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	picture, err := png.Decode(file)
	if err != nil {
		t.Fatal(err)
	}
	return picture
}

// TestBrowserPrints: on paper it is several pages, for which the dark is light.
func TestBrowserPrints(t *testing.T) {
	paper := filepath.Join(pictureDir(t), "page.pdf")
	browse(t, "--blink-settings=preferredColorScheme=0", "--no-pdf-header-footer", "--print-to-pdf="+paper, "file://"+written(t))
	text := get(t, paper)
	if pages := strings.Count(text, "/Type /Page\n"); !strings.HasPrefix(text, "%PDF-") || pages < 3 || pages > 20 {
		t.Errorf("%d pages, beginning with %q", pages, text[:min(len(text), 8)])
	}
}

// inspection asks the browser where it has put things: which texts of a plot lie
// outside of it or on each other, and whether the page is wider than the window.
const inspection = `<script>
addEventListener("load", () => {
  const page = document.getElementById("page").contentDocument, wrong = [];
  const root = page.documentElement;
  if (root.scrollWidth > root.clientWidth) wrong.push("the page is " + root.scrollWidth + " wide in " + root.clientWidth);
  let texts = 0;
  for (const svg of page.querySelectorAll("svg")) {
    const of = svg.getAttribute("aria-label"), frame = svg.getBoundingClientRect();
    const boxes = [...svg.querySelectorAll("text")].filter(t => t.textContent.trim()).map(t => [t.textContent, t.getBoundingClientRect()]);
    texts += boxes.length;
    boxes.forEach(([text, a], i) => {
      if (a.left < frame.left - 1 || a.right > frame.right + 1 || a.top < frame.top - 1 || a.bottom > frame.bottom + 1) wrong.push(of + ": " + text + " is cut off");
      for (const [other, b] of boxes.slice(i + 1)) {
        const w = Math.min(a.right, b.right) - Math.max(a.left, b.left), h = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        if (w > 1 && h > SLACK) wrong.push(of + ": " + text + " lies on " + other);
      }
    });
  }
  document.getElementById("found").textContent = JSON.stringify({texts, wrong});
});
</script>`

// lineSlack is how far, in pixels, the boxes of two lines may overlap: a box is
// higher than its letters.
const lineSlack = "6"

// published is the result that the documents show.
func published(t *testing.T) result.Result {
	t.Helper()
	file, err := os.Open("../../docs/benchmarks/result.json")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r, err := Read(file)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestBrowserLayout: nothing is cut off, nothing lies on something else, and
// nothing makes the page wider than a desk's, a tablet's or a phone's window.
func TestBrowserLayout(t *testing.T) {
	for name, r := range map[string]result.Result{"made up": madeUp(), "published": published(t)} {
		for _, width := range []int{1400, 820, 390} {
			t.Run(fmt.Sprintf("%s/%d", name, width), func(t *testing.T) { expectLayout(t, pageOf(t, r), width) })
		}
	}
}

func expectLayout(t *testing.T, page string, width int) {
	t.Helper()
	host := filepath.Join(t.TempDir(), "host.html")
	frame := fmt.Sprintf(`<!DOCTYPE html><body><pre id="found"></pre><iframe id="page" style="width:%dpx;height:3000px;border:0" srcdoc="%s"></iframe>`,
		width, html.EscapeString(page))
	put(t, host, strings.Replace(inspection, "SLACK", lineSlack, 1)+frame)
	dom := string(browse(t, "--window-size=1600,3200", "--virtual-time-budget=20000", "--dump-dom", "file://"+host))
	_, after, _ := strings.Cut(dom, `<pre id="found">`)
	text, _, _ := strings.Cut(after, "</pre>")
	var found struct {
		Texts int
		Wrong []string
	}
	if err := json.Unmarshal([]byte(html.UnescapeString(text)), &found); err != nil {
		t.Fatalf("the browser found %q: %v", text, err)
	}
	if found.Texts < 100 {
		t.Errorf("only %d texts in the plots", found.Texts)
	}
	for _, w := range found.Wrong {
		t.Error(w)
	}
}
