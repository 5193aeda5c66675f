package cli

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"t2sda/graphs/weights"
)

func weightsCommand() *cobra.Command {
	return group("weights", "Fetch files of weights, look at them, import and export them",
		weightsListCommand(), weightsFetchCommand(), weightsShowCommand(), weightsImportCommand(), weightsExportCommand())
}

// weightsFiles says what files of weights are read.
const weightsFiles = `
Files are safetensors (one, or several with model.safetensors.index.json), PyTorch's
.pth, .pt and .bin, new and old (a pickle is read as data, nothing in it is run), and
ONNX models, whose initialisers are meant. A folder stands for the model that it
holds under Hugging Face's names.`

// elements writes a number of elements for people.
func elements(n int) string {
	switch {
	case n >= 1_000_000:
		return fmt.Sprintf("%.1f M", float64(n)/1e6)
	case n >= 10_000:
		return fmt.Sprintf("%.0f k", float64(n)/1e3)
	}
	return strconv.Itoa(n)
}

// totalSize is the number of elements of all tensors.
func totalSize(infos []weights.Info) int {
	n := 0
	for _, t := range infos {
		n += t.Size()
	}
	return n
}
