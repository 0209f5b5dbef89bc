package calls

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/pawlkv/pawl/internal/parallel"
	"github.com/pawlkv/pawl/internal/secret"
	"github.com/pawlkv/pawl/session"
)

// Version is the version of the form of parameters and results.
const Version = 1

var (
	typeTime     = reflect.TypeFor[time.Time]()
	typeDuration = reflect.TypeFor[time.Duration]()
	typeStamp    = reflect.TypeFor[session.Stamp]()
	typeRaw      = reflect.TypeFor[json.RawMessage]()
	typeBytes    = reflect.TypeFor[[]byte]()
	typeError    = reflect.TypeFor[error]()
	typeGuard    = reflect.TypeFor[secret.Guard]()
)

// encode writes a result, a struct, as the object that callers get.
func encode(result any) []byte {
	b := bytes.NewBufferString(`{"v":1`)
	writeFields(b, reflect.ValueOf(result), true)
	b.WriteByte('}')
	return b.Bytes()
}

// writeFields writes the fields of a struct, those of structs within it that have no
// name as its own, as Go has them.
func writeFields(b *bytes.Buffer, v reflect.Value, comma bool) bool {
	for f, field := range fields(v) {
		if f.Anonymous {
			comma = writeFields(b, field, comma)
			continue
		}
		if comma {
			b.WriteByte(',')
		}
		comma = true
		b.WriteString(strconv.Quote(fieldName(f.Name)) + ":")
		write(b, field)
	}
	return comma
}

// fields yields what of a struct is written.
func fields(v reflect.Value) func(func(reflect.StructField, reflect.Value) bool) {
	return func(yield func(reflect.StructField, reflect.Value) bool) {
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if f.Type == typeGuard || f.Type.Kind() == reflect.Func {
				continue
			}
			if !yield(f, v.Field(i)) {
				return
			}
		}
	}
}

func write(b *bytes.Buffer, v reflect.Value) {
	t := v.Type()
	switch {
	case spoken[t]:
		writeString(b, v.Interface().(fmt.Stringer).String())
	case t == typeTime:
		writeTime(b, v.Interface().(time.Time))
	case t == typeStamp:
		writeTime(b, v.Interface().(session.Stamp).Time())
	case t == typeDuration:
		b.WriteString(strconv.FormatInt(v.Interface().(time.Duration).Milliseconds(), 10))
	case t == typeRaw:
		writeRaw(b, v.Bytes())
	case t == typeBytes:
		writeString(b, base64.RawStdEncoding.EncodeToString(v.Bytes()))
	case t == typeError:
		writeError(b, v)
	default:
		if form, ok := texts[t]; ok {
			writeString(b, form.format(v))
			return
		}
		writeKind(b, v)
	}
}

func writeKind(b *bytes.Buffer, v reflect.Value) {
	switch v.Kind() {
	case reflect.Bool:
		b.WriteString(strconv.FormatBool(v.Bool()))
	case reflect.String:
		writeString(b, v.String())
	case reflect.Int, reflect.Int64:
		b.WriteString(strconv.FormatInt(v.Int(), 10))
	case reflect.Uint32, reflect.Uint64:
		b.WriteString(strconv.FormatUint(v.Uint(), 10))
	case reflect.Pointer:
		if v.IsNil() {
			b.WriteString("null")
			return
		}
		write(b, v.Elem())
	case reflect.Struct:
		b.WriteByte('{')
		writeFields(b, v, false)
		b.WriteByte('}')
	case reflect.Slice:
		writeMany(b, '[', ']', v.Len(), func(i int) { write(b, v.Index(i)) })
	case reflect.Map:
		m := v.Interface().(map[string]int)
		names := slices.Sorted(maps.Keys(m))
		writeMany(b, '{', '}', len(names), func(i int) {
			writeString(b, names[i])
			b.WriteString(":" + strconv.Itoa(m[names[i]]))
		})
	default:
		panic("calls: a result has a " + v.Type().String()) // TestFields finds it
	}
}

func writeMany(b *bytes.Buffer, open, end byte, n int, one func(int)) {
	b.WriteByte(open)
	for i := range n {
		parallel.Rest() // a sync has thousands of events
		if i > 0 {
			b.WriteByte(',')
		}
		one(i)
	}
	b.WriteByte(end)
}

func writeString(b *bytes.Buffer, s string) {
	text, _ := json.Marshal(s) // never fails for a string
	b.Write(text)
}

func writeTime(b *bytes.Buffer, t time.Time) {
	if t.IsZero() {
		b.WriteString("null")
		return
	}
	b.WriteString(strconv.FormatInt(t.UnixMilli(), 10))
}

// writeRaw writes JSON as a text: so its bytes stay as they are, and what others wrote
// (of invalid UTF-8, or a thousand arrays deep) keeps no program from reading the rest.
func writeRaw(b *bytes.Buffer, raw []byte) {
	if len(raw) == 0 {
		b.WriteString("null")
		return
	}
	writeString(b, string(raw))
}

func writeError(b *bytes.Buffer, v reflect.Value) {
	if v.IsNil() {
		b.WriteString("null")
		return
	}
	f := failureOf(v.Interface().(error))
	b.WriteByte('{')
	writeFields(b, reflect.ValueOf(f), false)
	b.WriteByte('}')
}

// fieldNames are those that were made, by the names that they have in Go.
var fieldNames sync.Map

// fieldName is a field's name in JSON: UserID is user_id.
func fieldName(name string) string {
	made, known := fieldNames.Load(name)
	if !known {
		made, _ = fieldNames.LoadOrStore(name, makeFieldName(name))
	}
	return made.(string)
}

func makeFieldName(name string) string {
	var b strings.Builder
	letters := []rune(name)
	for i, c := range letters {
		begins := i > 0 && unicode.IsUpper(c) &&
			(!unicode.IsUpper(letters[i-1]) || i+1 < len(letters) && unicode.IsLower(letters[i+1]) && letters[i+1] != 's')
		if begins {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(c))
	}
	return b.String()
}
