//go:build !linux

package measure

import "time"

// HasThreadTime says whether TimeOnCPU is more than Time here.
const HasThreadTime = false

func threadTime() time.Duration { return 0 }
