package realpath

import "t2sda/internal/inode"

// Spared is what nothing may be written into or over.
type Spared struct {
	Folders []string // and files, results of [Of]
	Files   inode.Set
}

// Meets returns which of them would be written into or over by writing to a name: a folder, or the
// name of a file that it is another name of; both are empty for none.
func (s *Spared) Meets(name string) (folder, file string, err error) {
	real, err := Of(name)
	if err != nil {
		return "", "", err
	}
	for _, f := range s.Folders {
		if Within(real, f) {
			return f, "", nil
		}
	}
	file, _ = s.Files.Find(name)
	return "", file, nil
}
