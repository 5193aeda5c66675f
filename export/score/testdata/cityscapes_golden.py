"""Writes cityscapes_golden.json: a confusion matrix over the raw Cityscapes ids
and the scores that the official package gives it.

Made once with cityscapesScripts 2.3.0 (pip install cityscapesscripts); the Go
tests read the JSON only. Run: python cityscapes_golden.py > cityscapes_golden.json
"""
import json
import math
import sys

import numpy as np
from cityscapesscripts.evaluation import evalPixelLevelSemanticLabeling as cs
from cityscapesscripts.helpers.labels import labels

args = cs.args
matrix = cs.generateMatrix(args)
rng = np.random.default_rng(19)
n = len(matrix)
matrix[:] = rng.integers(0, 50, (n, n)) * (rng.random((n, n)) < 0.3)
matrix[np.arange(n), np.arange(n)] = rng.integers(0, 5000, n)
matrix[31, :] = 0  # train: labelled nowhere, predicted in places
matrix[32, :] = 0  # motorcycle: neither labelled
matrix[:, 32] = 0  # nor predicted, so its IoU is nan


def clean(v):
    return None if math.isnan(v) else v


evaluated = [l for l in labels if l.id >= 0 and not l.ignoreInEval]
classes = {l.name: cs.getIouScoreForLabel(l.id, matrix, args) for l in evaluated}
names = list(dict.fromkeys(l.category for l in evaluated))
categories = {c: cs.getIouScoreForCategory(c, matrix, args) for c in names}
json.dump(
    {
        "matrix": [[int(v) for v in row] for row in matrix],
        "ids": [l.id for l in evaluated],
        "categoryOf": [names.index(l.category) for l in evaluated],
        "classes": [{"name": k, "iou": clean(v)} for k, v in classes.items()],
        "categories": [{"name": k, "iou": clean(v)} for k, v in categories.items()],
        "meanClasses": cs.getScoreAverage(classes, args),
        "meanCategories": cs.getScoreAverage(categories, args),
    },
    sys.stdout,
)
