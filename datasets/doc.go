// Package datasets brings images and labels from folders to training batches.
//
// A [Dataset] is one split of images in one of the [Layouts]; a [LabelMap]
// takes the ids in its label files to the train ids of a [Space] while they
// are read, so nothing needs converting beforehand. [Dataset.Stats] counts
// pixels per class (in parallel, cached), which rare class sampling builds on.
// A [Loader] makes [Batch]es: it draws files, has source images translated to
// the target's appearance, crops and flips; a [Stream] prefetches batches on
// several goroutines and hands them out in order.
//
// Every draw depends on (seed, iteration, purpose) only, so a batch is the
// same whatever ran before it and however many workers there are.
//
// Layouts, class lists and label maps are data: the YAML files under data/.
package datasets
