"""What follows from labels, as JSON: `python -m calibration --target 0.9`, or with `--csv` the labels on its input.

It reads labels and scorer from MongoDB, and keeps the calibration there for `make apply-calibration`. The module runs
where the job's packages are; the one who calls it writes the files.
"""

import argparse
import csv
import hashlib
import json
import math
import os
import sys
from collections.abc import Mapping
from dataclasses import is_dataclass
from datetime import UTC, datetime
from typing import Any

from cotejo_native import Scorer
from pymongo.errors import PyMongoError

from calibration import findings
from calibration.labels import BadLabelsError, Label, decoded, of_stored, read_csv, write_csv
from calibration.page import page
from calibration.store import Store
from calibration.work import Worked, work
from flink_job.config import Config, InvalidSettingError
from flink_job.fit_scorer import weights_hash


class CannotCalibrateError(Exception):
    """There is nothing to calibrate, or nothing to calibrate it by."""


def calibrate(config: Config, labels: list[Label] | None, target: float, repeated: int = 0) -> dict[str, Any]:
    """Works out what follows from `labels`, or else from those of MongoDB, and keeps it there.

    `repeated` is how many rows of a file were left out.

    Raises
    ------
    CannotCalibrateError
        There are no labels, or no job has run yet.
    """
    with Store(config.mongodb_uri, config.mongodb_database) as store:
        labels = [of_stored(label) for label in store.labels()] if labels is None else labels
        if not labels:
            raise CannotCalibrateError("there are no labels; `make label` makes some, or LABELS=file.csv names them")
        artefact = store.scorer()
        if artefact is None:
            raise CannotCalibrateError("there is no scorer yet; `make up` makes one")
        scorer = Scorer(artefact)
        scores = [scorer.score(label.question, label.references, label.answer) for label in labels]
        worked = work(labels, scores, config.score_threshold, target, repeated)
        calibration = _calibration(worked, json.loads(artefact)["model"], scorer.hash)
        store.save_calibration(calibration)
    return _told(worked, calibration)


def _calibration(worked: Worked, model: Mapping[str, Any], scorer: str) -> dict[str, Any]:
    """What MongoDB keeps: a model, which is today's but for the last step, and where it comes from."""
    changed = {"calibration": worked.refit.step.after(model["calibration"])} if worked.refit.better else {}
    new = {**model, **changed}
    digest = hashlib.sha256(json.dumps(new, sort_keys=True).encode()).hexdigest()
    return {
        "_id": digest[:16],
        "model": new,
        "made_at": datetime.now(UTC),
        "labels": len(worked.labels),
        "note": " ".join(sentence for block in findings.blocks(worked) for sentence in block.sentences),
        "effect": findings.effect(worked),
        "changed": worked.refit.better,
        "from_scorer": scorer,
        "from_model": weights_hash(model),
        "threshold": worked.recommended,
        "target_precision": worked.threshold.target,
    }


def _told(worked: Worked, calibration: Mapping[str, Any]) -> dict[str, Any]:
    made_at = f"{calibration['made_at']:%Y-%m-%d %H:%M} UTC"
    told = {
        **calibration,
        "made_at": calibration["made_at"].isoformat(timespec="seconds"),
        **{name: _plain(getattr(worked, name)) for name in ("today", "refit", "after", "now", "later", "threshold")},
        "recommended": worked.recommended,
    }
    return {
        "summary": findings.summary(worked),
        "blocks": findings.blocks(worked),
        "commands": findings.commands(worked),
        "files": {
            "report.html": page(worked, made_at, calibration["from_scorer"]),
            "labels.csv": write_csv(worked.labels, worked.scores),
            "calibration.json": json.dumps(told, indent=2, ensure_ascii=False) + "\n",
        },
    }


def _plain(value: Any) -> Any:  # noqa: ANN401 - of any shape
    """As JSON has it: what is not a number is null."""
    if is_dataclass(value) and not isinstance(value, type):
        return {name: _plain(field) for name, field in vars(value).items()}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: _plain(field) for name, field in value._asdict().items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def main() -> int:
    """Runs the tool and gives its exit code."""
    parser = argparse.ArgumentParser(prog="calibration", description="Says what follows from labels.")
    parser.add_argument("--target", type=float, default=0.9, help="the share of right ones among accepted answers")
    parser.add_argument("--csv", action="store_true", help="read the labels as CSV from the standard input")
    given = parser.parse_args()
    if not 0 < given.target < 1:
        parser.error(f"--target {given.target:g} is no share; allowed is a number between 0 and 1")
    try:
        labels, repeated = read_csv(decoded(sys.stdin.buffer.read())) if given.csv else (None, 0)
        told = calibrate(Config.from_environment(os.environ), labels, given.target, repeated)
    except (csv.Error, BadLabelsError, CannotCalibrateError, InvalidSettingError, PyMongoError, ValueError) as error:
        print(f"calibrate: {error}", file=sys.stderr)
        return 1
    json.dump(told, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
