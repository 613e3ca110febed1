"""Serve dbt commands from one warm process. Stands alone: the stdlib and dbt, nothing of ours.

It runs beside the student's project, on the host or in their dbt service, so that dbt is imported
and the project parsed once and not once per command. It is told everything by files, and answers
with files, in an exchange folder:

    job.json            how to start: arguments common to all commands, limits, lanes
    parse/result.json   how parsing ended, `aside` what was left out; dbt's artefacts lie beside it
    NNN.json            a command: arguments, environment, lane, limits of time and of CPU time
    NNN/result.json     how it ended, one row per node; NNN/running.txt, what it began and ended
    stop                ends it all

A lane is a forked child that runs its commands one after the other; a command that outlives a
limit costs its lane, which is forked again.
"""

from __future__ import annotations

import contextlib
import gc
import json
import multiprocessing
import os
import re
import resource
import signal
import sys
import threading
import time
import traceback
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

HELD = "result.held"  # an answer that waits for the end of its lane
PAUSE = 0.01  # seconds between two looks at the exchange folder
MOST_ASIDE = 4  # files that dbt cannot read, and that the others are judged without
ROOTS = ("dbt_project.yml", "profiles.yml", "packages.yml", "dependencies.yml")
NAMED = re.compile(r"[\w./-]+\.(?:sql|ya?ml|md)\b")
MACRO = re.compile(r"\{%-?\s*macro\b")


def write(path: Path, value: Any) -> None:
    """Write JSON so that a reader sees all of it or nothing."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(value), "utf-8")
    part.replace(path)


def bound(limits: dict[str, int]) -> None:
    """Apply limits of the process, inherited by every lane."""
    for name, value in limits.items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name.upper()}"), (value, value))


def end_with(grader: Connection) -> None:
    """Kill the whole process group once the grader's end of the pipe is closed."""

    def watch() -> None:
        with contextlib.suppress(EOFError):
            grader.recv_bytes()
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


def forget_semaphores() -> None:
    """Have dbt take locks without a name: those of its own kind outlive a process that is killed.

    To be called before the rest of dbt is imported, which binds them.
    """
    import dbt.mp_context  # noqa: PLC0415 - imported under the limits

    multiprocessing.set_start_method("fork", force=True)
    dbt.mp_context._MP_CONTEXT = multiprocessing.get_context()  # type: ignore[assignment]


def cpu(pid: int) -> float:
    """Return the CPU seconds that a process has used; a busy machine doesn't make them more."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def guard_duckdb(folders: list[str]) -> None:
    """Offer dbt-duckdb a plugin, `bareme_guard`, that closes the host's files to SQL."""
    from dbt.adapters.duckdb.plugins import BasePlugin  # noqa: PLC0415 - only on DuckDB

    class Plugin(BasePlugin):
        def configure_connection(self, conn: Any) -> None:
            quoted = ", ".join("'" + f.replace("'", "''") + "'" for f in folders)
            conn.execute(f"SET allowed_directories = [{quoted}]")
            for name, value in (("enable_external_access", False), ("lock_configuration", True)):
                conn.execute(f"SET {name} = {value}")

    module = types.ModuleType("bareme_guard")
    module.Plugin = Plugin  # type: ignore[attr-defined]
    sys.modules["bareme_guard"] = module


def closed() -> bool:
    """Close the DuckDB file, which is replaced between two commands; say whether it is closed.

    dbt only forgets its connections: one that an error still refers to would keep the file locked.
    """
    if (module := sys.modules.get("dbt.adapters.duckdb.connections")) is None:
        return True
    manager = module.DuckDBConnectionManager
    environment = manager._ENV
    manager.close_all_connections()
    if environment is not None:
        environment.close()
    if open_databases():
        gc.collect()
    return not open_databases()


def open_databases() -> list[str]:
    """Return the DuckDB files that this process has open."""
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found.append(str(descriptor.readlink()))
    return [path for path in found if path.endswith((".duckdb", ".duckdb.wal"))]


