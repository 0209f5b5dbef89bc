package report

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/pawlkv/pawl/bench/result"
)

// quiet is what the noise of a machine may be before the report warns of it.
const quiet = 0.10

// circumstances are what the figures depend on, a line each.
func circumstances(r result.Result) []string {
	m := r.Machine
	lines := []string{
		fmt.Sprintf("pawl %s, %s, %s; seed %d.", cmp.Or(r.Pawl, "of unknown version"), r.Started.UTC().Format("2 January 2006 15:04 MST"), took(r), r.Seed),
		strings.Join(present(fmt.Sprintf("%s/%s", m.OS, m.Arch), m.Kernel, m.CPU, fmt.Sprintf("%d cores", m.Cores), memoryText(m.Memory), onText(m.FileSystem)), ", ") + ".",
	}
	lines = append(lines, noiseText(m))
	if len(r.Versions) > 0 {
		var names []string
		for _, v := range r.Versions {
			names = append(names, v.Name+" "+v.Version)
		}
		lines = append(lines, "Versions: "+strings.Join(names, ", ")+".")
	}
	return lines
}

func took(r result.Result) string {
	s := "it took " + time.Duration(r.Took).Round(time.Second).String()
	if r.Quick {
		return s + ", quick"
	}
	return s
}

func memoryText(n int64) string {
	if n <= 0 {
		return ""
	}
	return bytesText(n) + " of memory"
}

func onText(fs string) string {
	if fs == "" {
		return ""
	}
	return "stores on " + fs
}

func noiseText(m result.Machine) string {
	s := fmt.Sprintf("Noise: a fixed computation varied by %.0f%%, a fixed append and sync by %.0f%%; load %.1f before, %.1f after.",
		100*m.Noise.CPU, 100*m.Noise.Sync, m.Noise.LoadBefore, m.Noise.LoadAfter)
	if max(m.Noise.CPU, m.Noise.Sync) > quiet {
		s += " The machine was not quiet: trust the ratios, which were taken in turn, before the times."
	}
	return s
}

// warnings are what a reader must know before the figures.
func warnings(r result.Result) []string {
	var w []string
	if memoryBacked(r.Machine.FileSystem) {
		w = append(w, "The stores were on "+r.Machine.FileSystem+", which is memory: nothing was durable, and sync calls cost next to nothing. Give --dir a directory on a disk.")
	}
	if r.Quick {
		w = append(w, "This was a quick run: few repetitions, small stores. Its figures are not to be quoted, and a small difference may point the wrong way: lines over sizes and processes are not drawn.")
	}
	return w
}

func memoryBacked(fs string) bool { return fs == "tmpfs" || fs == "ramfs" }
