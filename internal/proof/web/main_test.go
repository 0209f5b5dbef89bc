package web

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) { os.Exit(WithBuilds(m)) }
