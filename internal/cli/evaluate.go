package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"t2sda/datasets"
	"t2sda/export/predict"
	"t2sda/export/score"
	"t2sda/graphs/engine"
)

// engineFlags choose library and device.
type engineFlags struct{ options engine.Options }

func (f *engineFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.options.Library, "library", "", "ONNX Runtime library file (default: discovered)")
	cmd.Flags().StringVar(&f.options.Device, "device", "auto", "cpu, cuda, cuda:N or auto")
	cmd.Flags().IntVar(&f.options.IntraOpThreads, "threads", 0, "threads inside of an operator (0: one per core)")
}

// datasetFlags choose a split of images.
type datasetFlags struct{ options datasets.Options }

func (f *datasetFlags) add(cmd *cobra.Command) {
	o := &f.options
	cmd.Flags().StringVar(&o.Layout, "dataset", "cityscapes", fmt.Sprintf("folder layout, one of %v", datasets.Layouts()))
	cmd.Flags().StringVar(&o.Root, "root", "", "folder of the data set")
	cmd.Flags().StringVar(&o.Split, "split", "val", "split, for layouts that have them")
	cmd.Flags().StringVar(&o.Images, "images", "", "image folder below root in place of the layout's")
	cmd.Flags().StringVar(&o.Labels, "labels", "", "label folder below root in place of the layout's")
	cmd.Flags().StringVar(&o.Map, "map", "", fmt.Sprintf("label map: one of %v or a YAML file (default: the layout's)", datasets.Maps()))
	cmd.Flags().StringVar(&o.List, "list", "", "text file that names the images to use")
	cmd.Flags().StringSliceVar(&o.Include, "include", nil, "glob patterns of file names to use")
	cmd.Flags().StringSliceVar(&o.Exclude, "exclude", nil, "glob patterns of file names to leave out")
	_ = cmd.MarkFlagRequired("root") // fails only for flags that do not exist
}

// evaluation is what the command evaluate is asked for.
type evaluation struct {
	device      engineFlags
	data        datasetFlags
	model, json string
	options     score.Options
}

func evaluateCommand() *cobra.Command {
	var v evaluation
	cmd := &cobra.Command{
		Use:   "evaluate --model M.onnx --root DIR",
		Short: "Score an exported model on a labelled split",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			result, err := v.run(cmd.Context())
			if err != nil {
				return err
			}
			return result.Table(cmd.OutOrStdout(), nil)
		},
	}
	v.device.add(cmd)
	v.data.add(cmd)
	cmd.Flags().StringVar(&v.model, "model", "", "model file")
	cmd.Flags().StringVar(&v.json, "json", "", "write scores and confusion matrix to this file")
	cmd.Flags().IntVar(&v.options.Workers, "workers", 0, "goroutines that decode and score (0: one per core)")
	cmd.Flags().BoolVar(&v.options.KeepGoing, "keep-going", false, "leave out images that cannot be read, and list them")
	_ = cmd.MarkFlagRequired("model") // fails only for flags that do not exist
	return cmd
}

// run scores the model and writes the scores where they are wanted.
func (v *evaluation) run(ctx context.Context) (_ *score.Result, err error) {
	e, err := engine.Open(v.device.options)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	p, err := predict.Open(e, v.model)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	o := &v.data.options
	o.RequireLabels = true
	o.Width, o.Height = p.Metadata().Input.Width, p.Metadata().Input.Height
	d, err := datasets.Open(*o)
	if err != nil {
		return nil, err
	}
	v.options.Name = fmt.Sprintf("%s %s %s", o.Layout, o.Root, o.Split)
	result, err := score.Evaluate(ctx, p, d, v.options)
	if err != nil || v.json == "" {
		return result, err
	}
	return result, result.WriteJSON(v.json)
}
