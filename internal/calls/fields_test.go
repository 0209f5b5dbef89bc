package calls

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the list of fields as the code has it")

// listFile is the list of all fields, for who writes a program.
const listFile = "../../docs/calls.txt"

// TestFields: the list has all fields of all calls, and nothing else. A line that is
// taken away, or changed, breaks programs.
func TestFields(t *testing.T) {
	var b strings.Builder
	b.WriteString("# The calls of Pawl for other languages, with every field; see c-library.md.\n")
	b.WriteString("# \"is\": in results only; \"takes\": what goes beside the parameters, as bytes.\n")
	listCall(&b, "open", call{params: reflect.TypeFor[openParams](), result: reflect.TypeFor[openResult](), body: "the key or passphrase"}, "the library")
	for _, name := range slices.Sorted(maps.Keys(onStore)) {
		listCall(&b, name, onStore[name], "a store")
	}
	for _, name := range slices.Sorted(maps.Keys(onMachine)) {
		listCall(&b, name, onMachine[name], "a machine")
	}
	for _, name := range slices.Sorted(maps.Keys(onStreams)) {
		s := onStreams[name]
		listCall(&b, name, call{method: s.method, params: s.params, result: s.result}, "a machine, a stream")
	}
	fmt.Fprintf(&b, "\nevery error\n")
	listFields(&b, "is", reflect.TypeFor[failure]())
	if *update {
		if err := os.WriteFile(listFile, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	has, err := os.ReadFile(listFile)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(b.String(), "\n")
	for i, line := range strings.Split(string(has), "\n") {
		if i >= len(want) || line != want[i] {
			t.Fatalf("%s, line %d is %q: it is not what the code has; if that was meant, and adds only, run this test with -update", listFile, i+1, line)
		}
	}
	if string(has) != b.String() {
		t.Fatalf("%s lacks the last lines: run this test with -update", listFile)
	}
}

func listCall(b *strings.Builder, name string, c call, on string) {
	fmt.Fprintf(b, "\n%s: on %s", name, on)
	if c.method != "" {
		fmt.Fprintf(b, ", %s", c.method)
	}
	b.WriteByte('\n')
	listFields(b, "param", c.params)
	if c.body != "" {
		fmt.Fprintf(b, "  takes  %s\n", c.body)
	}
	listFields(b, "is", c.result)
}

func listFields(b *strings.Builder, what string, t reflect.Type) { listPath(b, what, "", t) }

func listPath(b *strings.Builder, what, path string, t reflect.Type) {
	if is := fieldIs(t); is != "" {
		fmt.Fprintf(b, "  %-6s %s: %s\n", what, path, is)
		return
	}
	switch t.Kind() {
	case reflect.Pointer:
		if is := fieldIs(t.Elem()); is != "" {
			fmt.Fprintf(b, "  %-6s %s: %s, or null\n", what, path, is)
			return
		}
		listPath(b, what, path+"?", t.Elem())
	case reflect.Slice:
		listPath(b, what, path+"[]", t.Elem())
	case reflect.Struct:
		for f := range fields(reflect.Zero(t)) {
			switch {
			case f.Anonymous:
				listPath(b, what, path, f.Type)
			case path == "":
				listPath(b, what, fieldName(f.Name), f.Type)
			default:
				listPath(b, what, path+"."+fieldName(f.Name), f.Type)
			}
		}
	default:
		panic(fmt.Sprintf("%s is a %v, which has no form", path, t))
	}
}

// fieldIs says what a field of a type is, "" of one that has others.
func fieldIs(t reflect.Type) string {
	if form, ok := texts[t]; ok {
		return form.is
	}
	switch {
	case spoken[t]:
		return "words for people"
	case t == typeTime, t == typeStamp:
		return "milliseconds since 1970, or null"
	case t == typeDuration:
		return "milliseconds"
	case t == typeRaw:
		return "JSON, as a text"
	case t == typeBytes:
		return "bytes in base64"
	case t == typeError:
		return "an error, or null"
	case t == reflect.TypeFor[map[string]int]():
		return "an object of numbers"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "text"
	case reflect.Int, reflect.Int64, reflect.Uint32, reflect.Uint64:
		return "a whole number"
	}
	return ""
}
