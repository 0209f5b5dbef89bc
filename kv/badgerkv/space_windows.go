package badgerkv

import "golang.org/x/sys/windows"

func diskSpace(dir string) (space, error) {
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return space{}, err
	}
	var disk space
	err = windows.GetDiskFreeSpaceEx(name, &disk.free, &disk.total, nil)
	return disk, err
}
