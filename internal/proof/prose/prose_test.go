// Package prose checks how the documents are written: lines of at most 100
// columns, each sentence on a line of its own, table cells of at most 200
// characters. So a change of a sentence is a change of its lines alone, and
// everything can be read in a window. And that what they point to is there.
package prose

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

const (
	root     = "../../.."
	maxLine  = 100
	maxCell  = 200
	leastDoc = 15 // documents there are at least
)

// generated are documents that a program writes.
var generated = []string{"docs/benchmarks/README.md"}

// elsewhere are folders whose documents are not ours.
var elsewhere = []string{".git", "build", "target", "node_modules"}

func TestDocuments(t *testing.T) {
	all := documents(t)
	if len(all) < leastDoc {
		t.Fatalf("found only %q", all)
	}
	for _, path := range all {
		for _, wrong := range check(read(t, path)) {
			t.Errorf("%s:%s", path, wrong)
		}
	}
}

func documents(t *testing.T) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch name, _ := filepath.Rel(root, path); {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains(elsewhere, d.Name()):
			return filepath.SkipDir
		case !d.IsDir() && strings.HasSuffix(name, ".md") && !slices.Contains(generated, filepath.ToSlash(name)):
			found = append(found, filepath.ToSlash(name))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// check returns what is wrong with a document, as "LINE: what".
func check(text string) []string {
	var wrong []string
	code := false
	for i, line := range strings.Split(text, "\n") {
		say := func(format string, args ...any) {
			wrong = append(wrong, fmt.Sprintf("%d: ", i+1)+fmt.Sprintf(format, args...))
		}
		fence := strings.HasPrefix(strings.TrimSpace(line), "```")
		if fence {
			code = !code
		}
		switch {
		case fence, code, strings.HasPrefix(line, "    "):
		case strings.HasPrefix(line, "|"):
			for _, cell := range cells(line) {
				if n := utf8.RuneCountInString(cell); n > maxCell {
					say("a cell of %d characters, at most %d: make it prose below the table", n, maxCell)
				}
			}
		default:
			if n := utf8.RuneCountInString(line); n > maxLine && breakable(line) {
				say("%d columns, at most %d", n, maxLine)
			}
			if next := secondSentence(line); next != "" {
				say("a sentence begins within the line: %q", next)
			}
		}
	}
	return wrong
}

// cells splits a row of a table.
func cells(row string) []string {
	row = strings.ReplaceAll(row, `\|`, " ") // within a cell
	all := strings.Split(strings.Trim(row, "|"), "|")
	for i := range all {
		all[i] = strings.TrimSpace(all[i])
	}
	return all
}

// breakable tells a line that could be broken from one with a single long word,
// such as an address.
func breakable(line string) bool {
	_, item := prefix(line)
	return strings.Contains(item, " ")
}

// prefix splits the mark of a list's item or a quotation from a line.
func prefix(line string) (mark, rest string) {
	mark = marks.FindString(line)
	return mark, line[len(mark):]
}

var (
	marks = regexp.MustCompile(`^\s*(?:[-*] |\d+\. |> |#+ )?`)
	// sentences end with one of .?! and what closes it, and begin with a capital,
	// code, a link or emphasis.
	sentences = regexp.MustCompile("[.?!][)\"*_`]* +[(\"*_`\\[]*[A-Z`]")
	// quoted is what says nothing of where sentences end.
	quoted        = regexp.MustCompile("`[^`]*`")
	abbreviations = regexp.MustCompile(`\b(?:e\.g|i\.e|cf|vs|etc|No|p|pp)\.`)
)

// secondSentence returns where a sentence begins within a line, or "".
func secondSentence(line string) string {
	_, text := prefix(line)
	blank := func(s string) string { return "`" + strings.Repeat("x", len(s)-2) + "`" }
	plain := quoted.ReplaceAllStringFunc(text, blank)
	plain = abbreviations.ReplaceAllStringFunc(plain, func(s string) string { return strings.ReplaceAll(s, ".", "x") })
	at := sentences.FindStringIndex(plain)
	if at == nil {
		return ""
	}
	return text[at[0]:min(len(text), at[0]+30)]
}

func TestCheck(t *testing.T) {
	long := strings.Repeat("word ", 20)
	for text, want := range map[string][]string{
		"One sentence.\nAnother.":                  nil,
		"One sentence. Another.":                   {`1: a sentence begins within the line: ". Another."`},
		"- **A lead.** And more.":                  {`1: a sentence begins within the line: ".** And more."`},
		"1. One.\n2. Two, e.g. Three.":             nil,
		"Is it? `Code` says so.":                   {"1: a sentence begins within the line: \"? `Code` says so.\""},
		"`a. B` is code, 1.5 X is a number":        nil,
		long + "end":                               {"1: 103 columns, at most 100"},
		"\n- " + long:                              {"2: 102 columns, at most 100"},
		"https://" + strings.Repeat("x", 100):      nil,
		"```\n" + long + "word. Word\n```":         nil,
		"    " + long + "word. Word":               nil,
		"| " + long + " | One. Two. |":             nil,
		"| a | " + strings.Repeat("x", 201) + " |": {"1: a cell of 201 characters, at most 200: make it prose below the table"},
		"| a | " + strings.Repeat("x", 100) + ` \| ` + strings.Repeat("x", 99) + " |": {"1: a cell of 202 characters, at most 200: make it prose below the table"},
	} {
		if got := check(text); !slices.Equal(got, want) {
			t.Errorf("check(%q) = %q, want %q", text, got, want)
		}
	}
}
