package memory_test

import (
	"testing"

	"aclgate/policy/store"
	"aclgate/policy/store/enginetest"
	"aclgate/policy/store/memory"
)

func TestEngine(t *testing.T) {
	enginetest.Run(t, func(*testing.T) store.Engine { return memory.New() })
}
