"""Why a key is not on the allow-list, in French: the named rules of docs/reference/regles.md.

These tables only *explain*. What is allowed is the list of properties in
schemas/compose.schema.json: a key that stands in neither is refused as `option-inconnue`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Why:
    """The rule behind a refused key: what it would do, and what to write instead."""

    rule: str
    message: str
    instead: str = ""


_REMOVE = "Retirez cette ligne."
_NAMESPACE = Why(
    "espaces-de-noms", "le conteneur partagerait l'espace de noms de la machine", _REMOVE
)
_DEVICES = Why("peripheriques", "le conteneur atteindrait un périphérique de la machine", _REMOVE)
_KERNEL = Why("noyau", "le réglage agit sur la machine ou change de moteur", _REMOVE)
_NAMES = Why(
    "resolution",
    "le conteneur changerait la résolution des noms ou sortirait de la pile",
    "Appelez un autre service par son nom dans ce fichier.",
)
_RESOURCES = Why(
    "ressources",
    "le réglage échappe aux limites de l'exercice",
    "Utilisez seulement mem_limit, cpus et pids_limit.",
)
_READS = "Écrivez les valeurs dans « environment », ou montez le fichier avec « volumes »."
_SECRETS = Why(
    "secrets",
    "Compose lirait un fichier ou une variable de la machine",
    "Montez le fichier : volumes: [./fichier:/chemin:ro].",
)
_HOOKS = Why("crochets", "une commande tournerait en dehors du service", "Mettez-la dans command.")

SERVICE: dict[str, Why] = {
    "privileged": Why("privileges", "le conteneur aurait tous les droits sur la machine", _REMOVE),
    "use_api_socket": Why("socket-docker", "le conteneur commanderait le moteur Docker", _REMOVE),
    "volumes_from": Why(
        "volumes-from",
        "le service prendrait les volumes d'un autre conteneur",
        "Déclarez un volume nommé et montez-le dans les deux services.",
    ),
    "network_mode": Why(
        "reseau-machine", "le service quitterait le réseau isolé de la pile", _REMOVE
    ),
    "pid": _NAMESPACE,
    "ipc": _NAMESPACE,
    "uts": _NAMESPACE,
    "userns_mode": _NAMESPACE,
    "cgroup": _NAMESPACE,
    "cgroup_parent": _NAMESPACE,
    "devices": _DEVICES,
    "device_cgroup_rules": _DEVICES,
    "gpus": _DEVICES,
    "blkio_config": _DEVICES,
    "post_start": _HOOKS,
    "pre_stop": _HOOKS,
    "provider": Why(
        "fournisseur", "Compose lancerait un programme sur la machine du correcteur", _REMOVE
    ),
    "label_file": Why("lecture-de-fichier", "Compose lirait un fichier au démarrage", _READS),
    "secrets": _SECRETS,
    "configs": _SECRETS,
    "develop": Why("developpement", "« develop » n'a pas de sens pour une correction", _REMOVE),
    "models": Why("modeles", "Compose irait chercher un modèle sur le réseau", _REMOVE),
    "sysctls": _KERNEL,
    "runtime": _KERNEL,
    "credential_spec": _KERNEL,
    "isolation": _KERNEL,
    "storage_opt": _KERNEL,
    "extra_hosts": _NAMES,
    "external_links": _NAMES,
    "dns": _NAMES,
    "dns_search": _NAMES,
    "dns_opt": _NAMES,
    "domainname": _NAMES,
    "mac_address": _NAMES,
    "group_add": Why("groupes", "le service prendrait un groupe de la machine", _REMOVE),
    **dict.fromkeys(
        [
            "cpu_count",
            "cpu_percent",
            "cpu_period",
            "cpu_quota",
            "cpu_rt_period",
            "cpu_rt_runtime",
            "cpuset",
            "mem_swappiness",
            "oom_kill_disable",
            "oom_score_adj",
        ],
        _RESOURCES,
    ),
}

TOP: dict[str, Why] = {
    "include": Why(
        "include",
        "Compose lirait un autre fichier, peut-être sur le réseau",
        "Copiez les services dans ce fichier.",
    ),
    "secrets": _SECRETS,
    "configs": _SECRETS,
    "models": SERVICE["models"],
}

BUILD: dict[str, Why] = {
    key: Why("construction", "la construction sortirait de son cadre isolé", _REMOVE)
    for key in [
        "ssh",
        "network",
        "entitlements",
        "privileged",
        "secrets",
        "additional_contexts",
        "cache_from",
        "cache_to",
        "extra_hosts",
        "isolation",
        "labels",
        "no_cache",
        "platforms",
        "provenance",
        "pull",
        "sbom",
        "shm_size",
        "tags",
        "ulimits",
        "dockerfile_inline",
    ]
}

VOLUME: dict[str, Why] = {
    "external": Why(
        "volume-externe",
        "le volume appartiendrait à un autre projet",
        "Déclarez-le sans « external » : il sera créé pour vous.",
    ),
    "driver_opts": Why(
        "volume-options",
        "un volume à options peut monter n'importe quel dossier de la machine",
        "Déclarez-le sans « driver_opts », ou montez un dossier du rendu.",
    ),
}

NETWORK: dict[str, Why] = {
    "external": Why(
        "reseau-externe",
        "le réseau appartiendrait à un autre projet",
        "Retirez « external » : la pile a son propre réseau.",
    ),
    "driver_opts": Why("reseau-pilote", "les options du pilote agissent sur la machine", _REMOVE),
    "config_only": Why("reseau-pilote", "le réseau serait un gabarit de la machine", _REMOVE),
    "config_from": Why("reseau-pilote", "le réseau copierait un autre de la machine", _REMOVE),
}

UNKNOWN = Why("option-inconnue", "cette option n'est pas de celles que le cours permet", _REMOVE)
