//go:build !linux

package etcdtest

import "os/exec"

func start(cmd *exec.Cmd) error { return cmd.Start() }
