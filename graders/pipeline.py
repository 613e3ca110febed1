"""One submission in, one report out. Read this file first: each step turns a value into the next.

folder --intake--> Submission --static checks--> Results
       --policy--> Plan --stack--> Stack --connect--> Context --live checks, drills--> Results
       --> Report
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import hashlib
import logging
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from graders import compose, course, engine, intake, policy, rubric, tools
from graders.errors import MachineError, PolicyError, SubmissionError
from graders.model import (
    Finding,
    Outcome,
    Plan,
    Report,
    Result,
    Rubric,
    Stage,
    Status,
    Submission,
    Work,
)
from graders.suite import Say, Suite
from graders.version import VERSION

log = logging.getLogger(__name__)
LIVE = (Stage.LIVE, Stage.DRILL)
MEMORY = Path("/dev/shm")  # noqa: S108 - mkdtemp makes a private folder there
ROOM = 2 << 30  # bytes


@dataclass(frozen=True, slots=True)
class Options:
    """How to grade. `runtime` is docker, embedded or static, already decided by `choose`.

    `key` makes hidden seeds a keyed hash of the submission; without it they are random. `replay`
    gives the hidden seed of an earlier report. `engine_runtime` is the OCI runtime of the engine
    for the student's services, the engine's default where empty. `marks` are an instructor's
    points for the human criteria of this submission.
    """

    runtime: str
    team: str | None = None
    key: bytes | None = None
    replay: int | None = None
    marks: Mapping[str, float] = field(default_factory=dict)
    engine_runtime: str = ""
    say: Say = lambda _: None
    on_result: Callable[[Result], None] = lambda _: None


Start = Callable[[Plan, Work, Options], contextlib.AbstractContextManager[Any]]


def choose(wanted: str, suite: Suite[Any], *, trusted: bool) -> str:
    """Return the runtime to use; MachineError says in French what to type where none will do."""
    if wanted in ("auto", "docker"):
        from graders import stack  # noqa: PLC0415 - the docker SDK costs 0.2 s

        lacking = stack.lacking()
        if not lacking:
            return "docker"
        if wanted == "docker":
            raise MachineError(f"Docker : {lacking}")
    elif wanted == "static":
        return wanted
    if not suite.embedded:
        absent = "" if wanted == "embedded" else ", et il n'y a pas de moteur ici"
        raise MachineError(
            f"{suite.exercise} ne se corrige qu'avec Docker{absent} : "
            "« make engine » l'installe, « --static » ne vérifie que les fichiers."
        )
    if not trusted:
        raise MachineError(
            "Sans Docker, le code de l'étudiant tournerait sur cette machine : ajoutez --trust "
            "si vous l'acceptez, ou --static pour ne vérifier que les fichiers."
        )
    return "embedded"


def grade(folder: Path, exercise: str, options: Options) -> Report:
    """Grade one submission folder in a scratch folder of its own.

    The student's faults end in the report, ours raise or mark it. The scratch folder and
    everything started are gone when this returns.
    """
    suite = tools.suite(exercise)
    embedded = options.runtime == "embedded"
    if embedded:
        suite.warm()
    with scratch(in_memory=embedded and suite.in_memory) as place:
        return grade_in(place, folder, exercise, options, start)


def grade_in(place: Path, folder: Path, exercise: str, options: Options, start: Start) -> Report:
    """Grade one submission in `place`; `start` gives the stack (the self-test shares one)."""
    suite = tools.suite(exercise)
    rules = rubric.load(course.exercise(exercise))
    started = time.monotonic()
    try:
        submission = intake.load(folder, rules, place, options.team)
    except SubmissionError as error:
        return _refused(folder, suite, rules, error, options)
    work = prepare(submission, rules, place, options)
    run = engine.Run(suite, rules)
    results = _tell(run.run(work, Stage.STATIC), options)
    plan = None
    try:
        plan = vet(work, options.runtime)
    except PolicyError as error:
        results += _tell(run.fail(error, *LIVE), options)
    else:
        results += _tell(live(run, work, plan, options, start), options)
    results = [_marked(r, options.marks) for r in results]
    return _report(work, plan, results, options, time.monotonic() - started)


def prepare(submission: Submission, rules: Rubric, place: Path, options: Options) -> Work:
    """Draw the seeds of one grading: the team's own, and the hidden one."""
    from datagen.seeds import course_id, team_seed  # noqa: PLC0415 - numpy costs 0.1 s

    hidden = options.replay
    if hidden is None:
        hidden = _hidden_seed(submission, options.key)
    seed = team_seed(course_id(course.ROOT), submission.team)
    return Work(submission, rules, seed, hidden, place)


def vet(work: Work, runtime: str) -> Plan:
    """Find, resolve and vet the student's Compose file; PolicyError where it is refused.

    The embedded and static runtimes vet it too, so that a submission's score does not depend on
    the machine; images are then left under their official names, since none is started.
    """
    from graders import images  # noqa: PLC0415 - the docker SDK costs 0.2 s

    notices: dict[str, str] = {}

    def image(official: str) -> str:
        notices[official] = images.differs(official, work.rubric.images)
        return images.resolve(official, work.rubric.images) if runtime == "docker" else official

    found = policy.find(work.submission.root)
    project = f"bareme-{work.submission.exercise[:2]}-{secrets.token_hex(4)}"
    document = compose.resolve(found, project, work.scratch)
    plan = policy.vet(found, document, work, image)
    return dataclasses.replace(plan, notices=tuple(n for n in notices.values() if n))


