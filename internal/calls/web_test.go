package calls

import (
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// What the module for JavaScript has of the calls: a table that it makes methods of, and
// their types.
const (
	webTable = "../../web/calls.js"
	webTypes = "../../web/calls.d.ts"
)

// TestWeb: the module for JavaScript has every call, and no other, with these types.
func TestWeb(t *testing.T) {
	for file, want := range map[string]string{webTable: tableForWeb(), webTypes: typesForWeb()} {
		if *update {
			if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		has, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if string(has) != want {
			t.Errorf("%s is not what the calls are: if that was meant, and adds only, run this test with -update", file)
		}
	}
}

func tableForWeb() string {
	var b strings.Builder
	b.WriteString("// Made by internal/calls (go test ./internal/calls -run TestWeb -update): do not edit.\n")
	for _, part := range []struct {
		name string
		of   map[string]call
	}{{"storeCalls", onStore}, {"machineCalls", onMachine}, {"machineStreams", streamsAsCalls()}} {
		fmt.Fprintf(&b, "\nexport const %s = {\n", part.name)
		for _, name := range slices.Sorted(maps.Keys(part.of)) {
			c := part.of[name]
			bytes, names := placesOf(c.result)
			fmt.Fprintf(&b, "\t%s: { name: %q, params: %v, body: %v, machine: %v, bytes: %s, names: %s },\n",
				webName(name), name, c.params.NumField() > 0, c.body != "", opensMachine(c), listed(bytes), listed(names))
		}
		b.WriteString("};\n")
	}
	return b.String()
}

func streamsAsCalls() map[string]call {
	all := map[string]call{}
	for name, s := range onStreams {
		all[name] = call{method: s.method, params: s.params, result: s.result}
	}
	return all
}

func opensMachine(c call) bool { return c.result == reflect.TypeFor[machineResult]() }

func listed(all []string) string {
	if len(all) == 0 {
		return "[]"
	}
	return `["` + strings.Join(all, `", "`) + `"]`
}

// placesOf are where a result has bytes, and objects whose members are no fields.
func placesOf(t reflect.Type) (bytes, names []string) {
	var walk func(t reflect.Type, place string)
	walk = func(t reflect.Type, place string) {
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		switch is := fieldIs(t); {
		case t == typeBytes:
			bytes = append(bytes, place)
		case is == "an object of numbers":
			names = append(names, place)
		case is != "":
		case t.Kind() == reflect.Slice:
			walk(t.Elem(), place+"[]")
		default:
			for f := range fields(reflect.Zero(t)) {
				inner := fieldName(f.Name)
				if f.Anonymous {
					inner = place
				} else if place != "" {
					inner = place + "." + inner
				}
				walk(f.Type, inner)
			}
		}
	}
	walk(t, "")
	return bytes, names
}

// webName is a name as JavaScript has it.
func webName(name string) string {
	parts := strings.Split(name, "_")
	for i, part := range parts[1:] {
		if part != "" {
			parts[i+1] = strings.ToUpper(part[:1]) + part[1:]
		}
	}
	return strings.Join(parts, "")
}

func typesForWeb() string {
	var b strings.Builder
	b.WriteString("// Made by internal/calls (go test ./internal/calls -run TestWeb -update): do not edit.\n\n")
	b.WriteString("import type { Bytes, CallFailure, CallOptions, Machine } from \"./pawl.js\";\n\n")
	b.WriteString("/** The codes of errors that calls have; docs/errors.md says what each means. */\nexport type CallCode =\n")
	for _, c := range Codes() {
		fmt.Fprintf(&b, "\t| %q\n", c.Name)
	}
	b.WriteString("\t;\n")
	webCalls(&b, "StoreCalls", onStore, false)
	webCalls(&b, "MachineCalls", onMachine, false)
	webCalls(&b, "MachineStreams", streamsAsCalls(), true)
	return b.String()
}

func webCalls(b *strings.Builder, of string, all map[string]call, streams bool) {
	var methods strings.Builder
	for _, name := range slices.Sorted(maps.Keys(all)) {
		c := all[name]
		title := strings.ToUpper(name[:1]) + webName(name)[1:]
		var args []string
		if c.params.NumField() > 0 {
			fmt.Fprintf(b, "\nexport interface %sParams %s\n", title, webType(c.params, true, ""))
			args = append(args, "params: "+title+"Params")
		} else if streams {
			args = append(args, "params?: {}")
		}
		if c.body != "" {
			args = append(args, "body: Bytes")
		}
		made := "void"
		switch {
		case opensMachine(c):
			made = "Machine"
		case c.result.NumField() > 0:
			fmt.Fprintf(b, "\nexport interface %sResult %s\n", title, webType(c.result, false, ""))
			made = title + "Result"
		}
		if c.body != "" {
			fmt.Fprintf(&methods, "\t/** body: %s. */\n", c.body)
		}
		how := "Promise"
		if streams {
			how = "AsyncIterableIterator"
		}
		fmt.Fprintf(&methods, "\t%s(%s): %s<%s>;\n", webName(name), strings.Join(append(args, "options?: CallOptions"), ", "), how, made)
	}
	fmt.Fprintf(b, "\nexport interface %s {\n%s}\n", of, methods.String())
}

// webType is the type of a field: given fields may be left out.
func webType(t reflect.Type, given bool, in string) string {
	switch form, text := texts[t]; {
	case t.Kind() == reflect.Pointer:
		return webType(t.Elem(), given, in) + " | null"
	case text && strings.HasPrefix(form.is, "one of "):
		return `"` + strings.Join(strings.Split(strings.TrimPrefix(form.is, "one of "), ", "), `" | "`) + `" | ""`
	case text, spoken[t]:
		return "string"
	case t == typeTime, t == typeStamp:
		return "number | null"
	case t == typeRaw:
		return "string | null"
	case t == typeBytes:
		return "Uint8Array"
	case t == typeError:
		return "CallFailure | null"
	case t == reflect.TypeFor[map[string]int]():
		return "Record<string, number>"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "boolean"
	case reflect.String:
		return "string"
	case reflect.Slice:
		return "Array<" + webType(t.Elem(), given, in) + ">"
	case reflect.Struct:
		return "{\n" + webFields(t, given, in+"\t") + in + "}"
	}
	return "number"
}

func webFields(t reflect.Type, given bool, in string) string {
	var b strings.Builder
	mark := ""
	if given {
		mark = "?"
	}
	for f := range fields(reflect.Zero(t)) {
		if f.Anonymous {
			b.WriteString(webFields(f.Type, given, in))
			continue
		}
		fmt.Fprintf(&b, "%s%s%s: %s;\n", in, webName(fieldName(f.Name)), mark, webType(f.Type, given, in))
	}
	return b.String()
}
