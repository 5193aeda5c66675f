package export

import "t2sda/export/predict"

// RunTrained is what the external tests compare exported models with.
var RunTrained = runTrained

// MetadataOf is what Build writes into a model of these options.
func MetadataOf(o ModelOptions) predict.Metadata { return o.withDefaults().metadata() }
