"""How this machine reaches its package registries, for the builds inside containers.

Nothing here names a registry: what apt and pip are told on the host is passed on as it is.
"""

from __future__ import annotations

import configparser
import os
import re
import ssl
import subprocess
from collections.abc import Mapping
from pathlib import Path

from graders.errors import MachineError

ROOTFS_TIMEOUT = 900.0  # seconds
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
_CA_VARIABLES = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE")
_APT_OPTIONS = re.compile(
    r"Acquire::(https?::(proxy|timeout)\b|check-valid-until|check-date|retries)", re.IGNORECASE
)


def ca_bundle(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the CA bundle that this machine trusts, a PEM file."""
    default = ssl.get_default_verify_paths().cafile or ""
    system = "/etc/ssl/certs/ca-certificates.crt"
    for name in (*(environ.get(v, "") for v in _CA_VARIABLES), system, default):
        if name and Path(name).is_file():
            return Path(name)
    raise MachineError("Aucun jeu de certificats racine : installez le paquet ca-certificates.")


def apt_sources(suite: str, etc: Path = Path("/etc/apt")) -> str:
    """Return the host's apt sources for `suite` and its updates, in deb822 form, or nothing."""
    stanzas = [
        _stanza(text)
        for path in sorted(etc.glob("sources.list.d/*.sources"))
        for text in re.split(r"\n\s*\n", _uncommented(path))
    ]
    lists = [etc / "sources.list", *sorted(etc.glob("sources.list.d/*.list"))]
    lines = [line for path in lists if path.is_file() for line in _uncommented(path).splitlines()]
    stanzas += [_one_line(line) for line in lines]
    kept = [s for s in stanzas if _serves(s, suite)]
    return "\n\n".join("\n".join(f"{k}: {v}" for k, v in s.items()) for s in kept)


def apt_options() -> list[str]:
    """Return the host's apt settings that decide whether a download works."""
    try:
        dump = subprocess.run(
            ["apt-config", "dump"], capture_output=True, text=True, timeout=30, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.rstrip(";") for line in dump.splitlines() if _APT_OPTIONS.match(line)]


def build_args(environ: Mapping[str, str] = os.environ, home: Path | None = None) -> dict[str, str]:
    """Return the build arguments that make pip, uv and apt reach what the host reaches."""
    pip = _pip_settings(environ, home or Path.home())
    index = environ.get("UV_DEFAULT_INDEX") or pip.get("index-url", "")
    extra = environ.get("UV_INDEX") or pip.get("extra-index-url", "")
    # a folder of the host cannot be reached from a container
    extra = " ".join(url for url in extra.split() if url.startswith(("http://", "https://")))
    found = {
        "PIP_INDEX_URL": index,
        "PIP_EXTRA_INDEX_URL": extra,
        "UV_DEFAULT_INDEX": index,
        "UV_INDEX": extra,
        **{n: environ.get(n) or environ.get(n.lower(), "") for n in PROXIES},
    }
    return {name: value for name, value in found.items() if value}


def rootfs(suite: str, folder: Path) -> Path:
    """Make a minimal Debian with Python, as a tar in `folder`, from the host's own apt sources."""
    out, sources = folder / "rootfs.tar", folder / f"{suite}.sources"
    sources.write_text(apt_sources(suite), "utf-8")
    options = [*apt_options(), 'Acquire::Languages "none"']
    unread = ("doc", "man", "info", "locale")
    command = [
        "mmdebstrap",
        "--variant=minbase",
        "--include=ca-certificates,python3",
        "--skip=output/dev",
        *(f"--aptopt={option}" for option in options),
        *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in unread),
        suite,
        str(out),
        *([str(sources)] if sources.stat().st_size else []),
    ]
    try:
        run = subprocess.run(
            command, capture_output=True, text=True, timeout=ROOTFS_TIMEOUT, check=False
        )
    except FileNotFoundError as error:
        raise MachineError(
            "mmdebstrap manque : `apt-get install mmdebstrap` (ou `make engine`)."
        ) from error
    except subprocess.TimeoutExpired as error:
        raise MachineError(
            f"mmdebstrap n'a pas fini en {ROOTFS_TIMEOUT / 60:.0f} minutes."
        ) from error
    if run.returncode:
        tail = "\n".join(run.stderr.splitlines()[-25:])
        raise MachineError(f"mmdebstrap a échoué ({run.returncode}) :\n{tail}")
    return out


def _pip_settings(environ: Mapping[str, str], home: Path) -> dict[str, str]:
    files = [Path("/etc/xdg/pip/pip.conf"), Path("/etc/pip.conf")]
    files += [home / ".pip/pip.conf", home / ".config/pip/pip.conf"]
    if named := environ.get("PIP_CONFIG_FILE"):
        files.append(Path(named))
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.read(files, "utf-8")
    settings = dict(parser["global"]) if parser.has_section("global") else {}
    for name in ("index-url", "extra-index-url"):
        if value := environ.get(f"PIP_{name.upper().replace('-', '_')}"):
            settings[name] = value
    return settings


def _uncommented(path: Path) -> str:
    lines = path.read_text("utf-8", "replace").splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith("#"))


def _stanza(text: str) -> dict[str, str]:
    # a continuation line begins with a blank and belongs to the field above
    fields = re.findall(r"^([A-Za-z-]+):[ \t]*(.*(?:\n[ \t].*)*)", text, re.MULTILINE)
    return {name: value.strip() for name, value in fields}


def _one_line(line: str) -> dict[str, str]:
    match = re.match(r"deb\s+(?:\[(?P<o>[^]]*)\]\s+)?(?P<u>\S+)\s+(?P<s>\S+)\s+(?P<c>.+)", line)
    if match is None:
        return {}
    fields = {"Types": "deb", "URIs": match["u"], "Suites": match["s"], "Components": match["c"]}
    names = {"signed-by": "Signed-By", "trusted": "Trusted", "arch": "Architectures"}
    options = (option.partition("=") for option in (match["o"] or "").split())
    return fields | {names[k]: v.replace(",", " ") for k, _, v in options if k in names}


def _serves(stanza: Mapping[str, str], suite: str) -> bool:
    suites = stanza.get("Suites", "").split()
    enabled = stanza.get("Enabled", "yes").lower() not in ("no", "false", "0")
    known = {suite, f"{suite}-updates", f"{suite}-security"}
    return (
        enabled
        and "deb" in stanza.get("Types", "").split()
        and bool(suites)
        and (known.issuperset(suites))
    )
