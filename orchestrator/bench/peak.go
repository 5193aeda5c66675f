package bench

import (
	"strconv"
	"strings"
	"sync"
	"time"

	"t2sda/internal/nvidia"
)

// peak watches how much of a GPU's memory is in use.
type peak struct {
	once    sync.Once
	end     chan struct{}
	done    chan struct{}
	highest int64 // bytes beyond those at the beginning
}

// watch begins; a device that is no GPU, or tells nothing, is not watched.
func watch(device string) *peak {
	p := &peak{end: make(chan struct{}), done: make(chan struct{})}
	meter := meterOf(device)
	if meter == nil {
		close(p.done)
		return p
	}
	before, err := meter.Used()
	if err != nil {
		meter.Close()
		close(p.done)
		return p
	}
	go func() {
		defer close(p.done)
		defer meter.Close()
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-p.end:
				return
			case <-tick.C:
				if used, err := meter.Used(); err == nil {
					p.highest = max(p.highest, used-before)
				}
			}
		}
	}()
	return p
}

// meterOf returns nil where there is none.
func meterOf(device string) *nvidia.Meter {
	if device == "cpu" {
		return nil
	}
	_, number, _ := strings.Cut(device, ":")
	ordinal, _ := strconv.Atoi(number) // none is the first
	driver, err := nvidia.Look()
	if err != nil || ordinal >= len(driver.GPUs) {
		return nil
	}
	m, err := nvidia.OpenMeter(driver.GPUs[ordinal])
	if err != nil {
		return nil
	}
	return m
}

// stop ends the watch, and returns the most in MiB.
func (p *peak) stop() float64 {
	if p == nil {
		return 0
	}
	p.once.Do(func() { close(p.end) })
	<-p.done
	return float64(p.highest) / (1 << 20)
}
