package calls

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// ErrParams: the parameters are not such as the call has. Nothing was done.
var ErrParams = errors.New("parameters")

// wrong says where in the parameters something is wrong, and never what was there.
func wrong(path, format string, args ...any) error {
	if path != "" {
		path = " " + path
	}
	return fmt.Errorf("%w:%s %s", ErrParams, path, fmt.Sprintf(format, args...))
}

// decode reads the parameters of a call, an object, into a struct. None at all are
// those of version 1 in which every field is left out.
func decode(params []byte, into any) error {
	if len(params) == 0 {
		return nil
	}
	if !utf8.Valid(params) {
		return wrong("", "are not UTF-8")
	}
	members, err := object(params, "")
	if err != nil {
		return err
	}
	var version int64
	raw, ok := members["v"]
	if !ok {
		return wrong("v", `is missing: say "v": %d`, Version)
	}
	if json.Unmarshal(raw, &version) != nil || version != Version {
		return wrong("v", "is not %d: this library knows no other", Version)
	}
	delete(members, "v")
	return readMembers(members, reflect.ValueOf(into).Elem(), "")
}

func object(raw []byte, path string) (map[string]json.RawMessage, error) {
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil || members == nil {
		return nil, wrong(path, "must be an object of JSON")
	}
	return members, nil
}

func readMembers(members map[string]json.RawMessage, v reflect.Value, path string) error {
	if err := readFields(members, v, path); err != nil {
		return err
	}
	for name := range members {
		if len(name) > 40 {
			name = name[:40]
		}
		return wrong(path, "have no member %q", name)
	}
	return nil
}

// readFields takes the members that are fields of a struct.
func readFields(members map[string]json.RawMessage, v reflect.Value, path string) error {
	for f, field := range fields(v) {
		if f.Anonymous {
			if err := readFields(members, field, path); err != nil {
				return err
			}
			continue
		}
		name := fieldName(f.Name)
		raw, ok := members[name]
		delete(members, name)
		if !ok || string(raw) == "null" {
			continue
		}
		if path != "" {
			name = path + "." + name
		}
		if err := read(raw, field, name); err != nil {
			return err
		}
	}
	return nil
}

func read(raw json.RawMessage, v reflect.Value, path string) error {
	t := v.Type()
	switch {
	case t == typeTime:
		ms, err := number(raw, path)
		v.Set(reflect.ValueOf(time.UnixMilli(ms)))
		return err
	case t == typeDuration:
		ms, err := number(raw, path)
		if ms < 0 || ms > int64(1<<63-1)/int64(time.Millisecond) {
			return wrong(path, "is no time that anything can last")
		}
		v.SetInt(ms * int64(time.Millisecond))
		return err
	case t == typeRaw:
		s, err := str(raw, path)
		v.SetBytes([]byte(s))
		return err
	case t == typeBytes:
		return readBytes(raw, v, path)
	}
	if form, ok := texts[t]; ok {
		s, err := str(raw, path)
		if err != nil {
			return err
		}
		value, err := form.parse(s)
		if err != nil {
			return wrong(path, "must be %s, and %v", form.is, err)
		}
		v.Set(value)
		return nil
	}
	return readKind(raw, v, path)
}

func readKind(raw json.RawMessage, v reflect.Value, path string) error {
	switch v.Kind() {
	case reflect.Bool:
		if s := string(raw); s != "true" && s != "false" {
			return wrong(path, "must be true or false")
		}
		v.SetBool(string(raw) == "true")
	case reflect.String:
		s, err := str(raw, path)
		if err != nil {
			return err
		}
		v.SetString(s)
	case reflect.Int, reflect.Int64, reflect.Uint32, reflect.Uint64:
		return readNumber(raw, v, path)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return read(raw, v.Elem(), path)
	case reflect.Struct:
		members, err := object(raw, path)
		if err != nil {
			return err
		}
		return readMembers(members, v, path)
	case reflect.Slice:
		return readMany(raw, v, path)
	default:
		panic("calls: parameters have a " + v.Type().String()) // TestFields finds it
	}
	return nil
}

func readMany(raw json.RawMessage, v reflect.Value, path string) error {
	var all []json.RawMessage
	if json.Unmarshal(raw, &all) != nil {
		return wrong(path, "must be an array")
	}
	v.Set(reflect.MakeSlice(v.Type(), len(all), len(all)))
	for i, one := range all {
		if err := read(one, v.Index(i), path+"["+strconv.Itoa(i)+"]"); err != nil {
			return err
		}
	}
	return nil
}

func str(raw json.RawMessage, path string) (s string, err error) {
	if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
		return "", wrong(path, "must be a string")
	}
	if halved(raw) {
		return "", wrong(path, "has half of a pair of surrogates")
	}
	return s, nil
}

// halved reports whether a string of JSON has half of a pair of surrogates, which some
// languages have in their texts: Go takes each for the same sign, and so would make one
// text of two.
func halved(raw []byte) bool {
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		if first := escaped(raw[i:]); utf16.IsSurrogate(first) {
			if utf16.DecodeRune(first, escaped(raw[i+escapeLength:])) == utf8.RuneError {
				return true
			}
			i += 2*escapeLength - 1
			continue
		}
		i++ // what is escaped may be a backslash
	}
	return false
}

// escapeLength is the length of an escape like \u00e9.
const escapeLength = len(`\u00e9`)

// escaped is what the escape \u at the beginning of a part of a string says, 0 where
// there is none.
func escaped(raw []byte) rune {
	if !bytes.HasPrefix(raw, []byte(`\u`)) {
		return 0
	}
	n, err := strconv.ParseUint(string(raw[2:escapeLength]), 16, 16)
	if err != nil {
		return 0
	}
	return rune(n)
}

func number(raw json.RawMessage, path string) (int64, error) {
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil {
		return 0, wrong(path, "must be a whole number")
	}
	return n, nil
}

func readNumber(raw json.RawMessage, v reflect.Value, path string) error {
	if v.CanInt() {
		n, err := number(raw, path)
		if err != nil || v.OverflowInt(n) {
			return wrong(path, "must be a whole number")
		}
		v.SetInt(n)
		return nil
	}
	n, err := strconv.ParseUint(string(raw), 10, 64)
	if err != nil || v.OverflowUint(n) {
		return wrong(path, "must be a whole number from 0 on")
	}
	v.SetUint(n)
	return nil
}

// readBytes takes base64 with and without padding, as Matrix has both.
func readBytes(raw json.RawMessage, v reflect.Value, path string) error {
	s, err := str(raw, path)
	if err != nil {
		return err
	}
	b, err := base64.RawStdEncoding.DecodeString(string(bytes.TrimRight([]byte(s), "=")))
	if err != nil {
		return wrong(path, "must be base64")
	}
	if b == nil {
		b = []byte{}
	}
	v.SetBytes(b)
	return nil
}
