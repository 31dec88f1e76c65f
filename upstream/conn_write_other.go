//go:build unix && !linux

package upstream

import "syscall"

// write writes as much as the socket takes of the first piece that is left.
func (p *pieces) write(fd int) (int, error) {
	for _, piece := range p {
		if len(piece) > 0 {
			return syscall.Write(fd, piece)
		}
	}
	return 0, nil
}
