package graphs

// kind says what the reverse sweep does at an operator.
type kind int

const (
	missing           kind = iota // no entry in the table
	hasRule                       // apply the rule
	noGradient                    // integer or boolean results and piecewise constant functions: the sweep ends
	notDifferentiable             // an error when the sweep arrives
)

// entry is an operator's line in the rule table.
type entry struct {
	kind kind
	rule func(s *step)
}

// rules has exactly one entry for every operator that builders emit, but for those that only graphs
// of free sizes have, which have no gradients. It is never modified.
var rules = map[string]entry{
	"Abs":                {hasRule, absGrad},
	"Add":                {hasRule, addGrad},
	"ArgMax":             {kind: noGradient},
	"AveragePool":        {hasRule, averagePoolGrad},
	"Cast":               {kind: noGradient},
	"Clip":               {hasRule, clipGrad},
	"Concat":             {hasRule, concatGrad},
	"Conv":               {hasRule, convGrad},
	"ConvTranspose":      {hasRule, convTransposeGrad},
	"Div":                {hasRule, divGrad},
	"Equal":              {kind: noGradient},
	"Erf":                {hasRule, erfGrad},
	"Exp":                {hasRule, expGrad},
	"Expand":             {hasRule, expandGrad},
	"Floor":              {kind: noGradient},
	"FusedMatMul":        {hasRule, fusedMatMulGrad},
	"Gather":             {hasRule, gatherGrad},
	"GatherElements":     {hasRule, gatherElementsGrad},
	"Gelu":               {hasRule, geluGrad},
	"Gemm":               {hasRule, gemmGrad},
	"Greater":            {kind: noGradient},
	"HardSigmoid":        {hasRule, hardSigmoidGrad},
	"Identity":           {hasRule, identityGrad},
	"LayerNormalization": {hasRule, layerNormalizationGrad},
	"Less":               {kind: noGradient},
	"Log":                {hasRule, logGrad},
	"LogSoftmax":         {hasRule, logSoftmaxGrad},
	"MatMul":             {hasRule, matMulGrad},
	"Max":                {hasRule, maxGrad},
	"MaxPool":            {hasRule, maxPoolGrad},
	"Min":                {hasRule, minGrad},
	"Mul":                {hasRule, mulGrad},
	"Neg":                {hasRule, negGrad},
	"Not":                {kind: noGradient},
	"OneHot":             {kind: noGradient},
	"Pad":                {hasRule, padGrad},
	"Reciprocal":         {hasRule, reciprocalGrad},
	"ReduceMax":          {hasRule, reduceMaxGrad},
	"ReduceMean":         {hasRule, reduceMeanGrad},
	"ReduceSum":          {hasRule, reduceSumGrad},
	"Relu":               {hasRule, reluGrad},
	"Reshape":            {hasRule, reshapeGrad},
	"Resize":             {hasRule, resizeGrad},
	"ScatterElements":    {hasRule, scatterElementsGrad},
	"ScatterND":          {kind: notDifferentiable},
	"Sigmoid":            {hasRule, sigmoidGrad},
	"Sign":               {kind: noGradient},
	"Slice":              {hasRule, sliceGrad},
	"Softmax":            {hasRule, softmaxGrad},
	"Split":              {hasRule, splitGrad},
	"Sqrt":               {hasRule, sqrtGrad},
	"Sub":                {hasRule, subGrad},
	"Tanh":               {hasRule, tanhGrad},
	"Transpose":          {hasRule, transposeGrad},
	"Where":              {hasRule, whereGrad},
}

// Differentiable reports whether the operator has a gradient rule.
func Differentiable(op string) bool { return rules[op].kind == hasRule }