def live(
    run: engine.Run, work: Work, plan: Plan, options: Options, start: Start
) -> Iterator[Result]:
    """Start what the runtime asks for and yield the results of the live checks and drills."""
    if options.runtime == "static":
        yield from run.skip("seuls les fichiers ont été vérifiés", *LIVE)
        return
    with contextlib.ExitStack() as closing:
        try:
            _lay_data(run.suite, work)
            started = closing.enter_context(start(plan, work, options))
            context = closing.enter_context(run.suite.connect(work, started, options.say))
        except engine.STUDENTS_FAULT as error:
            yield from run.fail(error, *LIVE)
            return
        except Exception as error:
            log.exception("the session on %s could not be opened", work.submission.exercise)
            yield from run.error(error, *LIVE)
            return
        yield from run.run(context, *LIVE)


def _lay_data(suite: Suite[Any], work: Work) -> None:
    """Write the team's data where the stack mounts it; a shared stack has it mounted already."""
    work.results.mkdir(exist_ok=True)
    shutil.rmtree(work.hidden, ignore_errors=True)
    if not work.data.exists():
        suite.write_data(work.seed, work.data)
        return
    from graders.stack import files  # noqa: PLC0415 - the docker SDK costs 0.2 s

    with tempfile.TemporaryDirectory(dir=work.scratch) as place:
        fresh = Path(place, work.data.name)
        suite.write_data(work.seed, fresh)
        files.replace(work.data, fresh)


@contextlib.contextmanager
def start(plan: Plan, work: Work, options: Options) -> Iterator[Any]:
    """Give the running stack of a plan, or None on the embedded runtime."""
    if options.runtime == "embedded":
        yield None
        return
    from graders import stack  # noqa: PLC0415 - the docker SDK costs 0.2 s

    with stack.up(plan, work.rubric, options.say, options.engine_runtime) as started:
        yield started


@contextlib.contextmanager
def scratch(*, in_memory: bool = False) -> Iterator[Path]:
    """Give a private folder named after this process, and remove it whatever happens.

    `in_memory` puts it on the shared-memory file system where there is one with room: DuckDB waits
    for its disk at every statement, and a grading's data is a few MiB.
    """
    memory = in_memory and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM
    place = Path(tempfile.mkdtemp(prefix=f"bareme-{os.getpid()}-", dir=MEMORY if memory else None))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _hidden_seed(submission: Submission, key: bytes | None) -> int:
    if key is None:
        return secrets.randbits(62)
    text = f"{submission.exercise}/{submission.digest}".encode()
    return int.from_bytes(hashlib.blake2b(text, key=key[:64], digest_size=8).digest()) >> 2


def _tell(results: Iterator[Result], options: Options) -> list[Result]:
    kept = []
    for result in results:
        options.on_result(result)
        kept.append(result)
    return kept


def _marked(result: Result, marks: Mapping[str, float]) -> Result:
    """Put the instructor's mark in the place of the automatic one, on human criteria only."""
    criterion = result.criterion
    if not criterion.human or criterion.id not in marks:
        return result
    points = min(max(float(marks[criterion.id]), 0.0), criterion.points)
    finding = Finding(points / criterion.points, "Noté par l'enseignant.")
    return engine.judged(criterion, finding, result.seconds, result.stage)


def _refused(
    folder: Path, suite: Suite[Any], rules: Rubric, error: SubmissionError, options: Options
) -> Report:
    results = tuple(_tell(engine.Run(suite, rules).fail(error, *Stage), options))
    return Report(
        exercise=rules.exercise,
        title=rules.title,
        team=options.team or folder.resolve().parent.name,
        members=(),
        commit="",
        outcome=Outcome.REFUSED,
        results=results,
        out_of=rules.out_of,
        notices=(str(error),),
        provenance=_provenance(rules, options),
    )


def _report(
    work: Work, plan: Plan | None, results: list[Result], options: Options, seconds: float
) -> Report:
    """Put a report together; without a plan the stack was refused."""
    order = {c.id: n for n, c in enumerate(work.rubric.criteria)}
    results = sorted(results, key=lambda r: order[r.criterion.id])
    if any(r.status is Status.ERROR for r in results):
        outcome = Outcome.TO_REGRADE
    else:
        outcome = Outcome.GRADED if plan else Outcome.REFUSED
    provenance = _provenance(work.rubric, options) | {
        "seed": work.seed,
        "hidden_seed": work.hidden_seed,
        "submission": work.submission.digest,
        "seconds": round(seconds, 1),
    }
    if plan and options.runtime == "docker":
        services = plan.document["services"]
        provenance["engine_runtime"] = options.engine_runtime or "default"
        provenance["images"] = {name: body["image"] for name, body in services.items()}
    return Report(
        exercise=work.rubric.exercise,
        title=work.rubric.title,
        team=work.submission.team,
        members=work.submission.members,
        commit=work.submission.commit,
        outcome=outcome,
        results=tuple(results),
        out_of=work.rubric.out_of,
        notices=work.submission.notices
        + tuple(work.submission.problems.values())
        + (plan.notices if plan else ()),
        provenance=provenance,
    )


def _provenance(rules: Rubric, options: Options) -> dict[str, Any]:
    return {
        "grader": VERSION,
        "rubric": f"{rules.version}-{rules.digest[:12]}",
        "runtime": options.runtime,
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
    }
