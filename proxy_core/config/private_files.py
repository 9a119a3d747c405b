"""The private files of a site: those that it names for itself, and which none of its folders may serve.

They are passwords, certificates and keys, maps with their programs and databases, access logs and the recording.
Pages for errors are for clients, so they are none. The site file and its journal are private too; their names do not
stand in it. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator

from proxy_core.config import access_logs
from proxy_core.config.model import Site
from proxy_core.config.upstream_tables import upstream_tables


def private_files(site: Site) -> Iterator[str]:
    """Their names as configured: each is relative to the site file, or absolute."""
    secure = [each.tls for each in site.listeners.values() if each.tls is not None]
    upstream = [tls for _, tls in upstream_tables(site)]
    names = [auth.file for auth in site.auth.values()]
    names += [name for tls in secure for each in tls.certificates for name in (each.cert, each.key, each.chain)]
    names += [tls.client_ca for tls in secure]
    names += [name for tls in upstream for name in (tls.ca, tls.cert, tls.key)]
    for settings in site.maps.values():
        names += [settings.file, *settings.command]
        names += [settings.dsn.removeprefix("sqlite:")] if settings.dsn.startswith("sqlite:") else []
    names += [file for file in access_logs.files(site) if file != "-"]
    names += [site.recording.file] if site.recording is not None else []
    return (name for name in names if name)
