package files

import (
	"os"
	"testing"
)

func TestIsAddress(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("file:old.db", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for given, want := range map[string]bool{
		"postgres://h/db": true, "POSTGRES://h/db": true, "mysql://u:p@h/db": true, "etcds://h/n": true, "x+y-z.1://": true,
		"file:new.db": true, "FILE:new.db?mode=memory": true, ":memory:": true,
		"host=h password=p": true, "password = p": true, "DBNAME=d": true,
		"alice.pawl": false, "/srv/alice.pawl": false, `C:\alice.pawl`: false, "C:/alice.pawl": false, "a://b": true, "1://b": false,
		"./mysql://b": false, "ghost=h": false, "a b.db": false, "memory:": false, "": false,
		"file:old.db": false, // made when that was a path
	} {
		if is := IsAddress(given); is != want {
			t.Errorf("IsAddress(%q) = %v, want %v", given, is, want)
		}
	}
}
