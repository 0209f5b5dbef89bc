package main

import (
	"os/exec"
	"strings"
	"testing"
)

// TestOneDriver: database/sql panics at the start of a program that links two
// drivers of one name, and both of these call themselves sqlite3.
func TestOneDriver(t *testing.T) {
	for _, tags := range []string{"peers goolm", "peers libolm"} {
		list, err := exec.Command("go", "list", "-deps", "-tags", tags, ".").Output()
		if err != nil {
			t.Fatal(err)
		}
		linked := strings.Fields(string(list))
		drivers := 0
		for _, path := range linked {
			if path == "github.com/mattn/go-sqlite3" || path == "github.com/ncruces/go-sqlite3/driver" {
				drivers++
			}
		}
		if drivers != 1 {
			t.Errorf("the program of %q links %d drivers called sqlite3, want 1", tags, drivers)
		}
	}
}