def rows(result: Any) -> list[dict[str, Any]]:
    """Return what dbt says of each node that it ran, the statuses as plain text."""
    found = []
    for one in getattr(result, "results", None) or []:
        node = getattr(one, "node", None)
        if node is not None and hasattr(one, "status"):
            found.append(
                {
                    "id": node.unique_id,
                    "status": str(one.status),
                    "message": str(one.message or "")[:4000],
                    "failures": one.failures,
                }
            )
    return found


def culprit(project: Path, error: str) -> tuple[Path | None, str]:
    """Return the file of the project that dbt cannot read, and why, as far as it says so.

    dbt refuses a whole project for one file. Without that file the others can be judged.
    """
    files = sorted(p for p in project.rglob("*") if p.suffix in (".sql", ".yml", ".yaml", ".md"))
    files = [p for p in files if p.is_file() and p.name not in ROOTS]
    if "codec can't decode" in error:
        for path in files:
            try:
                path.read_text("utf-8")
            except UnicodeDecodeError as wrong:
                line = path.read_bytes()[: wrong.start].count(b"\n") + 1
                where = f"{path.relative_to(project)}, line {line}"
                return path, f"{where}: ce fichier n'est pas en UTF-8, enregistrez-le en UTF-8"
        return None, error
    for name in NAMED.findall(error):
        found = [p for p in files if p == project / name or str(p).endswith(f"/{name}")]
        if found:
            return found[0], error
    if "close tag for macro" in error:
        for path in files:
            text = path.read_text("utf-8", "replace")
            if len(MACRO.findall(text)) > text.count("endmacro"):
                return path, f"{path.relative_to(project)}: {error}"
    return None, error


class Runner:
    """One warm dbt: parses once, then runs commands on the same manifest."""

    def __init__(self, job: dict[str, Any], exchange: Path) -> None:
        self.job = job
        self.exchange = exchange
        self.manifest: Any = None

    def run(self, name: str, args: list[str]) -> tuple[Any, dict[str, Any]]:
        """Run one command, note what begins and ends, and return dbt's result and ours."""
        from dbt.cli.main import dbtRunner  # noqa: PLC0415 - imported under the limits

        folder = self.exchange / name
        folder.mkdir(exist_ok=True)
        with (folder / "running.txt").open("a", encoding="utf-8", buffering=1) as notes:

            def note(event: Any) -> None:
                kind = {"NodeStart": "+", "NodeFinished": "-"}.get(event.info.name)
                if kind:
                    notes.write(f"{kind}{event.data.node_info.unique_id}\n")

            runner = dbtRunner(manifest=self.manifest, callbacks=[note])
            target = ["--target-path", str(folder), "--log-path", str(folder)]
            started = time.monotonic()
            done = runner.invoke([*self.job["flags"], *args, *self.job["options"], *target])
        error = "" if done.exception is None else str(done.exception) or repr(done.exception)
        return done.result, {
            "success": bool(done.success),
            "error": error[:8000],
            "rows": rows(done.result),
            "seconds": time.monotonic() - started,
        }

    def parse(self, limit: int, *, packages: bool) -> bool:
        """Install local packages, parse the project; every lane inherits the manifest."""

        def late(*_: object) -> None:
            write(self.exchange / "parse" / "result.json", {"late": True})
            os._exit(1)

        signal.signal(signal.SIGPROF, late)
        signal.setitimer(signal.ITIMER_PROF, limit)
        answer = self.run("parse", ["deps"])[1] if packages else {"success": True}
        aside: list[dict[str, str]] = []
        if answer["success"]:
            self.manifest, answer = self.run("parse", ["parse"])
            first = answer
            while not answer["success"] and len(aside) < MOST_ASIDE:
                path, why = culprit(Path(self.job["project"]), answer["error"])
                if path is None:
                    break
                path.unlink()
                aside.append({"path": str(path.relative_to(self.job["project"])), "error": why})
                self.manifest, answer = self.run("parse", ["parse"])
            if not answer["success"]:
                answer, aside = first, aside[:1]
        answer["aside"] = aside
        signal.setitimer(signal.ITIMER_PROF, 0)
        write(self.exchange / "parse" / "result.json", answer)
        return bool(answer["success"])


