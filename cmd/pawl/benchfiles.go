package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/pawlkv/pawl/bench/report"
	benchresult "github.com/pawlkv/pawl/bench/result"
)

// saveResult writes the result first: all else can be drawn from it again.
func saveResult(folder string, r benchresult.Result) error {
	err := saveFile(filepath.Join(folder, resultFile), r, report.Write)
	if err != nil {
		return err
	}
	return saveFile(filepath.Join(folder, pageFile), r, report.WriteHTML)
}

func saveFile(path string, r benchresult.Result, write func(io.Writer, benchresult.Result) error) (err error) {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() {
		if closed := file.Close(); err == nil {
			err = closed
		}
	}()
	return write(file, r)
}

// loadResult reads what saveResult wrote: the file, or the directory it is in.
func loadResult(path string) (benchresult.Result, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, resultFile)
	}
	file, err := os.Open(path)
	if err != nil {
		return benchresult.Result{}, err
	}
	defer file.Close()
	r, err := report.Read(file)
	if err != nil {
		return benchresult.Result{}, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}
