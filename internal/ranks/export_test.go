package ranks

// ByNode lets tests ask without ranks.
var ByNode = byNode
