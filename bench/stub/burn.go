package stub

import (
	"context"
	"os"
	"time"

	"aclgate/bench/sys"
)

// Burn takes some CPU again and again, as often as a program would that serves requests, until ctx ends.
// It returns an error where the CPU of a process cannot be read.
func Burn(ctx context.Context, every, busy time.Duration) error {
	due := time.NewTicker(every)
	defer due.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-due.C:
		}
		began, err := sys.CPUTime(os.Getpid())
		for now := began; err == nil && now-began < busy; {
			now, err = sys.CPUTime(os.Getpid())
		}
		if err != nil {
			return err
		}
	}
}