class Lane:
    """A forked child that runs one command at a time, and is killed when one is late."""

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.name = ""
        self.deadline = self.most_cpu = 0.0
        self.fork()

    def fork(self) -> None:
        """Start the child; it reads names of commands from a pipe."""
        reader, self.pipe = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.pipe)
            self.serve(reader)
        os.close(reader)

    def serve(self, reader: int) -> None:
        """Run commands until the pipe closes. Never returns: this is the child."""
        try:
            with os.fdopen(reader, encoding="utf-8") as names:
                for line in names:
                    self.command(line.strip())
        except BaseException:
            traceback.print_exc()
            os._exit(70)
        os._exit(0)

    def command(self, name: str) -> None:
        """Run one command and answer."""
        exchange = self.runner.exchange
        command = json.loads((exchange / f"{name}.json").read_text("utf-8"))
        os.environ.update(command.get("env", {}))
        _, answer = self.runner.run(name, command["args"])
        if closed():
            write(exchange / name / "result.json", answer)
        else:
            write(exchange / name / HELD, answer)
            os._exit(0)  # which closes it; the answer is given after that

    def give(self, name: str, limit: float, cpu_limit: float) -> None:
        """Hand over a command."""
        self.name = name
        self.deadline, self.most_cpu = time.monotonic() + limit, cpu(self.pid) + cpu_limit
        os.write(self.pipe, f"{name}\n".encode())

    def look(self) -> None:
        """See whether the command has ended, is late, or took its lane with it."""
        if not self.name:
            return
        answer = self.runner.exchange / self.name / "result.json"
        dead, _ = os.waitpid(self.pid, os.WNOHANG)
        if dead and (held := answer.with_name(HELD)).exists():
            held.replace(answer)
        if answer.exists():
            self.name = ""
        elif dead or time.monotonic() > self.deadline or cpu(self.pid) > self.most_cpu:
            if not dead:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
            answer.parent.mkdir(exist_ok=True)
            write(answer, {"died": True} if dead else {"late": True})
            self.name = ""
            dead = 1
        if dead:
            os.close(self.pipe)
            self.fork()


def serve(exchange: Path) -> None:
    """Start, then hand each command to its lane until told to stop."""
    job = json.loads((exchange / "job.json").read_text("utf-8"))
    os.umask(0)  # what a container writes, the grader must be able to remove
    bound(job["limits"])
    forget_semaphores()
    if job["guard"]:
        guard_duckdb(job["guard"])
    gc.disable()  # a fifth of the time to import and parse, for things that all stay
    runner = Runner(job, exchange)
    (exchange / "parse").mkdir(exist_ok=True)
    if not runner.parse(job["parse_cpu"], packages=job["packages"]):
        return
    gc.freeze()
    gc.enable()
    lanes = [Lane(runner) for _ in range(job["lanes"])]
    seen: set[str] = set()
    while not (exchange / "stop").exists():
        for path in sorted(exchange.glob("[0-9]*.json")):
            command = {} if path.stem in seen else json.loads(path.read_text("utf-8"))
            if command and not lanes[command["lane"]].name:
                seen.add(path.stem)
                lanes[command["lane"]].give(path.stem, command["limit"], command["cpu"])
        for lane in lanes:
            lane.look()
        time.sleep(PAUSE)
    for lane in lanes:
        os.kill(lane.pid, signal.SIGKILL)


def serve_forked(
    exchange: Path, folder: Path, env: dict[str, str], printed: Path, grader: Connection
) -> None:
    """Serve on the grader's own machine, as a process that a fork server made for it."""
    os.setsid()
    end_with(grader)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    output = os.open(printed, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    serve(exchange)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
