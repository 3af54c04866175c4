"""EvalGuard's scorer calibration: a scorer's agreement with people, from submitted pairs or stored feedback."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import Struct, structs

from feedback.configs.kind_lookup import UNKNOWN, kinds
from feedback.configs.kinds import NEGATIVE, KeyKind, SeenScores, find_kind
from feedback.database import Connection
from feedback.errors import Invalid
from feedback.projects.scoped_database import ProjectDatabase
from feedback.reports.agreement import Agreement, Threshold, agreement, best_threshold, compute_at_threshold
from feedback.validation import MAX_KEY, check_name, check_number

MAX_PAIRS = 100_000
STORED = """SELECT run_id, source = 'model' AS is_model, AVG(number) AS score FROM feedback
WHERE project = :project AND run_id IS NOT NULL AND number IS NOT NULL
AND ((source = 'model' AND key = :scorer) OR (source <> 'model' AND key = :human))
GROUP BY run_id, source = 'model' ORDER BY run_id LIMIT :limit"""


class Direction(Struct, frozen=True):
    """The score at which a scorer's verdict becomes positive, and the positive side."""

    middle: float = 0.5
    is_lower_better: bool = False


UP = Direction()


class Pair(Struct):
    """A person's and a scorer's verdict on the same output."""

    human: bool
    machine: bool


class Scored(Struct):
    """A person's verdict and a scorer's score on the same output."""

    humanPass: bool
    machineScore: float


class Calibration(Struct, omit_defaults=True):
    """The body of a calibration request.

    Without `pairs` and `scored`, it compares stored feedback: each run's scores with the feedback key `scorerId` and
    the source `model`, and people's with the feedback key `humanKey` (by default the same).
    """

    pairs: list[Pair] | None = None
    scored: list[Scored] | None = None
    projectId: str | None = None
    scorerId: str | None = None
    humanKey: str | None = None
    currentThreshold: float | None = None


class Thresholds(Struct):
    """The current threshold (if given) and the best one, and the side of a threshold on which scores pass."""

    current: Threshold | None
    best: Threshold
    passes: Literal["at_or_above", "at_or_below"] = "at_or_above"


class ThresholdSummary(Struct):
    """The best threshold, and its kappa and gain over the current one, as EvalGuard's TypeScript client declares it."""

    best: float
    agreementAtBest: float | None
    improvement: float | None


class Calibrated(Struct):
    """The scorer's agreement with people. The thresholds are null if the input has verdicts but no scores."""

    scorerId: str | None
    n: int
    agreement: Agreement
    thresholds: Thresholds | None
    threshold: ThresholdSummary | None = None


class Scorers:
    """Calibrates the scorers of one project."""

    def __init__(self, database: ProjectDatabase) -> None:
        self._database = database

    async def calibrate(self, request: Calibration) -> Calibrated:
        """Return the agreement, and the best threshold if there are scores. Errors: `Invalid`."""
        if len(request.pairs or ()) + len(request.scored or ()) > MAX_PAIRS:
            raise Invalid(f"At most {MAX_PAIRS:,} pairs are compared at once")
        scored = [(one.humanPass, _check_finite("machineScore", one.machineScore)) for one in request.scored or ()]
        pairs = [(one.human, one.machine) for one in request.pairs or ()]
        way = UP
        if not pairs and not scored:
            scored, way = await self._load_stored(request)
        if request.currentThreshold is not None:
            way = structs.replace(way, middle=_check_finite("currentThreshold", request.currentThreshold))
        found = await asyncio.to_thread(_calibrate_scorer, pairs, scored, way, request.currentThreshold is not None)
        return structs.replace(found, scorerId=request.scorerId)

    async def _load_stored(self, request: Calibration) -> tuple[list[tuple[bool, float]], Direction]:
        if not request.scorerId:
            raise Invalid(
                "The body has neither pairs nor scored; send one of them, or the scorerId whose feedback counts"
            )
        scorer = check_name("scorerId", request.scorerId, MAX_KEY)
        human = check_name("humanKey", request.humanKey or scorer, MAX_KEY)

        def work(db: Connection) -> tuple[list[tuple[bool, float]], Direction]:
            known = kinds(db, [scorer, human])
            rows = db.all(STORED, scorer=scorer, human=human, limit=2 * MAX_PAIRS)
            machine = {row["run_id"]: row["score"] for row in rows if row["is_model"]}
            verdicts = {row["run_id"]: row["score"] for row in rows if not row["is_model"]}
            people = known.get(human, UNKNOWN)
            if people.is_inferred:  # from people's scores only, which may be thumbs beside a model's fractions
                people = find_kind(human, None, human in NEGATIVE, _collect_seen(verdicts.values()))
            both = [(people.is_positive(verdicts[one]), machine[one]) for one in verdicts if one in machine]
            if both and all(verdict is None for verdict, _ in both):
                raise Invalid(f"The feedback of people under {human!r} {people.explain_no_direction(0.0)}")
            decided = [(verdict, score) for verdict, score in both if verdict is not None]
            return decided, _direction(known.get(scorer, UNKNOWN))

        found, way = await self._database.read(work)
        if not found:
            raise Invalid(
                f"No run has both feedback of source model under the key {scorer!r} and people's under {human!r}"
            )
        return found, way


def _calibrate_scorer(
    pairs: Sequence[tuple[bool, bool]], scored: Sequence[tuple[bool, float]], way: Direction, has_current: bool
) -> Calibrated:
    """Compare the verdicts. Lower-is-better scores are negated for this, and their thresholds negated back."""
    sign = -1.0 if way.is_lower_better else 1.0
    middle = sign * way.middle
    upward = [(human, sign * score) for human, score in scored]
    verdicts = [*pairs, *((human, score >= middle) for human, score in upward)]
    thresholds = None
    if upward:
        current = compute_at_threshold(upward, middle) if has_current else None
        best = best_threshold(upward, middle if has_current else None)
        passes: Literal["at_or_above", "at_or_below"] = "at_or_below" if sign < 0 else "at_or_above"
        thresholds = Thresholds(current and _turn_threshold(current, sign), _turn_threshold(best, sign), passes)
    summary = None if thresholds is None else _summary(thresholds)
    return Calibrated(None, len(verdicts), agreement(verdicts), thresholds, summary)


def _summary(thresholds: Thresholds) -> ThresholdSummary:
    best, current = thresholds.best, thresholds.current
    before = None if current is None else current.kappa
    gain = None if best.kappa is None or before is None else best.kappa - before
    return ThresholdSummary(best.threshold, best.kappa, gain)


def _collect_seen(scores: Iterable[float]) -> SeenScores:
    """Return the distinct whole scores; fractions are means over several people."""
    whole = sorted({score for score in scores if float(score).is_integer()})
    return SeenScores(tuple(whole), whole[-1]) if whole else SeenScores()


def _direction(kind: KeyKind) -> Direction:
    """Return the direction of a scorer's feedback key, from the middle of its scale, or from 0.5 without a scale."""
    middle = 0.5 if kind.low is None or kind.high is None or kind.name == "number" else (kind.low + kind.high) / 2
    return Direction(middle, kind.better == "lower")


def _turn_threshold(threshold: Threshold, sign: float) -> Threshold:
    return structs.replace(threshold, threshold=sign * threshold.threshold + 0.0)


def _check_finite(field: str, number: float) -> float:
    return float(check_number(field, number))
