"""A Dockerfile, where the rubric allows one: judged by instruction, built from our rendering."""

from __future__ import annotations

import pytest

from graders.policy import dockerfile
from tests.policy.conftest import Folder

COMPOSE = "services:\n  outil:\n    build: {context: ., args: {V: '1'}}\n"


@pytest.mark.parametrize(
    ("text", "rule", "line"),
    [
        ("FROM inconnue:1\n", "image", 1),
        ("ARG B=postgres\nFROM $B\n", "image", 2),
        ("FROM --platform=linux/amd64 postgres:15\n", "image", 1),
        ("RUN ls\n", "image", 1),
        ("# syntax=docker/dockerfile:1\nFROM postgres:15\n", "dockerfile", 1),
        ("#escape=`\nFROM postgres:15\n", "dockerfile", 1),
        ("FROM postgres:15\nRUN --mount=type=secret,id=x ls\n", "dockerfile", 2),
        ("FROM postgres:15\nRUN \\\n  --network=host ls\n", "dockerfile", 2),
        ("FROM postgres:15\nADD https://x/y /y\n", "dockerfile", 2),
        ("FROM postgres:15\nONBUILD RUN ls\n", "dockerfile", 2),
        ("FROM postgres:15\nCOPY --from=autre/image /x /x\n", "dockerfile", 2),
        ("FROM postgres:15\nCOPY --from=0 /x /x\n", "dockerfile", 2),
        ("FROM postgres:15\nCOPY --exclude=a . /x\n", "dockerfile", 2),
        ("FROM postgres:15\nRUN <<FIN\nls\nFIN\n", "dockerfile", 2),
        ("FROM postgres:15\nWORKDIR /proc/self/fd/8\n", "dossier-de-travail", 2),
        ("FROM postgres:15\nWORKDIR $X\n", "dossier-de-travail", 2),
        ("FROM postgres:15\nWORKDIR ../../x\n", "dossier-de-travail", 2),
        ("FROM postgres:15\nWORKDIR '/proc/1'\n", "dossier-de-travail", 2),
    ],
)
def test_what_would_leave_the_build_is_refused_with_its_line(
    folder: Folder, text: str, rule: str, line: int
) -> None:
    folder.write(COMPOSE).write(text, "Dockerfile")
    found = [(r.rule, r.line, r.file) for r in folder.refusals()]
    assert (rule, line, "Dockerfile") in found


@pytest.mark.parametrize("context", ["..", "/etc", "https://github.com/x/y.git", "lien"])
def test_a_context_outside_the_submission_is_refused(folder: Folder, context: str) -> None:
    folder.write(f"services:\n  outil:\n    build: {{context: '{context}'}}\n")
    folder.write("FROM postgres\n", "vrai/Dockerfile")
    (folder.root / "lien").symlink_to(folder.root / "vrai")
    assert folder.rules() <= {"construction", "dockerfile"}


def test_a_missing_dockerfile_is_told(folder: Folder) -> None:
    assert folder.write(COMPOSE).rules() == {"dockerfile"}


def test_arguments_that_steer_the_builder_are_refused(folder: Folder) -> None:
    folder.write(COMPOSE.replace("V:", "BUILDKIT_SYNTAX:")).write("FROM postgres\n", "Dockerfile")
    assert folder.rules() == {"variable-interdite"}


def test_what_is_built_is_our_rendering_without_network(folder: Folder) -> None:
    folder.write(COMPOSE).write(
        "# commentaire\nFROM postgres:15 AS a\nRUN echo a && \\\n  # note\n  echo b\n"
        "FROM a\nCOPY --from=a --chown=1:1 /x /y\nWORKDIR /srv/x\n",
        "Dockerfile",
    )
    service = folder.service("outil")
    build = service["build"]
    assert build["dockerfile_inline"] == (
        "FROM local/postgres:15 AS a\nRUN echo a && echo b\nFROM a\n"
        "COPY --from=a --chown=1:1 /x /y\nWORKDIR /srv/x\n"
    )
    assert build["network"] == "none"
    assert build["context"] == str(folder.root)
    assert service["image"] == "bareme-07-0badcafe-outil"
    assert "pull_policy" not in service


def test_a_built_service_cannot_take_an_official_name(folder: Folder) -> None:
    folder.write(COMPOSE + "    image: postgres:15\n").write("FROM postgres:15\n", "Dockerfile")
    assert folder.rules() == {"construction"}


def test_steps_render_back_to_the_same_steps() -> None:
    text = 'FROM postgres:15\nRUN a \\\n b\nCMD ["x"]\n'
    steps = dockerfile.parse(text, {"postgres"})
    again = dockerfile.parse(dockerfile.render(steps, str), {"postgres"})
    assert [(s.word, s.rest.split()) for s in steps] == [(s.word, s.rest.split()) for s in again]
