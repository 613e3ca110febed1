"""The bounded YAML reader: what it reads as Compose would, and what it refuses with its line."""

from __future__ import annotations

import pytest

from graders import untrusted
from graders.errors import PolicyError, Refusal


def refusal(text: str | bytes) -> Refusal:
    data = text.encode() if isinstance(text, str) else text
    with pytest.raises(PolicyError) as caught:
        untrusted.read(data, "compose.yaml")
    (only,) = caught.value.refusals
    return only


def plain(text: str) -> object:
    return untrusted.read(text.encode(), "compose.yaml").plain()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("true", True),
        ("Null", None),
        ("~", None),
        ("012", 10),
        ("0o17", 15),
        ("1_000", "1_000"),
        ("22:22", "22:22"),
        ("3.10", 3.1),
        ("1e3", 1000.0),
        ("2024-01-01", "2024-01-01"),
        ("'12'", "12"),
        (".", "."),
        ("-", [None]),
        ("9" * 30, "9" * 30),
        ("1." + "9" * 60, "1." + "9" * 60),
    ],
)
def test_scalars_are_typed_as_compose_types_them(text: str, value: object) -> None:
    assert plain(text) == value


def test_merge_keys_do_not_override_what_is_written() -> None:
    text = "a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4}\nc:\n  <<: [*a, *b]\n  x: 9\n"
    assert plain(text)["c"] == {"x": 9, "y": 2, "z": 4}  # type: ignore[index]


def test_lines_follow_keys_items_and_names() -> None:
    tree = untrusted.read(
        b"s:\n  db:\n    v:\n      - a\n      - b\n    e:\n      - A=1\n      - B\n", "f"
    )
    assert tree.find("s", "db", "v", 1) == 5
    assert tree.find("s", "db", "e", "B") == 8
    assert tree.find("s", "db", "absent", "x") == 2
    assert tree.find("s", "db", "v", 99) == 3


def test_the_line_of_a_merged_key_is_where_it_was_written() -> None:
    tree = untrusted.read(b"x: &x\n  privileged: true\ns:\n  <<: *x\n", "f")
    assert tree.find("s", "privileged") == 2


@pytest.mark.parametrize(
    ("text", "rule", "line"),
    [
        ("a: 1\na: 2\n", "yaml-cle-double", 2),
        ("a: 1\n'a': 2\n", "yaml-cle-double", 2),
        ("a: {b: 1, b: 2}\n", "yaml-cle-double", 1),
        ("<<: {a: 1}\n<<: {b: 1}\n", "yaml-cle-double", 2),
        ("a: !reset null\n", "yaml-etiquette", 1),
        ("a: !!python/object/apply:os.system [id]\n", "yaml-etiquette", 1),
        ("%TAG ! tag:x,2000:\n---\na: 1\n", "yaml-etiquette", 1),
        ("a: 1\n---\nb: 2\n", "yaml-documents", 2),
        ("a: &a\n  b: *a\n", "yaml-alias", 2),
        ("a: *inconnu\n", "yaml-alias", 1),
        ("? [a, b]\n: c\n", "yaml-cle", 1),
        ("? {a: b}\n: c\n", "yaml-cle", 1),
        ("~: c\n", "yaml-cle", 1),
        ("a: &x [1]\n? *x\n: 2\n", "yaml-cle", 2),
        ("<<: 3\n", "yaml-fusion", 1),
        ('a: "x\\u2028y"\n', "yaml-caractere", 1),
        ('a: "\\e[31m"\n', "yaml-caractere", 1),
        ("a: [1\n", "yaml-syntaxe", 2),
        ("a:\n\t- b\n", "yaml-syntaxe", 2),
        ("", "yaml-vide", None),
        ("# rien\n", "yaml-vide", None),
        ("[" * 40 + "]" * 40, "yaml-profondeur", 1),
        ("k" * 300 + ": 1\n", "yaml-cle", 1),
    ],
)
def test_what_two_readers_could_understand_differently_is_refused(
    text: str, rule: str, line: int | None
) -> None:
    found = refusal(text)
    assert (found.rule, found.line) == (rule, line)


def test_bytes_that_are_not_utf8_are_refused_with_their_line() -> None:
    found = refusal(b"a: 1\nb: \xe9\n")
    assert (found.rule, found.line) == ("yaml-encodage", 2)


@pytest.mark.parametrize("body", ["a: " + "x" * untrusted.SIZE, "- a\n" * (untrusted.NODES + 5)])
def test_a_file_too_large_is_refused(body: str) -> None:
    assert refusal(body).rule == "yaml-taille"


def test_alias_expansion_is_bounded_in_nodes_text_and_depth() -> None:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    assert refusal("\n".join(rows)).rule == "yaml-alias"
    text = f"a: &a '{'x' * 100_000}'\nb: [{', '.join(['*a'] * 20)}]\n"
    assert refusal(text).rule == "yaml-alias"
    deep = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 60)]
    assert refusal("\n".join(deep)).rule == "yaml-alias"


def test_the_same_name_may_be_anchored_twice() -> None:
    assert plain("a: &x 1\nb: *x\nc: &x 2\nd: *x\n") == {"a": 1, "b": 1, "c": 2, "d": 2}


def test_a_byte_order_mark_is_no_obstacle() -> None:
    assert untrusted.read(b"\xef\xbb\xbfa: 1\n", "f").plain() == {"a": 1}
