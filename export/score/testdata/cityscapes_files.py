"""Writes cityscapes_files.json: what the official package says about label files
and predictions, at full precision and as it prints it.

The label files are made from a formula that the Go test repeats: three images of
two cities, 48×32 raw label ids, void and ignored classes among them, and
predictions of raw ids that are wrong in places, once an ignored id. Made once with
cityscapesScripts 2.3.0; the Go tests read the JSON only.
Run: python cityscapes_files.py > cityscapes_files.json
"""
import contextlib
import io
import json
import math
import os
import sys
import tempfile

import numpy as np
from PIL import Image

W, H = 48, 32
IMAGES = ["frankfurt_000000_000294", "frankfurt_000001_000019", "lindau_000000_000019"]


def ids(k):
    """Truth and prediction of image k; y//4 and x//6 make blocks."""
    y, x = np.mgrid[0:H, 0:W]
    truth = ((x // 6) * 7 + (y // 4) * 5 + 11 * k) % 34
    prediction = np.where((x * x + 3 * y + k) % 11 < 3, (truth + 1 + (x + y) % 3) % 34, truth)
    prediction = np.where(prediction == 31, 28, prediction)  # no train is ever predicted
    return truth.astype(np.uint8), prediction.astype(np.uint8)


root = tempfile.mkdtemp()
os.environ["CITYSCAPES_DATASET"] = root
os.environ["CITYSCAPES_RESULTS"] = os.path.join(root, "results")
os.makedirs(os.path.join(root, "results"))
for k, name in enumerate(IMAGES):
    city = os.path.join(root, "gtFine", "val", name.split("_")[0])
    os.makedirs(city, exist_ok=True)
    truth, prediction = ids(k)
    Image.fromarray(truth).save(os.path.join(city, name + "_gtFine_labelIds.png"))
    Image.fromarray(prediction).save(os.path.join(root, "results", name + "_pred.png"))

from cityscapesscripts.evaluation import evalPixelLevelSemanticLabeling as cs

cs.args.evalInstLevelScore = False
cs.args.evalPixelAccuracy = False
cs.args.JSONOutput = False
cs.args.quiet = False
cs.args.colorized = False
cs.args.bold = cs.args.nocol = ""
cs.args.predictionPath = os.path.join(root, "results")
truths = sorted(
    os.path.join(d, f) for d, _, files in os.walk(os.path.join(root, "gtFine")) for f in files
)
predictions = [cs.getPrediction(cs.args, t) for t in truths]
printed = io.StringIO()
with contextlib.redirect_stdout(printed):
    results = cs.evaluateImgLists(predictions, truths, cs.args)


def clean(v):
    return None if isinstance(v, float) and math.isnan(v) else v


json.dump(
    {
        "images": IMAGES,
        "classes": {k: clean(v) for k, v in results["classScores"].items()},
        "categories": {k: clean(v) for k, v in results["categoryScores"].items()},
        "meanClasses": results["averageScoreClasses"],
        "meanCategories": results["averageScoreCategories"],
        "printed": [l.split()[:-1] for l in printed.getvalue().splitlines() if " : " in l],  # less nIoU
    },
    sys.stdout,
    indent=1,
)
