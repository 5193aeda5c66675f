package orchestrator

import (
	"fmt"

	"go.uber.org/zap"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/internal/atomicfile"
)

// statsFolder returns the folder that keeps class statistics and models of
// cameras between runs: the configured one, which must take files, or the user's
// cache. A run that finds none makes them each time; empty: nowhere.
func statsFolder(cfg configs.Config, log *zap.Logger) (string, error) {
	if !cfg.Data.RCS.Enabled && !usesCamera(cfg) {
		return "", nil
	}
	if dir := cfg.Data.StatsCache; dir != "" {
		if err := atomicfile.TryDir(dir); err != nil {
			return "", fmt.Errorf("data.stats_cache: %w", err)
		}
		tidyUp(log, dir)
		return dir, nil
	}
	dir, err := datasets.StatsCache()
	if err != nil {
		log.Warn(err.Error())
		return "", nil
	}
	tidyUp(log, dir)
	return dir, nil
}

// tidyUp removes what killed processes have left in folders. That some of it stays is no
// reason not to work.
func tidyUp(log *zap.Logger, dirs ...string) {
	if err := atomicfile.RemoveLeftovers(dirs...); err != nil {
		log.Warn(err.Error())
	}
}

// unkept tells, once, that what was made for this run will be made again for the
// next.
func (d *data) unkept(log *zap.Logger, err error) {
	if err != nil {
		d.told.Do(func() { log.Warn(err.Error() + " (data.stats_cache names another folder)") })
	}
}
